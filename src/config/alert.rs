//! How rules are evaluated and alerts are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Rules and alerts.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSection {
    /// Whether a fresh hub begins with rules on the host's own metrics.
    pub seeds: bool,
    /// Rules that there may be.
    pub rules_max: usize,
    /// Alerts that may be open at once.
    pub open_max: usize,
    /// How long an alert that is over is kept.
    pub resolved_keep_ms: u64,
    /// From the first alert of a group to its first notification; critical ones do not wait.
    pub group_wait_ms: u64,
    /// From one notification of a group to the next of what changed.
    pub group_interval_ms: u64,
    /// From one notification of a group to the next of the same. As long as this an alert that was resolved by hand is not
    /// opened again while its condition lasts.
    pub repeat_interval_ms: u64,
    /// Is sent a `POST` again and again while the hub is well: whoever watches the hub. `http://` only; empty: nobody.
    pub heartbeat_url: String,
    /// What it is shown as `Authorization: Bearer`; empty: nothing.
    pub heartbeat_token: String,
    /// Time between two of them.
    pub heartbeat_interval_ms: u64,
    /// How much services count in the score of their alerts, 0 to 2, by name; 1 when it is left out.
    pub service_weights: BTreeMap<String, f64>,
}

impl Default for AlertSection {
    fn default() -> Self {
        Self {
            seeds: true,
            rules_max: 20_000,
            open_max: 50_000,
            resolved_keep_ms: 30 * 86_400_000,
            group_wait_ms: 30_000,
            group_interval_ms: 300_000,
            repeat_interval_ms: 4 * 3_600_000,
            heartbeat_url: String::new(),
            heartbeat_token: String::new(),
            heartbeat_interval_ms: 60_000,
            service_weights: BTreeMap::new(),
        }
    }
}

impl AlertSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("alert.rules_max", self.rules_max, 1, 1_000_000)?;
        in_range("alert.open_max", self.open_max, 1, 1_000_000)?;
        in_range("alert.resolved_keep_ms", self.resolved_keep_ms, 60_000, 3_153_600_000_000)?;
        in_range("alert.group_wait_ms", self.group_wait_ms, 0, 3_600_000)?;
        in_range("alert.group_interval_ms", self.group_interval_ms, 1_000, 86_400_000)?;
        in_range("alert.repeat_interval_ms", self.repeat_interval_ms, 60_000, 2_592_000_000)?;
        in_range("alert.heartbeat_interval_ms", self.heartbeat_interval_ms, 100, 86_400_000)?;
        if !(self.heartbeat_url.is_empty() || self.heartbeat_url.starts_with("http://")) {
            return Err(ConfigError::OutOfRange {
                key: "alert.heartbeat_url",
                allowed: "a URL with http:// (one with https:// needs a proxy in between), or empty"
                    .to_owned(),
                found: format!("{:?}", self.heartbeat_url),
            });
        }
        self.service_weights
            .values()
            .try_for_each(|weight| in_range("alert.service_weights", *weight, 0.0, 2.0))
    }
}
