//! What a run measured, as its engine tells it, as it is kept and as it is shown.
//!
//! What a figure is told without is unknown, not zero, where that makes a difference.

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
    pub thresholds: Vec<Threshold>,
    /// What became of clients that reconnected; null where none had to.
    pub reconnects: Option<Reconnects>,
}

/// The same by phase and by bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunDetail)]
#[serde(default)]
pub struct Detail {
    /// In order.
    pub phases: Vec<Phase>,
    /// How often which latency was met.
    pub histogram: Vec<Bucket>,
    /// What else the engine of the scenario tells, as it tells it.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub further: serde_json::Map<String, serde_json::Value>,
}

/// What became of the connections of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunConnections)]
#[serde(default)]
pub struct Connections {
    /// Asked for.
    pub planned: u64,
    /// Were there and subscribed.
    pub connected: u64,
    /// Never got there.
    pub failed: u64,
    /// Got there and did not stay.
    pub lost: u64,
}

/// What became of the messages of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunMessages)]
#[serde(default)]
pub struct Messages {
    /// Published.
    pub published: u64,
    /// Deliveries that were due.
    pub expected: u64,
    /// Arrived.
    pub delivered: u64,
    /// Due and not arrived.
    pub lost: u64,
    /// Arrived again.
    pub duplicated: u64,
    /// Arrived behind a later one.
    pub reordered: u64,
    /// Published, and not taken by the hub.
    pub refused: u64,
}

/// Percentiles of a latency in milliseconds; null where nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunLatency)]
#[serde(default)]
pub struct Latency {
    /// Half are faster.
    pub p50_ms: Option<f64>,
    /// 95 of 100 are.
    pub p95_ms: Option<f64>,
    /// 99 of 100 are.
    pub p99_ms: Option<f64>,
    /// 999 of 1,000 are.
    pub p999_ms: Option<f64>,
    /// The slowest.
    pub max_ms: Option<f64>,
}

/// One phase of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunPhase)]
#[serde(default)]
pub struct Phase {
    /// Its name in the plan.
    pub name: String,
    /// `ramp_up`, `steady`, `spike` or `recovery`.
    pub kind: String,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Messages published in it.
    pub published: u64,
    /// Deliveries that arrived in it.
    pub delivered: u64,
    /// Deliveries that were due in it and did not arrive.
    pub lost: u64,
    /// Messages that arrived a second.
    pub deliveries_per_s: f64,
    /// From publish to arrival.
    pub latency: Latency,
}

/// How many deliveries took at most so long, and longer than the bucket before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunBucket)]
#[serde(default)]
pub struct Bucket {
    /// Its upper end, in milliseconds.
    pub le_ms: f64,
    /// How many.
    pub count: u64,
}

/// A bar of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunThreshold)]
#[serde(default)]
pub struct Threshold {
    /// What is held against it.
    pub name: String,
    /// The bar.
    pub limit: f64,
    /// What was measured; null where nothing was.
    pub measured: Option<f64>,
    /// Whether it was held.
    pub held: bool,
}

/// What became of clients that reconnected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunReconnects)]
#[serde(default)]
pub struct Reconnects {
    /// Tries.
    pub attempted: u64,
    /// That ended with a connection and its subscription.
    pub succeeded: u64,
    /// The same in percent; null without a try.
    pub success_rate: Option<f64>,
    /// Told by the hub that nothing is missing.
    pub recovered: u64,
    /// Messages missing after a recovery.
    pub gaps: u64,
    /// Messages that came twice.
    pub duplicates: u64,
    /// Time until half of them were back.
    pub back_p50_ms: Option<f64>,
    /// Time until 99 of 100 were.
    pub back_p99_ms: Option<f64>,
}
