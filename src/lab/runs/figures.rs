//! What a run measured, as it is kept and as it is shown. Its parts are those of the engine's own words.
//!
//! What a figure is told without is unknown, not zero, where that makes a difference.

use infrawatch_loadtest::result::{
    Bucket, Connections, Latency, Messages, PhaseResult, Progress, Reconnects, ThresholdResult,
};
use serde::{Deserialize, Serialize};

/// What was measured over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunFigures)]
#[serde(default)]
pub struct Figures {
    /// Percent of the planned connections that connected, stayed to the end, and got every message due to them
    /// once and in order; null while that is not known.
    pub success_rate: Option<f64>,
    /// What became of the connections.
    pub connections: Connections,
    /// What became of the messages.
    pub messages: Messages,
    /// From publish to arrival.
    pub latency: Latency,
    /// Messages that arrived a second.
    pub deliveries_per_s: f64,
    /// Bytes that arrived.
    pub bytes_in: u64,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// CPU time of the hub for a million deliveries, in seconds; null where it is not known.
    pub server_cpu_s_per_million: Option<f64>,
    /// Bars, and whether they were held.
    pub thresholds: Vec<ThresholdResult>,
    /// What became of clients that reconnected; null where none had to.
    pub reconnects: Option<Reconnects>,
}

/// The same by phase and by bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunDetail)]
#[serde(default)]
pub struct Detail {
    /// In order.
    pub phases: Vec<PhaseResult>,
    /// How often which latency was met.
    pub histogram: Vec<Bucket>,
    /// What else the engine of the scenario tells, as it tells it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub further: serde_json::Map<String, serde_json::Value>,
}

impl Figures {
    /// What is known of so many planned connections while the engine has said no more than this.
    pub fn so_far(progress: &Progress, planned: u64) -> Self {
        let Progress { connected, published, delivered, lost, duplicated, reordered, .. } = *progress;
        let expected = delivered + lost;
        Self {
            connections: Connections { planned, connected, ..Connections::default() },
            messages: Messages { published, expected, delivered, lost, duplicated, reordered, refused: 0 },
            latency: progress.latency,
            deliveries_per_s: progress.deliveries_per_s,
            duration_s: progress.elapsed_s,
            ..Self::default()
        }
    }
}

impl Detail {
    /// As [`Figures::so_far`].
    pub fn so_far(progress: &Progress) -> Self {
        Self { histogram: progress.histogram.clone(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ends_without_a_result_has_what_its_last_line_said() {
        let progress =
            Progress { elapsed_s: 1.5, connected: 7, delivered: 9, lost: 1, ..Progress::default() };
        let figures = Figures::so_far(&progress, 25);
        assert_eq!((figures.success_rate, figures.duration_s), (None, 1.5), "measured and never assumed");
        assert_eq!((figures.connections.planned, figures.connections.connected), (25, 7));
        assert_eq!((figures.messages.expected, figures.messages.lost), (10, 1));
    }
}
