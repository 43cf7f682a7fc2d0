//! Samples over HTTP: what programs measure themselves, and a demonstration that walks one alert through its life ([`walk`]).

pub mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::guard::Caller;
use super::problem::{FieldError, Problem};
use super::state::State;
use super::trace::Asked;
use crate::alert::Labels;
use crate::auth::permission::may_report;
use crate::ids::NodeName;
use crate::ingest::{IngestError, Parsed, Receipt, sample};
use crate::node::{Batch, Report, Source};
use crate::protocol::codes::Code;
use crate::store::Column;

/// Where samples belong that name no node.
const NODE_DEFAULT: &str = "ingest";

/// The label of a sample's service.
const SERVICE: &str = "service";

/// Bad samples that are told.
const ERRORS_MAX: usize = 100;

/// Labels of a sample that a node has at once.
const COLUMNS_MAX: usize = 5_000;

/// A sample. The body may also be a list of them.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub struct NewSample<'a> {
    /// The metric's name; a dotted name is taken as it is.
    metric_name: String,
    /// A finite number.
    #[serde(borrow)]
    #[schema(value_type = f64)]
    value: &'a RawValue,
    /// What it is about; a label of the series.
    service: Option<String>,
    /// What tells the series apart: texts by name.
    #[schema(value_type = Option<Object>)]
    labels: Option<Labels>,
    /// When it was measured, RFC 3339 or Unix milliseconds; now when left out.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    timestamp: Option<&'a RawValue>,
    /// The node that it belongs to; that of the token, or `ingest`, when left out.
    node: Option<String>,
}

/// Samples that were taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Ingested {
    /// How many.
    pub accepted: u64,
    /// The nodes that they belong to.
    pub nodes: Vec<String>,
    /// Whether they are in the store. If not they wait for it, or are lost with it; rules saw them.
    pub durable: bool,
}

/// When to send again what found no room, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// The samples of one node, by moment.
type Moments = BTreeMap<u64, BTreeMap<(String, Labels), f64>>;

/// Takes samples, all or none. Answered when they are in the store.
#[utoipa::path(post, path = "/api/v1/metrics/ingest", tag = "metrics", request_body = NewSample,
    responses((status = 201, body = Ingested, description = "In the store"),
        (status = 202, body = Ingested, description = "Taken, and not in the store yet"), super::openapi::Refused))]
pub async fn ingest(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let by_node = read(&state, &caller, &body)?;
    let nodes = by_node.keys().map(ToString::to_string).collect();
    let by_node: Vec<(NodeName, Vec<Batch>)> = by_node
        .into_iter()
        .map(|(node, moments)| (node, moments.into_iter().map(|(ms, series)| batch(ms, series)).collect()))
        .collect();
    if !state.services.ingest.has_room(by_node.iter().flat_map(|(_, batches)| batches)) {
        return Err(no_room());
    }
    let (mut accepted, mut receipts) = (0, Vec::new());
    for (node, batches) in by_node {
        let count = batches.iter().map(|batch| batch.values.len() as u64).sum();
        accepted += count;
        let report = Report {
            source: Source::Agent,
            batches,
            labels: None,
            inventory: None,
            interval_ms: None,
            ttl_ms: None,
        };
        let parsed = Parsed { report, accepted: count, rejected: BTreeMap::new() };
        receipts.push(state.services.ingest.submit(&node, parsed, &asked.0)?);
    }
    let mut durable = true;
    for receipt in &mut receipts {
        durable &= receipt.durable().await;
    }
    // The store was found to be gone only now, and what waits for it is full.
    if !receipts.iter().all(Receipt::found_room) {
        return Err(no_room());
    }
    let mut answer = if durable { HttpResponse::Created() } else { HttpResponse::Accepted() };
    Ok(answer.json(Ingested { accepted, nodes, durable }))
}

fn no_room() -> Problem {
    let detail = "the store is behind, and as many samples wait for it as may";
    Problem::new(Code::Overloaded, detail).retry_after_s(RETRY_AFTER_S)
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

fn batch(unix_ms: u64, series: BTreeMap<(String, Labels), f64>) -> Batch {
    let (columns, values): (Vec<_>, Vec<_>) =
        series.into_iter().map(|((name, labels), value)| (Column { name, labels }, value)).unzip();
    Batch { unix_ms, columns: Arc::from(columns), values }
}

fn read(state: &State, caller: &Caller, body: &Body) -> Result<BTreeMap<NodeName, Moments>, Problem> {
    let samples = body.one_or_list::<NewSample<'_>>()?;
    let settings = state.services.ingest.settings();
    if samples.len() > settings.samples_max.min(COLUMNS_MAX) {
        let detail = format!("may have at most {} samples, not {}", settings.samples_max, samples.len());
        return Err(Problem::fields(Code::InvalidField, vec![FieldError { pointer: String::new(), detail }]));
    }
    let now_ms = state.services.clock.unix_ms();
    let default = caller.0.node.as_deref().unwrap_or(NODE_DEFAULT);
    let is_list = body.is_list();
    let mut errors = Vec::new();
    let mut by_node: BTreeMap<NodeName, Moments> = BTreeMap::new();
    for (at, sample) in samples.into_iter().enumerate() {
        let mut refuse = |field: &str, detail: String| {
            let pointer = if is_list { format!("/{at}/{field}") } else { format!("/{field}") };
            errors.push(FieldError { pointer, detail });
        };
        let NewSample { metric_name, value, service, labels, timestamp, node } = sample;
        let mut labels = labels.unwrap_or_default();
        labels.extend(service.map(|service| (SERVICE.to_owned(), service)));
        let node = NodeName::parse(node.as_deref().unwrap_or(default))
            .map_err(|error| refuse("node", error.to_string()));
        let value = match sample::value(value) {
            Ok(Some(value)) => Some(value),
            Ok(None) | Err(_) => {
                refuse("value", "must be a finite number".to_owned());
                None
            }
        };
        if let Err(reason) = sample::series(&metric_name, &labels, settings) {
            let field = if reason == sample::Reason::InvalidName { "metric_name" } else { "labels" };
            refuse(field, refusal(reason, settings));
        }
        let moment = timestamp.map_or(Ok(now_ms), |raw| sample::timestamp(raw, now_ms, settings));
        let moment = moment.map_err(|reason| refuse("timestamp", refusal(reason, settings)));
        let (Ok(node), Some(value), Ok(moment)) = (node, value, moment) else { continue };
        by_node.entry(node).or_default().entry(moment).or_default().insert((metric_name, labels), value);
    }
    if !errors.is_empty() {
        errors.truncate(ERRORS_MAX);
        return Err(Problem::fields(Code::InvalidField, errors));
    }
    match by_node.keys().find(|node| !may_report(&caller.0, node.as_str())) {
        Some(node) => Err(Problem::new(Code::Forbidden, format!("not allowed to send samples of {node}"))),
        None => Ok(by_node),
    }
}

fn refusal(reason: sample::Reason, settings: &crate::config::IngestSection) -> String {
    match reason {
        sample::Reason::NotFinite => "must be a finite number".to_owned(),
        sample::Reason::InvalidName => "must be 1 to 128 of A-Z a-z 0-9 . _ : / -".to_owned(),
        sample::Reason::InvalidLabels => {
            format!(
                "may be at most {} with {} characters each",
                settings.labels_max, settings.label_chars_max
            )
        }
        sample::Reason::InvalidTimestamp => {
            "must be a time as 2026-11-21T01:15:22Z, or milliseconds since 1970".to_owned()
        }
        sample::Reason::TooOld => format!("must be at most {} s ago", settings.age_ms_max / 1_000),
        sample::Reason::TooFarAhead => format!("must be at most {} s ahead", settings.ahead_ms_max / 1_000),
    }
}
