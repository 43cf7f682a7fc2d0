//! What a client asks of rooms.

use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use super::{ConnectionActor, Failure};
use crate::auth::permission;
use crate::broker::Draft;
use crate::connection::hold::Answer;
use crate::ids::{RoomName, TopicName};
use crate::protocol::client::{JoinRoom, Room, RoomMessage};
use crate::protocol::codes::Code;
use crate::protocol::server;
use crate::room::{Join, Members};
use crate::telemetry::Cause;

impl ConnectionActor {
    pub(super) fn join_room(
        &mut self,
        wanted: &JoinRoom<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let room = RoomName::parse(&wanted.room)?;
        let info = self.info(wanted.info)?;
        let (identity, claims) = (self.seat.identity.borrow().clone(), self.seat.claims());
        let topic = TopicName::of_room(&room);
        if !permission::may_subscribe(&claims, Some(identity.client_id.as_str()), topic.as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to join {room}")));
        }
        let rooms_max = self.shard.services.settings.rooms_max;
        let newly = !self.seat.rooms.borrow().contains(&room);
        if newly && self.seat.rooms.borrow().len() >= rooms_max {
            let message = format!("a connection may be in at most {rooms_max} rooms");
            return Err(Failure::new(Code::TooManyRooms, message));
        }
        let request = self.request();
        let answer = Answer::RoomJoined { room: room.clone(), newly };
        self.seat.hold(request, reply_to.map(Box::from), answer, 1, Vec::new());
        let join = Join {
            client_id: identity.client_id.shared(),
            subject: claims.sub.as_str().into(),
            info,
            outlet: self.shard.outlet.clone(),
            member: self.seat.member,
            request,
        };
        if let Err(error) = self.shard.services.rooms.join(&room, join, cause) {
            self.seat.unhold(request);
            return Err(Failure::new(error.code(), error.to_string()));
        }
        if newly {
            self.seat.rooms.borrow_mut().push(room);
        }
        Ok(())
    }

    pub(super) fn leave_room(
        &self,
        wanted: &Room<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let room = RoomName::parse(&wanted.room)?;
        self.in_room(&room)?;
        self.seat.rooms.borrow_mut().retain(|known| *known != room);
        self.shard.unsubscribe(&self.seat, TopicName::of_room(&room).as_str());
        self.shard.part(&self.seat, &room, false, cause);
        let payload = json!({ "room": room });
        self.seat.reply(&server::control("room_left", self.now_ms(), reply_to, &payload));
        Ok(())
    }

    /// Who is in a room, for whoever may listen to it.
    pub(super) fn presence(&self, wanted: &Room<'_>, reply_to: Option<&str>) -> Result<(), Failure> {
        let room = RoomName::parse(&wanted.room)?;
        let (claims, client_id) = (self.seat.claims(), self.seat.identity.borrow().client_id.shared());
        if !permission::may_subscribe(&claims, Some(&client_id), TopicName::of_room(&room).as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to see who is in {room}")));
        }
        let known = self.shard.services.rooms.members(&room);
        let Members { members, total, truncated } = known.unwrap_or_default();
        let payload = json!({ "room": room, "members": members, "total": total, "truncated": truncated });
        self.seat.reply(&server::control("presence", self.now_ms(), reply_to, &payload));
        Ok(())
    }

    /// What a client shows of itself: an object that is not too long; null is nothing.
    fn info(&self, given: Option<&RawValue>) -> Result<Option<Arc<RawValue>>, Failure> {
        let Some(given) = given.filter(|given| given.get() != "null") else { return Ok(None) };
        let (bytes, bytes_max) = (given.get().len(), self.shard.services.rooms.info_bytes_max());
        if !given.get().starts_with('{') || bytes > bytes_max {
            let message = format!(
                "`info` must be an object of at most {bytes_max} bytes, not {bytes} bytes of {:.20}",
                given.get()
            );
            return Err(Failure::new(Code::InvalidField, message));
        }
        Ok(Some(given.to_owned().into()))
    }

    fn in_room(&self, room: &RoomName) -> Result<(), Failure> {
        if self.seat.rooms.borrow().contains(room) {
            return Ok(());
        }
        Err(Failure::new(Code::NotInRoom, format!("not a member of {room}; join it first")))
    }

    pub(super) fn room_message(
        &mut self,
        said: &RoomMessage<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let room = RoomName::parse(&said.room)?;
        self.in_room(&room)?;
        let topic = TopicName::of_room(&room);
        let claims = self.seat.claims();
        if !permission::may_publish(&claims, topic.as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to speak in {room}")));
        }
        let from = self.seat.identity.borrow().client_id.clone();
        let payload =
            json!({ "room": room, "from": { "client_id": from, "subject": claims.sub }, "data": said.data });
        let draft = Draft::of(&payload).map_err(|e| Failure::new(Code::InvalidField, e.to_string()))?;
        let services = self.shard.services.clone();
        let Some(guarded) = self.enter(&services, &topic, None, reply_to) else { return Ok(()) };
        let reply = self.reply_route(reply_to, "room_message_sent");
        let published = services.broker.publish(&topic, draft, reply, cause);
        guarded.told(&published);
        published.map_err(|error| Failure::new(error.code(), error.to_string()))
    }
}
