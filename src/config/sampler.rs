//! The sampler of the hub's own host.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// The sampler of the hub's own host.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerSection {
    /// Whether the hub samples its host.
    pub enabled: bool,
    /// Time between samples.
    pub interval_ms: u64,
    /// Name of the hub's node; empty takes the host's name.
    pub node: String,
}

impl Default for SamplerSection {
    fn default() -> Self {
        Self { enabled: true, interval_ms: 500, node: String::new() }
    }
}

impl SamplerSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("sampler.interval_ms", self.interval_ms, 100, 3_600_000)
    }
}
