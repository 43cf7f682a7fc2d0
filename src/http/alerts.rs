//! Alerts: those that are kept ([`search`], [`one`], [`statistics`], [`export`]), those that are posted ([`posting`]), what
//! people do to them ([`by_hand`]); and broadcasts to everybody who subscribes to their severity.

pub mod broadcast;
pub mod by_hand;
pub mod export;
pub mod one;
pub mod posting;
pub mod search;
pub mod statistics;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page, encode};
use super::problem::Problem;
use super::query::Query;
use super::rooms::json_text;
use super::state::State;
use super::trace::Asked;
use crate::alert::{SEVERITIES, Severity};
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::protocol::codes::Code;

pub use broadcast::{Alert, Queue, Taken, post, release};

/// Longest title, message and service, in bytes; most labels, longest label.
const TITLE_BYTES_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 4_096;
const SERVICE_BYTES_MAX: usize = 128;
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 256;

/// An alert to broadcast.
#[derive(utoipa::ToSchema)]
#[schema(as = NewBroadcast)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewAlert {
    /// `critical`, `error`, `warning` or `info`.
    severity: String,
    /// In a few words.
    title: String,
    /// What happened.
    message: String,
    /// What it is about.
    service: Option<String>,
    /// Texts by name.
    labels: Option<BTreeMap<String, String>>,
}

/// One broadcast in a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Broadcast {
    /// Its topic.
    pub topic: String,
    /// The topic's epoch.
    pub epoch: String,
    /// Position in the epoch.
    pub offset: u64,
    /// Identity of the message.
    pub id: String,
    /// When the hub took it, RFC 3339.
    pub timestamp: String,
    /// The alert and its transition.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

/// What was broadcast, newest first.
#[utoipa::path(get, path = "/api/v1/streaming/alerts", tag = "alerts",
    params(super::openapi::PageParams,
        ("severity" = Option<String>, Query, description = "Of this severity only")),
    responses((status = 200, body = Page<Broadcast>, description = "Broadcasts"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
) -> Result<web::Json<Page<Broadcast>>, Problem> {
    let page = AskedPage::read(&mut query, |key| key.parse::<u64>().is_ok());
    let severity = query.parsed("severity", |text| {
        Severity::parse(text).ok_or_else(|| format!("must be one of {}", SEVERITIES.join(", ")))
    });
    query.check()?;
    let asked = severity.map_or_else(|| Severity::ALL.to_vec(), |one| vec![one]);
    let topics: Vec<String> = asked
        .iter()
        .map(|severity| severity.topic())
        .filter(|topic| permission::may_subscribe(&caller.0, None, topic.as_str()))
        .map(|topic| topic.to_string())
        .collect();
    if topics.is_empty() {
        return Err(Problem::new(Code::Forbidden, "the token does not allow these alerts"));
    }
    let before = page.after.and_then(|row| row.parse().ok());
    let found = state.store.list_topics(topics, before, page.limit).await?;
    let items = found.items.into_iter().map(|row| Broadcast {
        topic: row.topic,
        epoch: row.epoch,
        offset: row.event.offset,
        id: row.event.id,
        timestamp: rfc3339(row.event.ts_ms),
        payload: json_text(&row.event.payload),
    });
    Ok(web::Json(Page {
        items: items.collect(),
        next_cursor: found.next.map(|row| encode(&row.to_string())),
    }))
}

/// Broadcasts an alert. Answered when it is in the store; 202 when it waits there for the breaker to close.
#[utoipa::path(post, path = "/api/v1/streaming/alerts", tag = "alerts", request_body = NewAlert,
    responses((status = 201, body = Taken, description = "Broadcast"),
        (status = 202, body = Taken, description = "Queued until alerts recover"), super::openapi::Refused))]
pub async fn create(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let (severity, alert) = read_alert(&body, state.services.clock.unix_ms())?;
    if !permission::may_cause(&caller.0, severity.topic().as_str()) {
        let detail = format!("the token does not allow alerts of severity {}", severity.as_str());
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let taken = post(&state, severity, alert, &caller.0.sub, "posted", &asked.0).await?;
    Ok(match taken.queued {
        false => HttpResponse::Created().json(taken),
        true => HttpResponse::Accepted().json(taken),
    })
}

fn read_alert(body: &Body, now_ms: u64) -> Result<(Severity, Alert), Problem> {
    let mut fields = body.fields(false)?;
    let severity = fields.word("severity", &SEVERITIES).and_then(Severity::parse);
    let title = fields.text("title", 1..=TITLE_BYTES_MAX);
    let message = fields.text("message", 1..=MESSAGE_BYTES_MAX);
    let service = fields.optional_text("service", 1..=SERVICE_BYTES_MAX);
    let labels = fields.optional_texts("labels", LABELS_MAX, LABEL_BYTES_MAX);
    fields.check()?;
    let severity = severity.unwrap_or(Severity::Info);
    let (title, message) = (title.unwrap_or_default(), message.unwrap_or_default());
    Ok((severity, Alert::firing(severity, title, message, service, labels, now_ms)))
}
