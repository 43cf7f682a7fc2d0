//! Answers that are owed: who asked gets one even when the topic crashes or is given up before it could give it.

use actix::Message;

use super::messages::{Reply, Subscribe};
use super::{Delivery, TopicError};
use crate::clock::system_unix_ms;
use crate::protocol::frame::SharedFrame;
use crate::protocol::server;
use crate::telemetry::Counter;

/// Whom to answer. Dropped unanswered it says that the topic failed.
pub struct Owed(Option<Reply>);

impl Owed {
    /// An answer that is owed from now on.
    pub fn new(reply: Reply) -> Self {
        Self(Some(reply))
    }

    /// Whom to answer now.
    pub fn pay(mut self) -> Reply {
        self.0.take().unwrap_or(Reply::Nobody)
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        // A waiting caller is told by the drop of its sender.
        let Some(Reply::Member { outlet, member, reply_to, kind: _ }) = self.0.take() else { return };
        let error = TopicError::Failed;
        Counter::ErrorsSent.add_for(error.code().row().name, 1);
        let frame = server::error(error.code(), &error.to_string(), system_unix_ms(), reply_to.as_deref());
        outlet.offer(Delivery::Reply { member, frame: SharedFrame::json(frame) });
    }
}

/// A subscriber that waits for the topic, or for the store to be read. Dropped before that it is told that the topic
/// failed.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct OwedSubscriber(Option<Subscribe>);

impl OwedSubscriber {
    pub(super) fn new(subscribe: Subscribe) -> Self {
        Self(Some(subscribe))
    }

    /// The request, to be answered now.
    pub(super) fn pay(mut self) -> Option<Subscribe> {
        self.0.take()
    }
}

impl Drop for OwedSubscriber {
    fn drop(&mut self) {
        if let Some(Subscribe { outlet, member, request, .. }) = self.0.take() {
            outlet.offer(Delivery::SubscribeFailed { member, request, error: TopicError::Failed });
        }
    }
}
