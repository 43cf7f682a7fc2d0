//! What a topic sends out at once: one message, or several that were held back together.

use std::sync::Arc;

use super::handle::TopicId;
use super::kind::Class;
use super::log::Stored;
use super::outlet::Permit;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;

/// Messages of one topic that leave together; shared by all workers.
#[derive(Debug)]
pub struct Bundle {
    /// Which topic.
    pub topic: TopicId,
    /// Its epoch.
    pub epoch: Arc<str>,
    /// How its messages relate to each other.
    pub class: Class,
    /// The most urgent of the messages.
    pub priority: Priority,
    /// At least one, in order of offsets.
    pub messages: Vec<Stored>,
    /// All of them in one frame: a `batch`, or the `message` itself when it is alone.
    pub frame: SharedFrame,
    /// Given back when the last worker has handed the frame on.
    pub permits: Vec<Permit>,
}

impl Bundle {
    /// Offset of the first message.
    pub fn first_offset(&self) -> u64 {
        self.messages.first().map_or(0, |message| message.offset)
    }

    /// When the hub accepted the first of its messages, monotonic microseconds.
    pub fn accepted_us(&self) -> Option<u64> {
        self.permits.iter().map(Permit::admitted_us).min()
    }

    /// Offset of the last message.
    pub fn last_offset(&self) -> u64 {
        self.messages.last().map_or(0, |message| message.offset)
    }
}
