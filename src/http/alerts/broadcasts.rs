//! What was told to everybody who subscribes to the severity of an alert; and an alert from outside, answered with where
//! it was told.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;

use super::posting::{NewAlert, allow, post, read};
use crate::alert::{Alert, SEVERITIES, Severity};
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::page::{Asked as AskedPage, Page, encode};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::rooms::json_text;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::protocol::codes::Code;

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

/// What became of an alert.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TakenAlert)]
pub struct Taken {
    /// The alert.
    pub alert: Alert,
    /// Where it is published.
    pub topic: String,
    /// The topic's epoch; null while it waits, and when it was open already.
    #[schema(value_type = Option<String>)]
    pub epoch: Option<Arc<str>>,
    /// Position in the epoch; null while it waits, and when it was open already.
    pub offset: Option<u64>,
    /// Whether its broadcast waits in the store for the breaker of alerts to close.
    pub queued: bool,
    /// How many broadcasts wait with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// What was broadcast, newest first.
#[utoipa::path(get, path = "/api/v1/streaming/alerts", tag = "alerts",
    params(crate::http::openapi::PageParams,
        ("severity" = Option<String>, Query, description = "Of this severity only")),
    responses((status = 200, body = Page<Broadcast>, description = "Broadcasts"), crate::http::openapi::Refused))]
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

/// Takes an alert from outside and broadcasts it: 201. One that is open already is counted on and not told again: 200.
/// 202 when it waits in the store for the breaker of alerts to close.
#[utoipa::path(post, path = "/api/v1/streaming/alerts", tag = "alerts", request_body = NewAlert,
    responses((status = 201, body = Taken, description = "Broadcast"),
        (status = 200, body = Taken, description = "It was open already"),
        (status = 202, body = Taken, description = "Queued until alerts recover"), crate::http::openapi::Refused))]
pub async fn create(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let posted = read(body.fields(false)?)?;
    allow(&caller, posted.text.severity)?;
    let (mut answer, taken) = post(&state, posted, &caller, &asked.0).await?;
    let waiting = state.services.alerts.waiting() as u64;
    let (epoch, offset) = taken.published.map(|at| (at.epoch, at.offset)).unzip();
    Ok(answer.json(Taken {
        topic: taken.alert.severity.topic().to_string(),
        alert: taken.alert,
        epoch,
        offset,
        queued: taken.waits,
        position: taken.waits.then_some(waiting.max(1)),
    }))
}
