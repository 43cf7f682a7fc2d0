//! What waits for a client in its queue.

use actix_web::web;
use serde::Serialize;

use super::recent::Event;
use crate::auth::permission;
use crate::connection::session::Personal;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::ids::{ClientId, TopicName};
use crate::protocol::codes::Code;

/// The queue of a client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfflineQueue {
    /// Whose.
    pub client_id: String,
    /// Messages that are not acknowledged, oldest first, `limit` at most.
    pub messages: Vec<Event>,
    /// How many there are in all.
    pub queued: usize,
    /// Everything up to this offset is acknowledged.
    pub acked_offset: u64,
    /// Messages that went unseen because the queue was full or they were too old.
    pub dropped: u64,
}

/// What waits for a client in `client:{client_id}`. Its own subject may look, and whoever may read all queues.
#[utoipa::path(get, path = "/api/v1/events/offline/{client_id}", tag = "events",
    params(("client_id" = String, Path, description = "The session's name"),
        ("limit" = Option<usize>, Query, description = "1 to 500; 50 when left out")),
    responses((status = 200, body = OfflineQueue, description = "The queue"),
        crate::http::openapi::Refused))]
pub async fn queue(
    state: web::Data<State>,
    caller: Caller,
    client_id: web::Path<String>,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<OfflineQueue>, Problem> {
    let client_id = ClientId::parse(&client_id)?;
    let limit = query.number("limit", 1..=crate::http::page::LIMIT_MAX, crate::http::page::LIMIT_DEFAULT);
    query.check()?;
    let services = &state.services;
    let name = TopicName::parse(&Personal::Client.topic(client_id.as_str(), ""))?;
    services.look_at_session(&client_id).await;
    let subject = services.clients.subject(&client_id);
    let is_own = subject.as_deref() == Some(&*caller.0.sub);
    if !is_own && !permission::may_subscribe(&caller.0, None, name.as_str()) {
        return Err(Problem::new(Code::Forbidden, format!("not allowed to read the queue of {client_id}")));
    }
    let Some(session) = services.clients.session(&client_id) else {
        return Err(Problem::new(Code::NoSession, format!("{client_id} has no session, and so no queue")));
    };
    let taken = session.taken(Personal::Client);
    let acked_offset = taken.offset;
    let mut queue = OfflineQueue {
        client_id: client_id.to_string(),
        messages: Vec::new(),
        queued: 0,
        acked_offset,
        dropped: 0,
    };
    if services.broker.may_have_mail(&name) {
        let view = services.broker.open(&name)?.inbox(taken, &asked.0).await?;
        queue.dropped = view.waiting.dropped;
        queue.queued = view.waiting.messages.len();
        queue.messages = view.waiting.messages.iter().take(limit).map(|m| Event::held(&name, m)).collect();
    }
    Ok(web::Json(queue))
}
