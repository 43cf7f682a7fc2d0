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
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { queue_max: 8_192, samples_keep_ms: 24 * 3_600_000 }
    }
}

impl StoreSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("store.queue_max", self.queue_max, 16, 1_000_000)?;
        in_range("store.samples_keep_ms", self.samples_keep_ms, 60_000, 366 * 86_400_000)
    }
}
