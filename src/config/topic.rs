//! What topics remember, and what may be on its way to sockets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ConfigError, NamespaceSection, in_range};

/// History and bounds of topics.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicSection {
    /// Topics that may exist at once.
    pub topics_max: usize,
    /// Messages a log topic keeps.
    pub history_messages_max: usize,
    /// Bytes a log topic keeps.
    pub history_bytes_max: usize,
    /// How long a log topic keeps a message.
    pub history_age_ms_max: u64,
    /// Messages a room keeps, whatever their age.
    pub room_history_messages: usize,
    /// Messages that wait for one client, or one person.
    pub personal_messages_max: usize,
    /// How long such a message waits.
    pub personal_age_ms_max: u64,
    /// Keys a latest topic keeps the newest value of.
    pub latest_keys_max: usize,
    /// Longest key of a message, in bytes.
    pub key_bytes_max: usize,
    /// A topic without subscribers and messages for this long is forgotten.
    pub idle_ms_max: u64,
    /// How long a normal message is held back for others to share its frame; 0 sends it at once.
    pub flush_interval_ms: u64,
    /// The same for a low message.
    pub flush_interval_low_ms: u64,
    /// Messages in one batch.
    pub batch_messages_max: usize,
    /// Bytes of messages in one batch.
    pub batch_bytes_max: usize,
    /// Messages on their way to sockets in the whole hub.
    pub in_flight_messages_max: usize,
    /// Bytes on their way to sockets in the whole hub.
    pub in_flight_bytes_max: usize,
    /// Namespaces that differ.
    pub namespaces: BTreeMap<String, NamespaceSection>,
}

impl Default for TopicSection {
    fn default() -> Self {
        Self {
            topics_max: 100_000,
            history_messages_max: 5_000,
            history_bytes_max: 8 << 20,
            history_age_ms_max: 600_000,
            room_history_messages: 50,
            personal_messages_max: 1_000,
            personal_age_ms_max: 86_400_000,
            latest_keys_max: 20_000,
            key_bytes_max: 256,
            idle_ms_max: 900_000,
            flush_interval_ms: 100,
            flush_interval_low_ms: 1_000,
            batch_messages_max: 512,
            batch_bytes_max: 16 << 10,
            in_flight_messages_max: 32_768,
            in_flight_bytes_max: 64 << 20,
            namespaces: BTreeMap::new(),
        }
    }
}

impl TopicSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("topic.topics_max", self.topics_max, 16, 10_000_000)?;
        in_range("topic.history_messages_max", self.history_messages_max, 1, 10_000_000)?;
        in_range("topic.history_bytes_max", self.history_bytes_max, 1024, 1 << 34)?;
        in_range("topic.personal_messages_max", self.personal_messages_max, 1, 100_000)?;
        in_range("topic.personal_age_ms_max", self.personal_age_ms_max, 1_000, 30 * 86_400_000)?;
        in_range("topic.latest_keys_max", self.latest_keys_max, 1, 10_000_000)?;
        in_range("topic.idle_ms_max", self.idle_ms_max, 1_000, 86_400_000)?;
        in_range("topic.flush_interval_ms", self.flush_interval_ms, 0, 60_000)?;
        in_range("topic.flush_interval_low_ms", self.flush_interval_low_ms, 0, 60_000)?;
        in_range("topic.batch_messages_max", self.batch_messages_max, 1, 10_000)?;
        in_range("topic.batch_bytes_max", self.batch_bytes_max, 1024, 16 << 20)?;
        in_range("topic.in_flight_messages_max", self.in_flight_messages_max, 64, 1_000_000)?;
        self.namespaces.iter().try_for_each(|(name, namespace)| namespace.check(name))
    }
}
