//! A named stream: order, history, and who gets it.
//!
//! - [`kind`]: the table of topics: class, priority, where it is kept
//! - [`log`]: the pure core: offsets, history, newest value per key
//! - [`position`]: where a reader stands, and a page of what it reads
//! - [`coalesce`]: what waits so that it goes out in fewer frames (pure)
//! - [`pulse`]: how much happens on a topic (pure)
//! - [`filter`]: what a subscription lets through (pure)
//! - [`inbox`]: what waits for a session in a personal topic (pure)
//! - [`bundle`]: messages that leave together
//! - [`outlet`]: where deliveries go up: the bounded queue of a worker's connections
//! - [`actor`]: the mailbox around the core; `sending`, `reading` and `keeping` are its ways out, in and
//!   down, `carrying`, `committing` and `following` those to and from other nodes
//! - `owed`: answers that are given even when the actor crashes
//! - [`handle`]: what other modules see

pub mod actor;
pub mod bundle;
mod carrying;
pub mod coalesce;
mod committing;
pub mod filter;
mod following;
pub mod handle;
pub mod inbox;
mod keeping;
pub mod kind;
pub mod log;
pub mod messages;
pub mod outlet;
mod owed;
pub mod position;
pub mod pulse;
mod reading;
mod sending;

use std::sync::Arc;

use serde::Serialize;

use crate::protocol::codes::Code;

pub use actor::{TopicActor, TopicArgs};
pub use bundle::Bundle;
pub use carrying::OPENED;
pub use committing::MAIL;
pub use filter::Filter;
pub use handle::{TopicHandle, TopicId};
pub use inbox::Taken;
pub use kind::{Class, Kept, Kind};
pub use messages::{Announce, Leave, Publish, Reply, Subscribe, TopicSnapshot};
pub use outlet::{Delivery, Joined, Member, Outlet, Permit};
pub use owed::Owed;
pub use position::{Page, Position};
pub use sending::item;

/// Where a message ended up.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// Identity of the message.
    pub id: String,
    /// Its topic.
    pub topic: Arc<str>,
    /// The topic's epoch.
    pub epoch: Arc<str>,
    /// Its position in the epoch.
    pub offset: u64,
}

/// Why a topic refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TopicError {
    /// The mailbox, or what is on its way to sockets, is at its bound.
    #[error("the topic is overloaded; try again")]
    Overloaded,
    /// The topic's actor crashed while the request was with it.
    #[error("the topic failed while handling the request")]
    Failed,
    /// A topic that is kept in the store, and the store does not answer.
    #[error("the store cannot be reached: {0}")]
    Store(String),
    /// A topic that nodes share, and Redis refused the message.
    #[error("Redis refused the message: {0}")]
    Engine(String),
    /// The key is too long.
    #[error("`key` may have at most {bytes_max} bytes, not {bytes}")]
    KeyTooLong {
        /// The bound.
        bytes_max: usize,
        /// What was given.
        bytes: usize,
    },
    /// The hub has as many topics as it may.
    #[error("the hub has {topics_max} topics, which is its limit")]
    TooManyTopics {
        /// The bound.
        topics_max: usize,
    },
}

impl TopicError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Overloaded | Self::TooManyTopics { .. } => Code::Overloaded,
            Self::Failed => Code::Internal,
            Self::Store(_) | Self::Engine(_) => Code::StoreUnavailable,
            Self::KeyTooLong { .. } => Code::InvalidField,
        }
    }
}
