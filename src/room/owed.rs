//! A join that is owed an answer: who asked gets one even when the room crashes or is given up before it could give
//! it.

use actix::Message;

use super::actor::Join;
use crate::topic::{Delivery, TopicError};

/// A join that waits for the room. Dropped before the room's topic has it, its connection is told that it failed.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct OwedJoin(Option<Join>);

impl OwedJoin {
    pub(super) fn new(join: Join) -> Self {
        Self(Some(join))
    }

    /// The request, which is still owed.
    pub(super) fn join(&self) -> Option<&Join> {
        self.0.as_ref()
    }

    /// Somebody else answers.
    pub(super) fn hand_on(mut self) {
        self.0 = None;
    }

    /// The answer is that it could not be.
    pub(super) fn refuse(mut self, error: TopicError) {
        self.tell(error);
    }

    fn tell(&mut self, error: TopicError) {
        if let Some(Join { outlet, member, request, .. }) = self.0.take() {
            outlet.offer(Delivery::SubscribeFailed { member, request, error });
        }
    }
}

impl Drop for OwedJoin {
    fn drop(&mut self) {
        self.tell(TopicError::Failed);
    }
}
