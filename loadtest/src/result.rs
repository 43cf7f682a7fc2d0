//! What a run found, and the lines that tell of it while it goes on. Written and read with serde; what is missing in
//! what is read, of an older program, counts as nothing.

use serde::{Deserialize, Serialize};

use crate::plan::{PhaseKind, Plan, Scenario};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// To its end, with every threshold held.
    Completed,
    /// It could not be carried out, or a threshold was missed; [`RunResult::failure`] says why.
    Failed,
    /// It was told to stop.
    Cancelled,
}

/// Percentiles in milliseconds, from the planned time of a message; `None` when there was none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunLatency))]
#[serde(default)]
pub struct Latency {
    /// Half of all are at most this.
    pub p50_ms: Option<f64>,
    /// 95 %.
    pub p95_ms: Option<f64>,
    /// 99 %.
    pub p99_ms: Option<f64>,
    /// 99.9 %.
    pub p999_ms: Option<f64>,
    /// The greatest.
    pub max_ms: Option<f64>,
}

/// A bar of the histogram: how many lie at or below `le_ms` and above the bar before.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunBucket))]
#[serde(default)]
pub struct Bucket {
    /// Upper edge in milliseconds.
    pub le_ms: f64,
    /// How many; not cumulative.
    pub count: u64,
}

/// What became of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunConnections))]
#[serde(default)]
pub struct Connections {
    /// Clients that the plan has, those that churn and a storm's spike add included.
    pub planned: u64,
    /// That became ready.
    pub connected: u64,
    /// That never did.
    pub failed: u64,
    /// That did and were gone before they should.
    pub lost: u64,
}

/// What became of the messages; of `metrics` frames and their acknowledgements with `ingest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunMessages))]
#[serde(default)]
pub struct Messages {
    /// Published, those included that the hub refused.
    pub published: u64,
    /// Messages times clients that they were due to.
    pub expected: u64,
    /// Of those, how many came, each once.
    pub delivered: u64,
    /// Of those, how many did not.
    pub lost: u64,
    /// Came again.
    pub duplicated: u64,
    /// Came after a later one; they are among the delivered.
    pub reordered: u64,
    /// Refused by the hub when published.
    pub refused: u64,
}

/// One phase as it went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunPhase))]
#[serde(default)]
pub struct PhaseResult {
    /// As in the plan.
    pub name: String,
    /// As in the plan.
    pub kind: PhaseKind,
    /// How long it was, in seconds; shorter than planned when the run was cancelled.
    pub duration_s: f64,
    /// Messages that were due in it.
    pub published: u64,
    /// Deliveries of those messages, whenever they came.
    pub delivered: u64,
    /// Deliveries of those messages that never came.
    pub lost: u64,
    /// Deliveries of its messages by its length.
    pub deliveries_per_s: f64,
    /// Of its messages.
    pub latency: Latency,
}

/// A threshold and what was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunThreshold))]
#[serde(default)]
pub struct ThresholdResult {
    /// The key in the plan.
    pub name: String,
    /// What the plan says.
    pub limit: f64,
    /// What was found.
    pub measured: f64,
    /// Whether it held.
    pub held: bool,
}

/// What became of clients that were cut off (`reconnect`).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunReconnects))]
#[serde(default)]
pub struct Reconnects {
    /// Clients cut off.
    pub attempted: u64,
    /// That were subscribed again.
    pub succeeded: u64,
    /// The same in percent.
    pub success_rate: f64,
    /// Told by the hub that nothing is missing.
    pub recovered: u64,
    /// Messages that never came to a client that was cut off at least once.
    pub gaps: u64,
    /// Messages that came to them twice.
    pub duplicates: u64,
    /// Half of them were subscribed again after this many milliseconds; `None` when none was.
    pub back_p50_ms: Option<f64>,
    /// 99 % of them.
    pub back_p99_ms: Option<f64>,
}

/// What became of the clients that stopped reading (`slow_reader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlowReaders {
    /// How many stopped.
    pub clients: u64,
    /// How many the hub had closed by the end.
    pub closed: u64,
}

/// What agents pushed (`ingest`, `mixed`).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Ingest {
    /// Agents.
    pub agents: u64,
    /// Frames sent.
    pub frames: u64,
    /// Frames acknowledged as durable.
    pub acknowledged: u64,
    /// Frames refused, or acknowledged as not durable.
    pub refused: u64,
    /// Samples in the acknowledged frames.
    pub samples: u64,
    /// From the planned time of a frame to its acknowledgement.
    pub latency: Latency,
}

/// Opening connections: from the socket to being subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Connects {
    /// Ready clients by the time from the first opening to the last being ready.
    pub per_s: f64,
    /// How long one took.
    pub latency: Latency,
}

/// One point of the run over time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Since the start of the run, in seconds.
    pub at_s: f64,
    /// Clients that were ready.
    pub connected: u64,
    /// Published a second since the point before.
    pub published_per_s: f64,
    /// Delivered a second since the point before.
    pub deliveries_per_s: f64,
    /// Median of what came since the point before.
    pub p50_ms: f64,
    /// 99 % of it.
    pub p99_ms: f64,
}

/// What the server used at one time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerSample {
    /// Since the start of the run, in seconds.
    pub at_s: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Open file descriptors.
    pub fds: u64,
    /// CPU since the sample before, in percent of one core.
    pub cpu_percent: f64,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The plan's name.
    pub name: String,
    /// The plan's scenario.
    pub scenario: Scenario,
    /// How it ended.
    pub status: Status,
    /// Percent of the planned connections that connected, stayed to their end, and got every message due to them,
    /// once, in order; 0 to 100. Clients that stop reading on purpose need only connect.
    pub success_rate: f64,
    /// Clients.
    pub connections: Connections,
    /// Messages.
    pub messages: Messages,
    /// Of all messages.
    pub latency: Latency,
    /// Deliveries by the time in which messages were published and arrived.
    pub deliveries_per_s: f64,
    /// Read from all sockets.
    pub bytes_in: u64,
    /// From the first connection opened to the last message waited for, in seconds.
    pub duration_s: f64,
    /// CPU time of the server for a million deliveries, in seconds; `None` when its process is not known.
    pub server_cpu_s_per_million: Option<f64>,
    /// Each phase.
    pub phases: Vec<PhaseResult>,
    /// Each threshold.
    pub thresholds: Vec<ThresholdResult>,
    /// Latencies of all messages.
    pub histogram: Vec<Bucket>,
    /// Of `reconnect`.
    pub reconnects: Option<Reconnects>,
    /// Why the run failed.
    pub failure: Option<String>,
    /// Opening connections.
    #[serde(default)]
    pub connects: Connects,
    /// Of `slow_reader`.
    #[serde(default)]
    pub slow_readers: Option<SlowReaders>,
    /// Of `ingest` and `mixed`.
    #[serde(default)]
    pub ingest: Option<Ingest>,
    /// The run over time, at most [`TIMELINE_POINTS_MAX`] points.
    #[serde(default)]
    pub timeline: Vec<Point>,
    /// The server over time, at most [`TIMELINE_POINTS_MAX`] samples; empty when its process is not known.
    #[serde(default)]
    pub server: Vec<ServerSample>,
    /// CPU of the load test itself, in percent of one core: near 100 it is what was measured.
    #[serde(default)]
    pub client_cpu_percent: f64,
    /// What was asked for.
    #[serde(default)]
    pub plan: Option<Plan>,
}

/// Points of a result over time; longer runs are thinned out.
pub const TIMELINE_POINTS_MAX: usize = 240;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Name of the phase; `draining` after the last.
    pub phase: String,
    /// Since the start of the run, in seconds.
    pub elapsed_s: f64,
    /// Clients that are ready.
    pub connected: u64,
    /// So far.
    pub published: u64,
    /// So far.
    pub delivered: u64,
    /// Messages that something later overtook and that are not there yet.
    pub lost: u64,
    /// So far.
    pub duplicated: u64,
    /// So far.
    pub reordered: u64,
    /// Since the line before.
    pub deliveries_per_s: f64,
    /// Of all messages so far.
    pub latency: Latency,
    /// Of what came since the line before.
    pub recent: Latency,
    /// Of all messages so far.
    pub histogram: Vec<Bucket>,
}

/// A line on stdout with `--progress json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// About twice a second.
    Progress(Box<Progress>),
    /// The last line.
    Result(Box<RunResult>),
}

#[cfg(test)]
impl RunResult {
    /// A result of a run in which everything went well.
    pub(crate) fn example() -> Self {
        let [p50_ms, p95_ms, p99_ms, p999_ms, max_ms] = [1.0, 2.0, 4.0, 8.0, 9.5].map(Some);
        let latency = Latency { p50_ms, p95_ms, p99_ms, p999_ms, max_ms };
        Self {
            name: "evening run".into(),
            scenario: Scenario::Paced,
            status: Status::Completed,
            success_rate: 100.0,
            connections: Connections { planned: 25, connected: 25, failed: 0, lost: 0 },
            messages: Messages { published: 40, expected: 1_000, delivered: 1_000, ..Messages::default() },
            latency,
            deliveries_per_s: 250.0,
            bytes_in: 400_000,
            duration_s: 4.0,
            server_cpu_s_per_million: None,
            phases: vec![PhaseResult {
                name: "steady".into(),
                kind: PhaseKind::Steady,
                duration_s: 4.0,
                published: 40,
                delivered: 1_000,
                lost: 0,
                deliveries_per_s: 250.0,
                latency,
            }],
            thresholds: [("p99_ms".into(), 50.0, 4.0, true)]
                .map(|(name, limit, measured, held)| ThresholdResult { name, limit, measured, held })
                .to_vec(),
            histogram: vec![Bucket { le_ms: 1.0, count: 600 }, Bucket { le_ms: 10.0, count: 400 }],
            reconnects: None,
            failure: None,
            connects: Connects::default(),
            slow_readers: None,
            ingest: None,
            timeline: (0..8u32)
                .map(|n| Point { at_s: f64::from(n) / 2.0, deliveries_per_s: 250.0, ..Point::default() })
                .collect(),
            server: Vec::new(),
            client_cpu_percent: 12.0,
            plan: Plan::of(Scenario::Paced).complete().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was() {
        for line in [
            Line::Progress(Box::new(Progress { delivered: 300, ..Progress::default() })),
            Line::Result(Box::new(RunResult::example())),
        ] {
            let text = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        }
    }

    #[test]
    fn what_nobody_measured_is_null_and_what_is_missing_is_nothing() {
        let none = serde_json::to_value(Latency::default()).unwrap();
        assert!(none["p50_ms"].is_null() && none["max_ms"].is_null(), "{none}");
        assert_eq!(serde_json::from_value::<Latency>(none).unwrap(), Latency::default());
        let some: Progress = serde_json::from_str(r#"{"lost":3,"latency":{"p99_ms":4.5}}"#).unwrap();
        assert_eq!((some.lost, some.latency.p50_ms, some.latency.p99_ms), (3, None, Some(4.5)));
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let line = serde_json::to_value(Line::Result(Box::new(RunResult::example()))).unwrap();
        assert_eq!(line["type"], "result");
        assert_eq!((&line["status"], &line["scenario"]), (&"completed".into(), &"paced".into()));
        for key in ["success_rate", "bytes_in", "server_cpu_s_per_million", "reconnects", "failure"] {
            assert!(line.get(key).is_some(), "{key}");
        }
        assert_eq!(line["phases"][0]["kind"], "steady");
        assert_eq!(line["latency"]["p999_ms"], 8.0);
    }
}
