//! Asking the breakers before a publish, and telling them how it went.

use crate::breaker::{Breakers, Call, Refused, Subsystem};
use crate::topic::{Kept, Kind, TopicError};

/// A publish that may go on: by the breaker of its own subsystem, and by the store's where the topic is kept there.
#[must_use = "how it went is told by `told`"]
pub struct Guarded<'a> {
    own: Option<Call<'a>>,
    store: Option<Call<'a>>,
}

impl<'a> Guarded<'a> {
    /// Asks for a publish to a topic of this kind that counts for `own`, where it counts for one.
    pub fn enter(breakers: &'a Breakers, own: Option<Subsystem>, kind: Kind) -> Result<Self, Refused> {
        let own = own.map(|subsystem| breakers.enter(subsystem)).transpose()?;
        let kept = kind.kept == Kept::Store;
        let store = kept.then(|| breakers.enter(Subsystem::Store)).transpose()?;
        Ok(Self { own, store })
    }

    /// Tells how it went. What the store did it has told itself.
    pub fn told<T>(self, outcome: &Result<T, TopicError>) {
        let Self { own, store } = self;
        match outcome {
            Err(TopicError::KeyTooLong { .. } | TopicError::TooManyTopics { .. }) => return,
            Err(TopicError::Overloaded | TopicError::Failed) => {
                if let Some(own) = own {
                    own.failed();
                }
            }
            // The store's failure is no verdict on what goes through it.
            Err(TopicError::Store(_) | TopicError::Engine(_)) => {}
            Ok(_) => {
                if let Some(own) = own {
                    own.succeeded();
                }
            }
        }
        if let Some(store) = store.filter(|_| !matches!(outcome, Err(TopicError::Overloaded))) {
            store.sent();
        }
    }
}
