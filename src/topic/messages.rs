//! What a topic can be told and asked.

use std::sync::Arc;

use actix::Message;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::filter::Filter;
use super::inbox::{Taken, Waiting};
use super::log::Stored;
use super::outlet::{Member, Outlet, Permit};
use super::owed::Owed;
use super::position::{Page, Position};
use super::pulse::PerSecond;
use super::{Published, TopicError};
use crate::ids::MessageId;
use crate::ownership::Fence;
use crate::protocol::priority::Priority;
use crate::store::TopicRecord;

/// Who is told where a message ended up.
pub enum Reply {
    /// Nobody.
    Nobody,
    /// A connection, with a `published`-like frame of the given type.
    Member {
        /// The connection's worker.
        outlet: Outlet,
        /// The connection.
        member: Member,
        /// Its id of the request.
        reply_to: Option<Box<str>>,
        /// Type of the answer: `published` or `room_message_sent`.
        kind: &'static str,
    },
    /// A waiting caller.
    Caller(oneshot::Sender<Result<Published, TopicError>>),
}

/// Take a message into the topic. Refused when the mailbox is full: the caller answers `overloaded`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// What is published, unchanged.
    pub payload: Box<RawValue>,
    /// Overrides the topic's priority.
    pub priority: Option<Priority>,
    /// What it is the newest value of.
    pub key: Option<Arc<str>>,
    /// What its publisher calls it.
    pub event_type: Option<Arc<str>>,
    /// The tenure of the owner of alerts that publishes it.
    pub fence: Fence,
    /// Room on the way to sockets.
    pub permit: Permit,
    /// Who is told.
    pub reply: Owed,
}

/// Send a frame to the subscribers of this moment; it has no offset and no history.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Announce {
    /// The whole frame.
    pub frame: bytes::Bytes,
    /// Its urgency.
    pub priority: Priority,
}

/// Add a connection. The answer comes through its outlet, in order with the messages.
pub struct Subscribe {
    /// The connection's worker.
    pub outlet: Outlet,
    /// The connection.
    pub member: Member,
    /// Number of the request on that connection.
    pub request: u32,
    /// Where the subscriber stood before, if it wants to go on there.
    pub recover: Option<Position>,
    /// Of a personal topic: what the session has taken out of it; what waits there comes first.
    pub taken: Option<Box<Taken>>,
    /// What it wants of the topic.
    pub filter: Option<Arc<Filter>>,
    /// How many past messages the answer shows.
    pub history: usize,
    /// What the answer brings along from whoever subscribes the connection.
    pub attachment: Option<Box<RawValue>>,
}

/// `members` connections of a worker are gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// The worker.
    pub outlet: Outlet,
    /// How many.
    pub members: u32,
}

/// Somebody wants to read the topic: one that nodes share is read before the next message is handled.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    /// Where the reader stands: this node may not have come so far.
    pub at: Option<Position>,
}

/// Where the topic stands in the store that hub nodes share: it may be further than this node has heard.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StoreHead {
    /// The epoch.
    pub epoch: String,
    /// The offset given out last.
    pub last_offset: u64,
}

/// Messages after a place in the topic, or the newest where that is lost or not given.
#[derive(Message)]
#[rtype(result = "Result<Page, TopicError>")]
pub struct Read {
    /// Where the reader stands; `None` for the newest messages.
    pub since: Option<Position>,
    /// How many messages at most.
    pub limit: usize,
}

/// What waits for a session in its personal topic.
#[derive(Message)]
#[rtype(result = "Result<InboxView, TopicError>")]
pub struct ReadInbox {
    /// What the session has taken out.
    pub taken: Taken,
}

/// Answer to [`ReadInbox`].
#[derive(Debug)]
pub struct InboxView {
    /// Where the topic stands.
    pub position: Position,
    /// What waits.
    pub waiting: Waiting,
}

/// Offsets of the messages with these ids, and their epoch.
#[derive(Message)]
#[rtype(result = "Option<(Arc<str>, Vec<u64>)>")]
pub struct FindMessages {
    /// Which.
    pub ids: Vec<MessageId>,
}

/// Everything that was published is nobody's any more; offsets go on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ForgetMessages;

/// The newest value of a key is nobody's any more: what it was of is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ForgetKey {
    /// Which.
    pub key: Arc<str>,
}

/// The topic as a drain keeps it.
#[derive(Message)]
#[rtype(result = "TopicRecord")]
pub struct RecordTopic;

/// The state of the topic and at most `limit` of its newest messages.
#[derive(Message)]
#[rtype(result = "TopicView")]
pub struct TopicSnapshot {
    /// How many messages.
    pub limit: usize,
}

/// Answer to [`TopicSnapshot`].
#[derive(Debug, actix::MessageResponse)]
pub struct TopicView {
    /// The epoch.
    pub epoch: Arc<str>,
    /// Offset of the newest message; 0 before the first.
    pub offset: u64,
    /// The newest messages, oldest first.
    pub messages: Vec<Stored>,
    /// Subscribed connections.
    pub subscribers: usize,
    /// Messages and bytes in memory.
    pub held: (usize, usize),
    /// Messages that wait for their flush or for their commit.
    pub waiting: usize,
    /// When the newest message in memory was taken, unix milliseconds.
    pub newest_ms: Option<u64>,
    /// What happened lately.
    pub per_second: PerSecond,
}
