//! What hub nodes share: how long Redis may take, and when it counts as gone.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Redis, for hubs that are started with its URL.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// Longest wait for an answer or a connection.
    pub call_ms_max: u64,
    /// Connections that ask at the same time.
    pub connections_max: u32,
    /// Between two probes of the way through Redis and back.
    pub probe_ms: u64,
}

impl Default for EngineSection {
    fn default() -> Self {
        Self { call_ms_max: 2_000, connections_max: 8, probe_ms: 2_000 }
    }
}

impl EngineSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("engine.call_ms_max", self.call_ms_max, 50, 60_000)?;
        in_range("engine.connections_max", self.connections_max, 1, 256)?;
        in_range("engine.probe_ms", self.probe_ms, 100, 60_000)
    }
}
