//! Alerts that another owner of alerts saw the end of: samples that it had evaluated come again, and do not open them
//! again. Pure.

use std::collections::HashMap;

use super::super::entity::Alert;

/// How long after the begin of a tenure samples of before may come while all is well, in milliseconds. What begins later
/// is told apart by its begin alone.
const AGAIN_MS: u64 = 15_000;

/// Alerts that ended a moment ago.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// By fingerprint: when the newest began, in sample time, and when it ended, in that of the hub.
    over: HashMap<String, (u64, u64)>,
    until_ms: u64,
}

impl Past {
    pub(super) fn of(alerts: Vec<Alert>, now_ms: u64) -> Self {
        let mut over: HashMap<String, (u64, u64)> = HashMap::new();
        for alert in alerts {
            let newest = over.entry(alert.fingerprint).or_default();
            let ended_ms = alert.resolved_at_ms.unwrap_or_default();
            *newest = (newest.0.max(alert.started_at_ms), newest.1.max(ended_ms));
        }
        Self { over, until_ms: now_ms.saturating_add(AGAIN_MS) }
    }

    /// Whether a breach that began then, in sample time, is of an alert that ended.
    pub(super) fn has(&self, fingerprint: &str, since_ms: u64, now_ms: u64) -> bool {
        self.over.get(fingerprint).is_some_and(|(started_ms, ended_ms)| {
            // One that is seen from its middle on seems to begin later.
            since_ms <= *started_ms || (now_ms < self.until_ms && since_ms <= *ended_ms)
        })
    }
}
