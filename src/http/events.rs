//! Events: publishing one over HTTP, what was published lately ([`recent`]), what waits for a client
//! ([`offline`]), and shared state ([`sync`]).

pub mod offline;
pub mod recent;
pub mod sync;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::guard::Caller;
use super::problem::Problem;
use super::state::State;
use super::trace::Asked;
use crate::auth::permission;
use crate::breaker::Subsystem;
use crate::broker::{Draft, Guarded};
use crate::connection::Services;
use crate::connection::session::Personal;
use crate::ids::{ClientId, TopicName};
use crate::ownership::Fence;
use crate::protocol::codes::Code;
use crate::protocol::priority::Priority;
use crate::telemetry::Cause;
use crate::topic::Published;

/// Where events without a topic go.
const TOPIC_DEFAULT: &str = "events";

/// Longest type of an event, in bytes.
const TYPE_BYTES_MAX: usize = 128;

/// Longest key that is looked at, in bytes; the setting `topic.key_bytes_max` is stricter.
const KEY_BYTES_MAX: usize = 4_096;

/// An event to publish.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewEvent {
    /// What it is, e.g. `deployment.finished`.
    r#type: String,
    /// Anything; subscribers get it unchanged.
    payload: serde_json::Value,
    /// A client whose queue gets it too, if it has a session.
    client_id: Option<String>,
    /// Topic; `events` when left out.
    topic: Option<String>,
    /// `critical`, `normal` or `low`; the topic's own when left out.
    priority: Option<String>,
    /// What it is the newest value of.
    key: Option<String>,
}

/// Where an event ended up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PublishedEvent {
    /// Identity of the message.
    pub id: String,
    /// Its topic.
    #[schema(value_type = String)]
    pub topic: Arc<str>,
    /// The topic's epoch.
    #[schema(value_type = String)]
    pub epoch: Arc<str>,
    /// Position in the epoch.
    pub offset: u64,
    /// Whether it also waits in the queue of a client.
    pub queued: bool,
}

/// Publishes an event. Answered when the topic has it, and the store, where the topic is kept there.
#[utoipa::path(post, path = "/api/v1/events/publish", tag = "events", request_body = NewEvent,
    responses((status = 202, body = PublishedEvent, description = "Taken by the topic"), super::openapi::Refused))]
pub async fn publish(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let Asked(cause) = asked;
    let (topic, client_id, draft) = read_event(&body)?;
    let queue = client_id.map(|id| TopicName::parse(&Personal::Client.topic(id.as_str(), ""))).transpose()?;
    for topic in std::iter::once(&topic).chain(&queue) {
        if !permission::may_publish(&caller.0, topic.as_str()) {
            return Err(Problem::new(Code::Forbidden, format!("not allowed to publish to {topic}")));
        }
    }
    let services = &state.services;
    for topic in std::iter::once(&topic).chain(&queue) {
        services.find_queue(topic).await;
    }
    if !services.keep_queue_of(&topic) {
        return Err(Problem::new(
            Code::NoSession,
            format!("{topic} is the queue of nobody who has a session"),
        ));
    }
    let mut queued = false;
    if let Some(queue) = queue.filter(|queue| services.keep_queue_of(queue)) {
        guarded(services, &queue, draft.clone(), &cause).await?;
        queued = true;
    }
    let published = guarded(services, &topic, draft, &cause).await?;
    let Published { id, topic, epoch, offset } = published;
    Ok(HttpResponse::Accepted().json(PublishedEvent { id, topic, epoch, offset, queued }))
}

/// Publishes by leave of the breakers, and tells them how it went.
async fn guarded(
    services: &Services,
    topic: &TopicName,
    draft: Draft,
    cause: &Cause,
) -> Result<Published, Problem> {
    let guarded = Guarded::enter(&services.breakers, Some(Subsystem::Events), services.broker.kind(topic))?;
    let published = services.broker.publish_and_wait(topic, draft, cause).await;
    guarded.told(&published);
    Ok(published?)
}

fn read_event(body: &Body) -> Result<(TopicName, Option<ClientId>, Draft), Problem> {
    let mut fields = body.fields(false)?;
    let event_type = fields.text("type", 1..=TYPE_BYTES_MAX);
    let payload = fields.any("payload").map(ToOwned::to_owned);
    let topic = fields.optional_text("topic", 1..=TopicName::CHARS_MAX);
    let topic = match TopicName::parse(topic.as_deref().unwrap_or(TOPIC_DEFAULT)) {
        Ok(topic) => topic,
        Err(error) => {
            fields.refuse("topic", error.to_string());
            TopicName::well_known(TOPIC_DEFAULT)
        }
    };
    let key = fields.optional_text("key", 1..=KEY_BYTES_MAX);
    let priority = fields.optional_text("priority", 1..=16);
    let priority = priority.and_then(|name| {
        let known = Priority::parse(&name);
        if known.is_none() {
            fields.refuse("priority", "must be critical, normal or low");
        }
        known
    });
    let client_id = fields.optional_text("client_id", 1..=ClientId::CHARS_MAX);
    let client_id = client_id.and_then(|id| match ClientId::parse(&id) {
        Ok(id) => Some(id),
        Err(error) => {
            fields.refuse("client_id", error.to_string());
            None
        }
    });
    fields.check()?;
    let draft = Draft {
        fence: Fence::Alone,
        payload: payload.unwrap_or_else(|| RawValue::NULL.to_owned()),
        priority,
        key: key.map(Arc::from),
        event_type: event_type.map(Arc::from),
    };
    Ok((topic, client_id, draft))
}
