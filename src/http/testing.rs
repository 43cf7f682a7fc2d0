//! Load tests: started, stopped, read.

use std::ops::RangeInclusive;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::body::{Body, Fields};
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::auth::permission;
use crate::lab::runs::actor::TOPIC;
use crate::lab::runs::{NewRun, RunId, Scenario, StoredRun};
use crate::protocol::codes::Code;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// A load test to start. Bounds are those of the section `[lab]` of the settings.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewLoadTest {
    /// What it is called.
    name: String,
    /// How many clients connect.
    connections: u64,
    /// How long messages are published, in seconds; 3 when left out.
    duration_s: Option<u64>,
    /// Messages a second; 10 when left out.
    rate_hz: Option<u64>,
    /// Bytes of their payload; 200 when left out.
    payload_bytes: Option<u64>,
    /// `paced` (when left out), `fanout`, `storm`, `reconnect`, `slow_reader`, `churn`, `ingest`, `mixed` or `soak`.
    scenario: Option<String>,
    /// How often clients reconnect in all, of scenario `reconnect`; 200 when left out.
    reconnects: Option<u64>,
    /// Whether the answer is the run when it is over; true when left out.
    wait: Option<bool>,
}

/// Rapid reconnects to start.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewReconnects {
    /// How often clients reconnect in all; 200 when left out.
    reconnects: Option<u64>,
    /// How many clients do; 20 when left out.
    connections: Option<u64>,
    /// Whether the answer is the run when it is over; true when left out.
    wait: Option<bool>,
}

/// The least and the most that may be asked for.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LoadTestBound)]
pub struct Bound {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl From<&RangeInclusive<u64>> for Bound {
    fn from(range: &RangeInclusive<u64>) -> Self {
        Self { min: *range.start(), max: *range.end() }
    }
}

/// What this hub takes of a load test: the section `[lab]` of its settings, within its own limits.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LoadTestLimits {
    /// Clients.
    pub connections: Bound,
    /// How long messages are published, in seconds.
    pub duration_s: Bound,
    /// Messages a second.
    pub rate_hz: Bound,
    /// Bytes of their payload.
    pub payload_bytes: Bound,
    /// How often clients reconnect in all.
    pub reconnects: Bound,
    /// What is different for one scenario, each in turn.
    pub scenarios: Vec<ScenarioLimits>,
}

/// What this hub takes of one scenario.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ScenarioLimits {
    /// The scenario.
    pub name: &'static str,
    /// Clients at most.
    pub connections_max: u64,
    /// Why it is refused whatever its numbers; null when it is not.
    pub refusal: Option<&'static str>,
}

/// The bounds of what may be asked for.
#[utoipa::path(get, path = "/api/v1/testing/limits", tag = "testing",
    responses((status = 200, body = LoadTestLimits, description = "The bounds"), super::openapi::Refused))]
pub async fn limits(state: web::Data<State>, caller: Caller) -> Result<web::Json<LoadTestLimits>, Problem> {
    may_read(&caller)?;
    let limits = state.load_tests.limits();
    let scenarios = Scenario::ALL.into_iter().map(|scenario| ScenarioLimits {
        name: scenario.name(),
        connections_max: *limits.connections_of(scenario).end(),
        refusal: limits.refusal(scenario),
    });
    Ok(web::Json(LoadTestLimits {
        connections: (&limits.connections).into(),
        duration_s: (&limits.duration_s).into(),
        rate_hz: (&limits.rate_hz).into(),
        payload_bytes: (&limits.payload_bytes).into(),
        reconnects: (&limits.reconnects).into(),
        scenarios: scenarios.collect(),
    }))
}

/// Puts load on this hub, by a process of its own: clients that publish to each other and count what arrives. One at
/// a time. How it goes is told on topic `testing`.
#[utoipa::path(post, path = "/api/v1/testing/start", tag = "testing", request_body = NewLoadTest,
    responses((status = 200, body = StoredRun, description = "The run, which is over"),
        (status = 202, body = StoredRun, description = "The run, which has begun (`wait` is false)"),
        super::openapi::Refused))]
pub async fn start(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let limits = state.load_tests.limits();
    let mut fields = body.fields(false)?;
    let named = fields.optional_word("scenario", &Scenario::ALL.map(Scenario::name));
    let scenario = named.and_then(Scenario::named).unwrap_or(Scenario::Paced);
    let new = NewRun {
        name: fields.text("name", 1..=NAME_BYTES_MAX).unwrap_or_default(),
        scenario,
        connections: fields.given_number("connections", limits.connections_of(scenario)),
        duration_s: fields.number("duration_s", limits.duration_s.clone(), 3),
        rate_hz: fields.number("rate_hz", limits.rate_hz.clone(), 10),
        payload_bytes: fields.number("payload_bytes", limits.payload_bytes.clone(), 200),
        reconnects: fields.number("reconnects", limits.reconnects.clone(), 200),
    };
    if let Some(why) = limits.refusal(scenario) {
        fields.refuse("scenario", why);
    }
    carry_out(&state, &caller, fields, new, &asked).await
}

/// Cuts off clients and lets them reconnect, again and again while messages are published: how many come back, how
/// fast, and what they miss.
#[utoipa::path(post, path = "/api/v1/testing/chaos/reconnect", tag = "testing", request_body = NewReconnects,
    responses((status = 200, body = StoredRun, description = "The run, which is over"),
        (status = 202, body = StoredRun, description = "The run, which has begun (`wait` is false)"),
        super::openapi::Refused))]
pub async fn reconnect(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let limits = state.load_tests.limits();
    let mut fields = body.fields(true)?;
    let new = NewRun {
        name: "rapid reconnects".to_owned(),
        scenario: Scenario::Reconnect,
        connections: fields.number("connections", limits.connections.clone(), 20),
        duration_s: 3,
        rate_hz: 50,
        payload_bytes: 200,
        reconnects: fields.number("reconnects", limits.reconnects.clone(), 200),
    };
    carry_out(&state, &caller, fields, new, &asked).await
}

/// Ends a run before its time; it is over soon after.
#[utoipa::path(post, path = "/api/v1/testing/runs/{id}/stop", tag = "testing",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = 202, description = "It is told to end"), super::openapi::Refused))]
pub async fn stop(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    may_cause(&caller, "stop")?;
    state.load_tests.stop(run_id(&id)?, &asked.0).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Runs, the newest first, without phases and histogram.
#[utoipa::path(get, path = "/api/v1/testing/runs", tag = "testing", params(super::openapi::PageParams),
    responses((status = 200, body = Page<StoredRun>, description = "Runs"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
) -> Result<web::Json<Page<StoredRun>>, Problem> {
    let page = AskedPage::read(&mut query, |key| RunId::parse(key).is_some());
    query.check()?;
    may_read(&caller)?;
    let runs = state.load_tests.page(page.after.as_deref(), page.limit + 1).await?;
    Ok(web::Json(page.page(runs, |run| run.id.to_string())))
}

/// One run; as it stands while it is under way.
#[utoipa::path(get, path = "/api/v1/testing/runs/{id}", tag = "testing",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = 200, body = StoredRun, description = "The run"), super::openapi::Refused))]
pub async fn one(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<web::Json<StoredRun>, Problem> {
    may_read(&caller)?;
    Ok(web::Json(state.load_tests.one(run_id(&id)?).await?))
}

/// Starts a run with what is left of the fields of its request.
async fn carry_out(
    state: &State,
    caller: &Caller,
    mut fields: Fields<'_>,
    new: NewRun,
    asked: &Asked,
) -> Result<HttpResponse, Problem> {
    let wait = fields.flag_or("wait", true);
    fields.check()?;
    may_cause(caller, "start")?;
    if state.is_draining() {
        return Err(Problem::new(Code::Draining, "the hub is stopping"));
    }
    let limits = state.load_tests.limits();
    // What was left out is also within the bounds.
    let new = NewRun {
        duration_s: new.duration_s.min(*limits.duration_s.end()),
        rate_hz: new.rate_hz.min(*limits.rate_hz.end()),
        payload_bytes: new.payload_bytes.min(*limits.payload_bytes.end()),
        connections: new.connections.min(*limits.connections.end()),
        reconnects: new.reconnects.min(*limits.reconnects.end()),
        ..new
    };
    let started = state.load_tests.start(new, &caller.0.sub, &asked.0).await?;
    let location = (header::LOCATION, format!("/api/v1/testing/runs/{}", started.run.id));
    if wait {
        return Ok(HttpResponse::Ok().insert_header(location).json(started.over().await?));
    }
    Ok(HttpResponse::Accepted().insert_header(location).json(started.run))
}

fn may_cause(caller: &Caller, what: &str) -> Result<(), Problem> {
    allow(permission::may_cause(&caller.0, TOPIC), what)
}

fn may_read(caller: &Caller) -> Result<(), Problem> {
    allow(permission::may_subscribe(&caller.0, None, TOPIC), "read")
}

fn allow(is_allowed: bool, what: &str) -> Result<(), Problem> {
    let why = || format!("the token is not for topic {TOPIC}: it may not {what} load tests");
    is_allowed.then_some(()).ok_or_else(|| Problem::new(Code::Forbidden, why()))
}

fn run_id(text: &str) -> Result<RunId, Problem> {
    RunId::parse(text)
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no run of this id; ids are UUIDs"))
}
