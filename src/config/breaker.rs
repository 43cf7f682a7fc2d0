//! When breakers open and for how long, and how much is held while they are.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Breakers of subsystems.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSection {
    /// Share of calls that must have failed, in percent.
    pub error_percent: u32,
    /// Fewer calls than this within the window say nothing.
    pub calls_min: u32,
    /// The sliding window that calls are counted in.
    pub window_ms: u64,
    /// How long it stays open before it tries again.
    pub open_ms: u64,
    /// Calls that are let through to try, all of which must succeed.
    pub probes: u32,
    /// A write that the store works on for longer counts as failed.
    pub call_ms_max: u64,
    /// Alerts that may wait for the breaker of alerts to close.
    pub alerts_queue_max: usize,
    /// Bytes of samples that may wait for the breaker of the store to close.
    pub spill_bytes_max: usize,
}

impl Default for BreakerSection {
    fn default() -> Self {
        Self {
            error_percent: 50,
            calls_min: 20,
            window_ms: 10_000,
            open_ms: 30_000,
            probes: 3,
            call_ms_max: 5_000,
            alerts_queue_max: 1_000,
            spill_bytes_max: 16 << 20,
        }
    }
}

impl BreakerSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("breaker.error_percent", self.error_percent, 1, 100)?;
        in_range("breaker.calls_min", self.calls_min, 1, 1_000_000)?;
        in_range("breaker.window_ms", self.window_ms, 1_000, 3_600_000)?;
        in_range("breaker.open_ms", self.open_ms, 100, 3_600_000)?;
        in_range("breaker.probes", self.probes, 1, 1_000)?;
        in_range("breaker.call_ms_max", self.call_ms_max, 100, 600_000)?;
        in_range("breaker.alerts_queue_max", self.alerts_queue_max, 1, 100_000)?;
        in_range("breaker.spill_bytes_max", self.spill_bytes_max, 1 << 16, 1 << 34)
    }
}
