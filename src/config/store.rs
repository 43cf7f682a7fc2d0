//! Durable state: how much may wait, how long samples are kept.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Durable state.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// Requests that may wait for the writer.
    pub queue_max: usize,
    /// How long samples are kept.
    pub samples_keep_ms: u64,
    /// Bytes of samples that may wait on disk for PostgreSQL.
    pub journal_bytes_max: u64,
    /// Frames of them that are replayed a second.
    pub journal_replay_hz: u64,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            queue_max: 8_192,
            samples_keep_ms: 24 * 3_600_000,
            journal_bytes_max: 256 << 20,
            journal_replay_hz: 2_000,
        }
    }
}

impl StoreSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("store.queue_max", self.queue_max, 16, 1_000_000)?;
        in_range("store.samples_keep_ms", self.samples_keep_ms, 60_000, 366 * 86_400_000)?;
        in_range("store.journal_bytes_max", self.journal_bytes_max, 1 << 20, 1 << 40)?;
        in_range("store.journal_replay_hz", self.journal_replay_hz, 10, 100_000)
    }
}
