//! Samples of nodes: the newest, and the past as points for a chart.

use std::collections::BTreeMap;

use actix_web::web;
use serde::Serialize;

use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::clock::{parse_rfc3339, rfc3339};
use crate::ids::{MetricName, NodeName};
use crate::protocol::codes::Code;
use crate::store::SampleQuery;

/// The span of a history that names none.
const SPAN_MS: u64 = 15 * 60_000;

const METRIC_DEFAULT: &str = "cpu_percent";
const POINTS_DEFAULT: usize = 300;
const POINTS_MAX: usize = 1_920;

/// The newest samples of a node.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Current {
    /// The node's name.
    pub node: String,
    /// When they were sampled, RFC 3339.
    pub timestamp: String,
    /// How long ago that was.
    pub age_ms: u64,
    /// The metrics of the host as a whole, each a member beside these.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
}

/// One metric over time.
#[derive(Serialize, utoipa::ToSchema)]
pub struct History {
    /// The node's name.
    pub node: String,
    /// The metric's name.
    pub metric: String,
    /// Begin of the span, RFC 3339.
    pub since: String,
    /// End of the span, RFC 3339.
    pub until: String,
    /// Samples within so much time are averaged to one point.
    pub resolution_ms: u64,
    /// `[unix_ms, value]`, oldest first.
    #[schema(value_type = Vec<Vec<f64>>)]
    pub points: Vec<(u64, f64)>,
}

/// The newest samples of a node; the hub's own when none is named.
#[utoipa::path(get, path = "/api/v1/streaming/metrics/current", tag = "metrics",
    params(("node" = Option<String>, Query, description = "The node's name")),
    responses((status = 200, body = Current, description = "The newest samples"), super::openapi::Refused))]
pub async fn current(
    state: web::Data<State>,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Current>, Problem> {
    let node = node(&state, &mut query);
    query.check()?;
    let Some(view) = state.fleet.view(&node, &asked.0).await? else {
        return Err(Problem::new(Code::NotFound, format!("no node {node} is known")));
    };
    let Some(timestamp) = view.sampled_at else {
        return Err(Problem::new(
            Code::NotFound,
            format!("nothing was sampled on {node} since the hub started"),
        ));
    };
    let now_ms = state.services.clock.unix_ms();
    let age_ms = now_ms.saturating_sub(parse_rfc3339(&timestamp).unwrap_or(now_ms));
    Ok(web::Json(Current { node: node.to_string(), timestamp, age_ms, metrics: view.metrics }))
}

/// One metric of a node over a span, averaged to points.
#[utoipa::path(get, path = "/api/v1/streaming/metrics/history", tag = "metrics",
    params(
        ("node" = Option<String>, Query, description = "The node's name; the hub's own when left out"),
        ("metric" = Option<String>, Query, description = "The metric's name; `cpu_percent` when left out"),
        ("since" = Option<String>, Query, description = "RFC 3339 or Unix milliseconds; 15 minutes before `until` when left out"),
        ("until" = Option<String>, Query, description = "RFC 3339 or Unix milliseconds; now when left out"),
        ("points" = Option<usize>, Query, minimum = 1, maximum = 1920, description = "At most so many points; 300 when left out"),
    ),
    responses((status = 200, body = History, description = "The points"), super::openapi::Refused))]
pub async fn history(state: web::Data<State>, mut query: Query) -> Result<web::Json<History>, Problem> {
    let node = node(&state, &mut query);
    let metric = query.parsed("metric", |text| MetricName::parse(text).map(|name| name.to_string()));
    let metric = metric.unwrap_or_else(|| METRIC_DEFAULT.to_owned());
    let until_ms = query.moment("until").unwrap_or_else(|| state.services.clock.unix_ms());
    let since_ms = query.moment("since").unwrap_or_else(|| until_ms.saturating_sub(SPAN_MS));
    let points = query.number("points", 1..=POINTS_MAX, POINTS_DEFAULT);
    if since_ms > until_ms {
        query.refuse("since", "must not be later than `until`");
    }
    query.check()?;
    let asked = SampleQuery {
        node: node.to_string(),
        metric: metric.clone(),
        labels: BTreeMap::new(),
        since_ms,
        until_ms,
        points,
    };
    let series = state.store.query_samples(asked).await?;
    Ok(web::Json(History {
        node: node.to_string(),
        metric,
        since: rfc3339(since_ms),
        until: rfc3339(until_ms),
        resolution_ms: series.resolution_ms,
        points: series.points,
    }))
}

fn node(state: &State, query: &mut Query) -> NodeName {
    let asked = query.parsed("node", NodeName::parse);
    let own = || NodeName::parse(&state.services.hub.node).unwrap_or_else(|_unset| NodeName::hub());
    asked.unwrap_or_else(own)
}
