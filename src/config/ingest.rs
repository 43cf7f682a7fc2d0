//! Which samples and nodes are taken.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Which samples are taken.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestSection {
    /// Samples in one frame.
    pub samples_max: usize,
    /// How far behind the hub's clock a sample may be (an agent's spool after an outage).
    pub age_ms_max: u64,
    /// How far ahead of the hub's clock a sample may be.
    pub ahead_ms_max: u64,
    /// Labels of one sample or node.
    pub labels_max: usize,
    /// Characters of a label's key or value.
    pub label_chars_max: usize,
    /// Nodes the hub knows.
    pub nodes_max: usize,
    /// Silence after which a node that names no time of its own is offline.
    pub node_ttl_ms: u64,
}

impl Default for IngestSection {
    fn default() -> Self {
        Self {
            samples_max: 5_000,
            age_ms_max: 7 * 86_400_000,
            ahead_ms_max: 60_000,
            labels_max: 32,
            label_chars_max: 256,
            nodes_max: 10_000,
            node_ttl_ms: 15_000,
        }
    }
}

impl IngestSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("ingest.samples_max", self.samples_max, 1, 1_000_000)?;
        in_range("ingest.nodes_max", self.nodes_max, 1, 1_000_000)?;
        in_range("ingest.node_ttl_ms", self.node_ttl_ms, 200, 86_400_000)
    }
}
