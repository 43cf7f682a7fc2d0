//! Dead man's switches: whoever is to give a sign of life again and again. One that stays away is an alert.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::alerts::posting::allow;
use super::body::Body;
use super::definition::is_id;
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::{FieldError, Problem};
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::alert::heartbeats::{Beat, HeartbeatError};
use crate::alert::{SEVERITIES, Severity};
use crate::clock::rfc3339;
use crate::protocol::codes::Code;
use crate::store::HeartbeatRecord;
use crate::telemetry::Cause;

/// Shortest and longest interval, longest grace, in seconds.
const INTERVAL_S: std::ops::RangeInclusive<u64> = 1..=31 * 86_400;
const GRACE_S: std::ops::RangeInclusive<u64> = 0..=7 * 86_400;

/// A sign of life. What is left out stays as it was.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewBeat {
    /// Time to the next; 60 at first.
    interval_seconds: Option<u64>,
    /// How much later is still fine; 30 at first.
    grace_seconds: Option<u64>,
    /// Of the alert when it stays away; `error` at first.
    severity: Option<String>,
}

/// A heartbeat as it stands.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Heartbeat {
    /// Whose.
    pub name: String,
    /// `beating` or `missing`.
    pub state: &'static str,
    /// Time between beats.
    pub interval_seconds: u64,
    /// How much later is still fine.
    pub grace_seconds: u64,
    /// Of the alert when it stays away.
    pub severity: Option<Severity>,
    /// The newest beat, RFC 3339.
    pub beaten_at: String,
    /// When it is missing without another, RFC 3339.
    pub due_at: String,
    /// How many there were.
    pub beats: u64,
    /// The alert about its absence, while that lasts.
    pub alert_id: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
}

impl From<HeartbeatError> for Problem {
    fn from(error: HeartbeatError) -> Self {
        match error {
            HeartbeatError::Alert(error) => error.into(),
            error => match error.code() {
                Code::Internal => Self::internal(&error, &Cause::own()),
                code => Self::new(code, error.to_string()),
            },
        }
    }
}

fn view(state: &State, record: HeartbeatRecord) -> Heartbeat {
    let due_ms = state.heartbeats.due_ms(&record);
    Heartbeat {
        state: if record.alert_id.is_some() { "missing" } else { "beating" },
        interval_seconds: record.interval_ms / 1_000,
        grace_seconds: record.grace_ms / 1_000,
        severity: Severity::of_rank(record.severity),
        beaten_at: rfc3339(record.beaten_at_ms),
        due_at: rfc3339(due_ms),
        beats: record.beats,
        alert_id: record.alert_id,
        created_at: rfc3339(record.created_at_ms),
        created_by: record.created_by,
        name: record.name,
    }
}

/// Heartbeats by name.
#[utoipa::path(get, path = "/api/v1/heartbeats", tag = "heartbeats", params(super::openapi::PageParams),
    responses((status = 200, body = Page<Heartbeat>, description = "Heartbeats"), super::openapi::Refused))]
pub async fn list(state: web::Data<State>, mut query: Query) -> Result<web::Json<Page<Heartbeat>>, Problem> {
    let page = AskedPage::read(&mut query, is_id);
    query.check()?;
    let records = state.heartbeats.page(page.after.as_deref(), page.limit + 1);
    let page = page.page(records, |record| record.name.clone());
    let items = page.items.into_iter().map(|record| view(&state, record)).collect();
    Ok(web::Json(Page { items, next_cursor: page.next_cursor }))
}

/// One heartbeat.
#[utoipa::path(get, path = "/api/v1/heartbeats/{name}", tag = "heartbeats",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, body = Heartbeat, description = "As it stands"), super::openapi::Refused))]
pub async fn one(state: web::Data<State>, name: web::Path<String>) -> Result<web::Json<Heartbeat>, Problem> {
    let record = state.heartbeats.one(&name).ok_or(HeartbeatError::NotFound)?;
    Ok(web::Json(view(&state, record)))
}

/// Beats; the first one makes the heartbeat. One that stays away for interval and grace opens an alert, which the next
/// beat resolves.
#[utoipa::path(post, path = "/api/v1/heartbeats/{name}", tag = "heartbeats", request_body = NewBeat,
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, body = Heartbeat, description = "Noted"),
        (status = 201, body = Heartbeat, description = "Made"), super::openapi::Refused))]
pub async fn beat(
    state: web::Data<State>,
    caller: Caller,
    name: web::Path<String>,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    if !is_id(&name) {
        let detail = "must be 1 to 128 of A-Z a-z 0-9 . _ : -".to_owned();
        return Err(Problem::fields(
            Code::InvalidName,
            vec![FieldError { pointer: "/name".to_owned(), detail }],
        ));
    }
    let mut fields = body.fields(true)?;
    let mut seconds = |name, range: std::ops::RangeInclusive<u64>| {
        let given = fields.raw(name).is_some();
        let number = fields.number(name, range, 0);
        given.then_some(number * 1_000)
    };
    let (interval_ms, grace_ms) =
        (seconds("interval_seconds", INTERVAL_S), seconds("grace_seconds", GRACE_S));
    let severity = fields.optional_word("severity", &SEVERITIES).and_then(Severity::parse);
    fields.check()?;
    allow(&caller, severity.unwrap_or(Severity::Error))?;
    let beat = Beat { interval_ms, grace_ms, severity };
    let (record, is_first) = state.heartbeats.beat(&name, beat, &caller.0.sub, &asked.0).await?;
    let mut answer = if is_first { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(view(&state, record)))
}

/// Forgets a heartbeat; the alert about its absence ends.
#[utoipa::path(delete, path = "/api/v1/heartbeats/{name}", tag = "heartbeats",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "Forgotten"), super::openapi::Refused))]
pub async fn forget(
    state: web::Data<State>,
    caller: Caller,
    name: web::Path<String>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    state.heartbeats.forget(&name, &caller.0.sub, &asked.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
