//! Which thread a child lives on. Production spreads the table over named arbiters; tests put all of it on
//! the current one, so that a paused clock drives every timer.

use std::collections::BTreeMap;

use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;

use super::spec::Placement;

/// How the placements of a table are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// As the table says; each named arbiter is a thread, made on first use.
    Spread,
    /// Everything on the arbiter of whoever starts it.
    Here,
}

/// The arbiters of one tree.
pub(super) struct Arbiters {
    places: Places,
    named: Mutex<BTreeMap<&'static str, Arbiter>>,
}

impl Arbiters {
    pub(super) const fn new(places: Places) -> Self {
        Self { places, named: Mutex::new(BTreeMap::new()) }
    }

    /// The arbiter for a placement; `None` is the current one.
    ///
    /// # Panics
    /// When an arbiter has to be made outside an actix `System`, or its thread cannot be made.
    pub(super) fn find(&self, placement: Placement) -> Option<ArbiterHandle> {
        match (self.places, placement) {
            (Places::Here, _) | (_, Placement::Caller) => None,
            (Places::Spread, Placement::Arbiter(name)) => {
                Some(self.named.lock().entry(name).or_insert_with(Arbiter::new).handle())
            }
        }
    }

    /// Stops the named arbiters and waits for their threads.
    pub(super) async fn join(&self) {
        let named = std::mem::take(&mut *self.named.lock());
        for (name, arbiter) in named {
            arbiter.stop();
            let joined = tokio::task::spawn_blocking(move || arbiter.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!(arbiter = name, "arbiter thread panicked");
            }
        }
    }
}
