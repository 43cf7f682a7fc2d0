//! Demonstrations, labelled as such: alerts that nothing raised, samples that nothing measured.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::alerts::posting::make_up;
use super::body::Body;
use super::e2e::Turn;
use super::guard::Caller;
use super::problem::Problem;
use super::state::State;
use super::trace::Asked;
use crate::alert::{Alert, SEVERITIES, Severity};
use crate::clock::rfc3339;
use crate::ids::NodeName;
use crate::ingest::Parsed;
use crate::node::{Batch, Report, Source};
use crate::protocol::codes::Code;
use crate::store::Column;
use crate::telemetry::Cause;

/// The label of nodes whose samples nothing measured.
pub use crate::node::SYNTHETIC;

/// The label of alerts that nothing raised.
pub const SIMULATED: &str = "simulated";

const ALERTS_MAX: u64 = 50;
const SAMPLES_MAX: u64 = 600;
const NODES_MAX: u64 = 10;
const DURATION_S_MAX: u64 = 60;

/// Silence after which a synthetic node is offline, in milliseconds.
const TTL_MS: u64 = 15_000;

/// What samples of a synthetic node have: name, mean, swing.
const METRICS: [(&str, f64, f64); 6] = [
    ("cpu_percent", 55.0, 35.0),
    ("memory_percent", 62.0, 8.0),
    ("disk_percent", 41.0, 1.0),
    ("load1", 3.0, 2.5),
    ("network_rx_bytes_per_s", 4_000_000.0, 3_500_000.0),
    ("network_tx_bytes_per_s", 1_500_000.0, 1_200_000.0),
];

/// How many alerts to make up.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct Simulate {
    /// 1 to 50; 3 when left out.
    alerts: Option<u64>,
    /// Of this severity; all in turn when left out.
    severity: Option<String>,
}

/// The alerts that were made up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Simulation {
    /// Always true.
    pub simulated: bool,
    /// How many.
    pub alerts_created: usize,
    /// How many of them wait for the breaker of alerts to close.
    pub queued: usize,
    /// The alerts.
    pub alerts: Vec<Alert>,
}

/// Posts alerts that nothing raised; each is labelled `simulated` and `synthetic`, and ends within a quarter of an hour.
#[utoipa::path(post, path = "/api/v1/operations/simulate", tag = "operations", request_body = Simulate,
    responses((status = 200, body = Simulation, description = "Posted"), super::openapi::Refused))]
pub async fn simulate(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<web::Json<Simulation>, Problem> {
    let mut fields = body.fields(true)?;
    let count = fields.number("alerts", 1..=ALERTS_MAX, 3);
    let severity = fields.optional_word("severity", &SEVERITIES).and_then(Severity::parse);
    fields.check()?;
    let severities = severity.map_or_else(|| Severity::ALL.to_vec(), |one| vec![one]);
    let made = make_up(&state, &severities, count, &caller, &asked.0).await?;
    let queued = made.iter().filter(|taken| taken.waits).count();
    let alerts: Vec<Alert> = made.into_iter().map(|taken| taken.alert).collect();
    Ok(web::Json(Simulation { simulated: true, alerts_created: alerts.len(), queued, alerts }))
}

/// How many samples to make up.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct Demo {
    /// For each node: 1 to 600; 20 when left out.
    samples: Option<u64>,
    /// 1 to 10; 1 when left out.
    nodes: Option<u64>,
    /// Spread over so long: 0 to 60; 10 when left out.
    duration_s: Option<u64>,
}

/// A burst that has begun.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Burst {
    /// Its identity.
    pub burst_id: String,
    /// Always true.
    pub synthetic: bool,
    /// The nodes that report.
    pub nodes: Vec<String>,
    /// Samples of each.
    pub samples: u64,
    /// Time between them.
    pub interval_ms: u64,
    /// How long it takes.
    pub duration_s: u64,
    /// When it ends, RFC 3339.
    pub ends_at: String,
}

/// Reports samples that nothing measured, of nodes that do not exist; each has the label `synthetic`.
#[utoipa::path(post, path = "/api/v1/operations/demo", tag = "operations", request_body = Demo,
    responses((status = 202, body = Burst, description = "It runs"), super::openapi::Refused))]
pub async fn demo(state: web::Data<State>, body: Body, asked: Asked) -> Result<HttpResponse, Problem> {
    let mut fields = body.fields(true)?;
    let samples = fields.number("samples", 1..=SAMPLES_MAX, 20);
    let nodes = fields.number("nodes", 1..=NODES_MAX, 1);
    let duration_s = fields.number("duration_s", 0..=DURATION_S_MAX, 10);
    fields.check()?;
    let names: Result<Vec<NodeName>, _> =
        (1..=nodes).map(|n| NodeName::parse(&format!("synthetic-{n}"))).collect();
    let names = names?;
    let interval_ms = duration_s * 1_000 / samples;
    let burst = Burst {
        burst_id: uuid::Uuid::now_v7().to_string(),
        synthetic: true,
        nodes: names.iter().map(ToString::to_string).collect(),
        samples,
        interval_ms,
        duration_s,
        ends_at: rfc3339(state.services.clock.unix_ms() + duration_s * 1_000),
    };
    let Some(turn) = Turn::take(&state.desk.bursting) else {
        return Err(Problem::new(Code::Conflict, "a burst is running; wait for its end"));
    };
    let running = run(state.into_inner(), names, samples, interval_ms, asked.0);
    actix_web::rt::spawn(async move {
        running.await;
        drop(turn);
    });
    Ok(HttpResponse::Accepted().json(burst))
}

async fn run(state: Arc<State>, nodes: Vec<NodeName>, samples: u64, interval_ms: u64, cause: Cause) {
    let columns: Arc<[Column]> = METRICS
        .iter()
        .map(|(name, ..)| Column { name: (*name).to_owned(), labels: BTreeMap::new() })
        .collect();
    for n in 0..samples {
        if state.is_draining() {
            return;
        }
        let now_ms = state.services.clock.unix_ms();
        for (index, node) in nodes.iter().enumerate() {
            // In a burst without pauses each sample still has a moment of its own.
            let unix_ms = if interval_ms == 0 { now_ms + n } else { now_ms };
            let batch = Batch { unix_ms, columns: columns.clone(), values: wave(n, index) };
            report(&state, node, batch, interval_ms, &cause).await;
        }
        tokio::time::sleep(Duration::from_millis(interval_ms)).await;
    }
}

async fn report(state: &State, node: &NodeName, batch: Batch, interval_ms: u64, cause: &Cause) {
    let report = Report {
        source: Source::Agent,
        batches: vec![batch],
        labels: Some(BTreeMap::from([(SYNTHETIC.to_owned(), "true".to_owned())])),
        inventory: None,
        interval_ms: Some(interval_ms.max(500)),
        ttl_ms: Some(TTL_MS),
    };
    let parsed = Parsed { report, accepted: METRICS.len() as u64, rejected: BTreeMap::new() };
    match state.services.ingest.submit(node, parsed, cause) {
        // Nobody is told that they are durable: they were made up.
        Ok(receipt) => drop(receipt),
        Err(error) => tracing::warn!(%node, %error, "synthetic sample not taken"),
    }
}

/// Values that look alive and are the same in every burst.
fn wave(n: u64, node: usize) -> Vec<f64> {
    let at = |metric: usize| (n as f64 / 6.0 + node as f64 * 1.3 + metric as f64 * 0.7).sin();
    METRICS.iter().enumerate().map(|(metric, (_, mean, swing))| mean + swing * at(metric)).collect()
}
