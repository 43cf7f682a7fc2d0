//! Rooms: which there are, who is in, what was said.

use std::sync::Arc;

use actix_web::web;
use serde::Serialize;
use serde_json::value::RawValue;

use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::ids::{RoomName, TopicName};
use crate::protocol::codes::Code;
use crate::room::actor::HISTORY_ON_JOIN;
use crate::room::rooms::RoomRow;
use crate::room::{Members, RoomMember};
use crate::store::Event;
use crate::telemetry::Cause;
use crate::topic::log::Stored;

/// One room with its members.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Room {
    /// Its name.
    pub room: String,
    /// Who is in, by client id; the first ones when there are many.
    pub members: Vec<RoomMember>,
    /// How many are in.
    pub total: usize,
    /// Whether there are more than are listed.
    pub truncated: bool,
    /// The room's topic.
    pub topic: String,
    /// The topic's epoch; null before the first message.
    #[schema(value_type = Option<String>)]
    pub epoch: Option<Arc<str>>,
    /// Offset of the newest message; 0 before the first.
    pub offset: u64,
}

/// One message of a room.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RoomMessage {
    /// Identity of the message.
    pub id: String,
    /// Position in the topic's epoch.
    pub offset: u64,
    /// When the hub took it, RFC 3339.
    pub timestamp: String,
    /// What it is the newest value of.
    pub key: Option<String>,
    /// What was said, and by whom.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

impl RoomMessage {
    fn kept(event: Event) -> Self {
        let Event { offset, id, ts_ms, key, payload, priority: _, kind: _ } = event;
        Self { id, offset, timestamp: rfc3339(ts_ms), key, payload: json_text(&payload) }
    }

    fn held(message: &Stored) -> Self {
        Self {
            id: message.id.to_string(),
            offset: message.offset,
            timestamp: rfc3339(message.unix_ms),
            key: message.key.as_ref().map(ToString::to_string),
            payload: json_text(message.payload_text().as_bytes()),
        }
    }
}

/// JSON text as it is; what is not JSON, as only a damaged database has it, reads as null.
pub(super) fn json_text(bytes: &[u8]) -> Box<RawValue> {
    serde_json::from_slice(bytes).unwrap_or_else(|_damaged| RawValue::NULL.to_owned())
}

/// Rooms that somebody is in, by name.
#[utoipa::path(get, path = "/api/v1/connections/rooms", tag = "rooms",
    params(super::openapi::PageParams),
    responses((status = 200, body = Page<RoomRow>, description = "Rooms"), super::openapi::Refused))]
pub async fn list(state: web::Data<State>, mut query: Query) -> Result<web::Json<Page<RoomRow>>, Problem> {
    let page = AskedPage::read(&mut query, |key| RoomName::parse(key).is_ok());
    query.check()?;
    let rooms = state.services.rooms.page(page.after.as_deref(), page.limit + 1);
    Ok(web::Json(page.page(rooms, |room| room.room.clone())))
}

/// One room that somebody is in.
#[utoipa::path(get, path = "/api/v1/connections/rooms/{room}", tag = "rooms",
    params(("room" = String, Path, description = "The room's name")),
    responses((status = 200, body = Room, description = "The room"), super::openapi::Refused))]
pub async fn one(
    state: web::Data<State>,
    room: web::Path<String>,
    asked: Asked,
) -> Result<web::Json<Room>, Problem> {
    let room = RoomName::parse(&room)?;
    let Some(Members { members, total, truncated }) = state.services.rooms.members(&room) else {
        return Err(Problem::new(Code::NotFound, format!("nobody is in the room {room}")));
    };
    let topic = TopicName::of_room(&room);
    let (epoch, offset) = position(&state, &topic, &asked.0).await?;
    let (room, topic) = (room.to_string(), topic.to_string());
    Ok(web::Json(Room { room, members, total, truncated, topic, epoch, offset }))
}

/// Epoch and newest offset of a topic that is kept in the store, open or not.
pub(super) async fn position(
    state: &State,
    topic: &TopicName,
    cause: &Cause,
) -> Result<(Option<Arc<str>>, u64), Problem> {
    Ok(match state.services.broker.find(topic) {
        Some(handle) => {
            let view = handle.view(0, cause).await?;
            (Some(view.epoch), view.offset)
        }
        None => match state.store.topic_head(topic.as_str()).await? {
            Some(head) => (Some(head.epoch.into()), head.last_offset),
            None => (None, 0),
        },
    })
}

/// The newest messages of a room, oldest first. A room keeps them while nobody is in.
#[utoipa::path(get, path = "/api/v1/connections/rooms/{room}/history", tag = "rooms",
    params(("room" = String, Path, description = "The room's name")),
    responses((status = 200, body = Page<RoomMessage>, description = "Messages"), super::openapi::Refused))]
pub async fn history(
    state: web::Data<State>,
    caller: Caller,
    room: web::Path<String>,
    asked: Asked,
) -> Result<web::Json<Page<RoomMessage>>, Problem> {
    let room = RoomName::parse(&room)?;
    let topic = TopicName::of_room(&room);
    if !permission::may_subscribe(&caller.0, None, topic.as_str()) {
        return Err(Problem::new(Code::Forbidden, format!("not allowed to read the room {room}")));
    }
    let items: Vec<RoomMessage> = match state.services.broker.find(&topic) {
        Some(handle) => {
            handle.view(HISTORY_ON_JOIN, &asked.0).await?.messages.iter().map(RoomMessage::held).collect()
        }
        None => {
            let kept = state.store.tail_events(topic.as_str(), HISTORY_ON_JOIN, None).await?;
            kept.into_iter().map(RoomMessage::kept).collect()
        }
    };
    if items.is_empty() && state.services.rooms.members(&room).is_none() {
        return Err(Problem::new(Code::NotFound, format!("there is no room {room}")));
    }
    Ok(web::Json(Page { items, next_cursor: None }))
}
