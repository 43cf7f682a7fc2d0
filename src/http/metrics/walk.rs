//! A demonstration: samples that nothing measured, which walk one alert of a rule made for it from pending to firing to
//! resolved. Node, rule and alert are labelled `synthetic`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use crate::clock::rfc3339;
use crate::http::body::Body;
use crate::http::demo::SYNTHETIC;
use crate::http::e2e::Turn;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::ids::NodeName;
use crate::ingest::Parsed;
use crate::node::{Batch, Report, Source};
use crate::protocol::codes::Code;
use crate::rule::RuleError;
use crate::rule::definition::Definition;
use crate::store::Column;
use crate::telemetry::Cause;

const NODE: &str = "synthetic-walk";
const METRIC: &str = "synthetic_load";
const RULE: &str = "synthetic-walk";

/// Above this the rule breaches, after so many seconds it fires.
const LIMIT: f64 = 80.0;
const FOR_S: f64 = 2.0;

/// Good, breaching for longer than the rule needs, good again.
const VALUES: [f64; 12] = [40.0, 45.0, 55.0, 86.0, 90.0, 93.0, 95.0, 92.0, 88.0, 60.0, 45.0, 40.0];

/// Least time between samples, of their own time, in milliseconds: enough for the rule.
const STEP_MS_MIN: u64 = 1_000;

const DURATION_S_MAX: u64 = 60;

/// Silence after which the node is offline, in milliseconds.
const TTL_MS: u64 = 15_000;

/// How long it takes.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct SimulateMetrics {
    /// 0 to 60; 12 when left out. Faster than a sample a second their times begin in the past.
    duration_s: Option<u64>,
}

/// A walk that has begun.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Walk {
    /// Always true.
    pub synthetic: bool,
    /// The rule.
    pub rule_id: &'static str,
    /// The node.
    pub node: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// The samples, in order.
    pub values: Vec<f64>,
    /// Time between them.
    pub interval_ms: u64,
    /// When it ends, RFC 3339.
    pub ends_at: String,
}

/// Sends samples that nothing measured: an alert of the rule `synthetic-walk`, which is made if it is missing, goes from
/// pending to firing to resolved.
#[utoipa::path(post, path = "/api/v1/metrics/simulate", tag = "metrics", request_body = SimulateMetrics,
    responses((status = 202, body = Walk, description = "It runs"), crate::http::openapi::Refused))]
pub async fn simulate(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.fields(true)?;
    let duration_s = fields.number("duration_s", 0..=DURATION_S_MAX, VALUES.len() as u64);
    fields.check()?;
    let Some(turn) = Turn::take(&state.desk.bursting) else {
        return Err(Problem::new(Code::Conflict, "a burst is running; wait for its end"));
    };
    let node = NodeName::parse(NODE)?;
    make_rule(&state, &caller.0.sub).await?;
    let interval_ms = duration_s * 1_000 / VALUES.len() as u64;
    let walk = Walk {
        synthetic: true,
        rule_id: RULE,
        node: NODE,
        metric: METRIC,
        values: VALUES.to_vec(),
        interval_ms,
        ends_at: rfc3339(state.services.clock.unix_ms() + duration_s * 1_000),
    };
    let running = run(state.into_inner(), node, interval_ms, asked.0);
    actix_web::rt::spawn(async move {
        running.await;
        drop(turn);
    });
    Ok(HttpResponse::Accepted().json(walk))
}

async fn make_rule(state: &State, by: &str) -> Result<(), Problem> {
    let definition = json!({
        "id": RULE,
        "name": "Synthetic load above 80",
        "kind": "threshold",
        "metric": METRIC,
        "matchers": [format!("node={NODE}")],
        "comparison": ">",
        "value": LIMIT,
        "for_duration_seconds": FOR_S,
        "severity": "warning",
        "labels": { SYNTHETIC: "true" },
        "annotations": { "message": "A demonstration: nothing measured this." },
    });
    let definition: Definition =
        serde_json::from_value(definition).map_err(|error| Problem::internal(&error, &Cause::own()))?;
    let rules = &state.services.rules;
    match rules.create(definition, by).await {
        // Somebody may have switched it off.
        Err(RuleError::Exists) => {
            rules.enable(&[RULE.to_owned()], true, by).await?;
        }
        made => {
            made?;
        }
    }
    Ok(())
}

async fn run(state: Arc<State>, node: NodeName, interval_ms: u64, cause: Cause) {
    let columns: Arc<[Column]> = Arc::new([Column { name: METRIC.to_owned(), labels: BTreeMap::new() }]);
    let step_ms = interval_ms.max(STEP_MS_MIN);
    let count = VALUES.len() as u64;
    // The last one is of now, however fast they come.
    let first_ms = state.services.clock.unix_ms().saturating_sub(count * (step_ms - interval_ms));
    for (n, value) in (0..count).zip(VALUES) {
        if state.is_draining() {
            return;
        }
        let batch = Batch { unix_ms: first_ms + n * step_ms, columns: columns.clone(), values: vec![value] };
        let report = Report {
            source: Source::Agent,
            batches: vec![batch],
            labels: Some(BTreeMap::from([(SYNTHETIC.to_owned(), "true".to_owned())])),
            inventory: None,
            interval_ms: Some(interval_ms.max(STEP_MS_MIN)),
            ttl_ms: Some(TTL_MS),
        };
        let parsed = Parsed { report, accepted: 1, rejected: BTreeMap::new() };
        match state.services.ingest.submit(&node, parsed, &cause) {
            // Nobody is told that they are durable: they were made up.
            Ok(receipt) => drop(receipt),
            Err(error) => tracing::warn!(%node, %error, "synthetic sample not taken"),
        }
        tokio::time::sleep(Duration::from_millis(interval_ms)).await;
    }
}
