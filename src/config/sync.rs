//! What documents of shared state may hold.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Shared state.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncSection {
    /// Documents that there may be.
    pub documents_max: usize,
    /// Keys of one document, deleted ones included.
    pub keys_max: usize,
    /// Longest value, in bytes of JSON.
    pub value_bytes_max: usize,
    /// Bytes of keys and values of one document; it travels in one frame.
    pub document_bytes_max: usize,
    /// How far the clock of a writer may be ahead of the hub's.
    pub ahead_ms_max: u64,
    /// How long a deleted key is remembered, when its place is needed.
    pub tombstone_ms: u64,
    /// A document that nobody used for this long is let go from memory; the store keeps it.
    pub idle_ms_max: u64,
}

impl Default for SyncSection {
    fn default() -> Self {
        Self {
            documents_max: 10_000,
            keys_max: 1_000,
            value_bytes_max: 16 * 1024,
            document_bytes_max: 256 * 1024,
            ahead_ms_max: 60_000,
            tombstone_ms: 86_400_000,
            idle_ms_max: 300_000,
        }
    }
}

impl SyncSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("sync.documents_max", self.documents_max, 1, 1_000_000)?;
        in_range("sync.keys_max", self.keys_max, 1, 100_000)?;
        in_range("sync.value_bytes_max", self.value_bytes_max, 16, 16 << 20)?;
        in_range("sync.document_bytes_max", self.document_bytes_max, 1_024, 64 << 20)?;
        in_range("sync.ahead_ms_max", self.ahead_ms_max, 0, 3_600_000)?;
        in_range("sync.tombstone_ms", self.tombstone_ms, 0, 31_536_000_000)?;
        in_range("sync.idle_ms_max", self.idle_ms_max, 1_000, 86_400_000)
    }
}
