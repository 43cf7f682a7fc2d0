//! What the topics of an application's namespace are.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};
use crate::protocol::priority::Priority;

/// How messages of a topic relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Only the newest message of each key matters.
    Latest,
    /// Every message matters, in order.
    Log,
}

impl Class {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Log => "log",
        }
    }
}

/// Where history lives, and so when `published` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// In memory; a crash of the topic begins a new epoch.
    Memory,
    /// In the store; `published` follows the commit.
    Store,
}

impl Kept {
    /// The name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
        }
    }
}

/// Settings of the topics `{namespace}:{name}`; what is left out is as for every other topic.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamespaceSection {
    /// `log` or `latest`.
    pub class: Option<Class>,
    /// Urgency of messages that name none.
    pub priority: Option<Priority>,
    /// `memory` or `store`.
    pub kept: Option<Kept>,
    /// Messages that a topic keeps.
    pub history_messages_max: Option<usize>,
    /// Bytes that a topic keeps.
    pub history_bytes_max: Option<usize>,
    /// How long a topic keeps a message.
    pub history_age_ms_max: Option<u64>,
    /// How long a normal message is held back for others to share its frame.
    pub flush_interval_ms: Option<u64>,
}

/// Namespaces whose topics are the hub's own affair.
const RESERVED: &[&str] = &["metrics", "room", "sync", "client", "user"];

impl NamespaceSection {
    /// Checks the name and the ranges.
    pub(super) fn check(&self, name: &str) -> Result<(), ConfigError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(allowed) || RESERVED.contains(&name) {
            return Err(ConfigError::OutOfRange {
                key: "topic.namespaces",
                allowed: format!("names of A-Z a-z 0-9 . _ - that are none of {}", RESERVED.join(", ")),
                found: format!("{name:?}"),
            });
        }
        in_range(
            "topic.namespaces.*.history_messages_max",
            self.history_messages_max.unwrap_or(1),
            1,
            10_000_000,
        )?;
        in_range(
            "topic.namespaces.*.history_bytes_max",
            self.history_bytes_max.unwrap_or(1024),
            1024,
            1 << 34,
        )?;
        in_range("topic.namespaces.*.flush_interval_ms", self.flush_interval_ms.unwrap_or(0), 0, 60_000)
    }
}
