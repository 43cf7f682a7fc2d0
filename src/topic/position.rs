//! Where a reader stands in a topic, and what it is told when it reads on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::log::Stored;

/// An offset within an epoch: everything up to it has been seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch that offsets count in; opaque.
    pub epoch: Arc<str>,
    /// Offset of the last message seen; 0 before the first.
    pub offset: u64,
}

/// What stands with a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Every message after it is held.
    Known,
    /// Messages after it are gone from memory.
    Trimmed,
    /// It is of another epoch, or of one that this log never reached.
    Unknown,
}

/// Messages that a reader gets.
#[derive(Debug, Clone)]
pub struct Page {
    /// Oldest first.
    pub messages: Vec<Stored>,
    /// Where the topic stands now.
    pub position: Position,
    /// Whether `messages` go on without a gap where the reader stood.
    pub recovered: bool,
    /// Whether there are more after these.
    pub truncated: bool,
}
