//! How much load the Reliability Lab may put on the hub.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Load tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabSection {
    /// Connections of one run.
    pub connections_max: u64,
    /// How long the steady part of a run may take.
    pub duration_ms_max: u64,
    /// Messages that a run publishes a second.
    pub rate_hz_max: u64,
    /// Longest payload of its messages.
    pub payload_bytes_max: u64,
    /// Reconnects of one run.
    pub reconnects_max: u64,
    /// Runs that the store keeps; the oldest are forgotten.
    pub runs_max: usize,
}

impl Default for LabSection {
    fn default() -> Self {
        Self {
            connections_max: 2_000,
            duration_ms_max: 600_000,
            rate_hz_max: 1_000,
            payload_bytes_max: 16 * 1024,
            reconnects_max: 5_000,
            runs_max: 500,
        }
    }
}

impl LabSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("lab.connections_max", self.connections_max, 1, 20_000)?;
        in_range("lab.duration_ms_max", self.duration_ms_max, 1_000, 14_400_000)?;
        in_range("lab.rate_hz_max", self.rate_hz_max, 1, 10_000)?;
        in_range("lab.payload_bytes_max", self.payload_bytes_max, 32, 60_000)?;
        in_range("lab.reconnects_max", self.reconnects_max, 1, 100_000)?;
        in_range("lab.runs_max", self.runs_max, 1, 1_000_000)
    }
}
