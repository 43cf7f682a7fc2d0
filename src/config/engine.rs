//! What hub nodes share: how long Redis may take, when it counts as gone, and how long what a node owns stays its own.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Redis, and the leases in PostgreSQL, for hubs that are started with their URLs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Longest wait for an answer or a connection.
    pub call_ms_max: u64,
    /// Connections that ask at the same time.
    pub connections_max: u32,
    /// Between two probes of the way through Redis and back: it is gone when two in a row did not come.
    pub probe_ms: u64,
    /// Between two times that a hub node tells PostgreSQL that it lives.
    pub beat_ms: u64,
    /// Silence after which others take what it owns.
    pub lease_ms: u64,
}

impl Default for EngineSection {
    fn default() -> Self {
        Self { call_ms_max: 2_000, connections_max: 8, probe_ms: 1_500, beat_ms: 1_000, lease_ms: 5_000 }
    }
}

impl EngineSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("engine.call_ms_max", self.call_ms_max, 50, 60_000)?;
        in_range("engine.connections_max", self.connections_max, 1, 256)?;
        in_range("engine.probe_ms", self.probe_ms, 100, 60_000)?;
        in_range("engine.beat_ms", self.beat_ms, 50, 20_000)?;
        // One beat may fail, and the next one be late.
        in_range("engine.lease_ms", self.lease_ms, self.beat_ms * 3, 60_000)
    }
}
