//! The actor of one room.
//!
//! A member is let in in one step of the room topic's order: the others hear `member_joined`, then the
//! newcomer is subscribed, with the members and the newest messages in the answer. Who is in is shared with
//! the directory and survives a crash.

use std::sync::Arc;

use actix::prelude::*;
use parking_lot::Mutex;
use serde_json::json;

use super::membership::{Membership, RoomMember};
use crate::broker::Broker;
use crate::clock::{Clock, rfc3339};
use crate::ids::{RoomName, TopicName};
use crate::protocol::priority::Priority;
use crate::protocol::server;
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::{Announce, Delivery, Member, Outlet, Subscribe, TopicError, TopicHandle};

/// Past messages that a newcomer gets.
pub const HISTORY_ON_JOIN: usize = 50;

/// Let a connection in. The answer comes through its outlet. Refused when the mailbox is full.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Join {
    /// The session's name.
    pub client_id: Arc<str>,
    /// Who it is.
    pub subject: Arc<str>,
    /// The connection's worker.
    pub outlet: Outlet,
    /// The connection.
    pub member: Member,
    /// Number of the request on that connection.
    pub request: u32,
}

/// Let a client out.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Part {
    /// The session's name.
    pub client_id: Arc<str>,
}

/// What a room is made of, again after each crash.
#[derive(Clone)]
pub struct RoomArgs {
    /// Its name.
    pub name: RoomName,
    /// Who is in; outlives the actor.
    pub membership: Arc<Mutex<Membership>>,
    /// Has the room's topic.
    pub broker: Broker,
    /// Time.
    pub clock: Clock,
}

/// One room.
pub struct RoomActor {
    args: RoomArgs,
}

impl RoomActor {
    /// The room with who is in.
    pub fn new(args: RoomArgs) -> Self {
        Self { args }
    }

    fn topic(&self) -> Result<TopicHandle, TopicError> {
        self.args.broker.open(&TopicName::of_room(&self.args.name))
    }

    fn announce(&self, topic: &TopicHandle, kind: &str, member: &RoomMember, cause: &Cause) {
        let payload = json!({ "room": self.args.name, "member": member });
        let frame = server::control(kind, self.args.clock.unix_ms(), None, &payload);
        if topic.announce(Announce { frame, priority: Priority::Normal }, cause).is_err() {
            Counter::Dropped.add_for("presence", 1);
        }
    }

    fn let_in(&self, join: Join, cause: &Cause) -> Result<(), (TopicError, Join)> {
        let topic = match self.topic() {
            Ok(topic) => topic,
            Err(error) => return Err((error, join)),
        };
        let joined_at = rfc3339(self.args.clock.unix_ms());
        let (client_id, subject) = (join.client_id.clone(), join.subject.clone());
        let member = RoomMember { client_id, subject, joined_at };
        if self.args.membership.lock().join(member.clone()) {
            self.announce(&topic, "member_joined", &member, cause);
        }
        let members: Vec<_> = self.args.membership.lock().members().cloned().collect();
        let attachment =
            serde_json::value::to_raw_value(&json!({ "room": self.args.name, "members": members }));
        let subscribe = Subscribe {
            outlet: join.outlet.clone(),
            member: join.member,
            request: join.request,
            recover: None,
            taken: None,
            filter: None,
            history: HISTORY_ON_JOIN,
            attachment: attachment.ok(),
        };
        topic.subscribe(subscribe, cause).map_err(|error| {
            self.args.membership.lock().leave(&join.client_id);
            (error, join)
        })
    }
}

impl Restart for RoomActor {
    const KIND: &'static str = "room";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(RoomActor);

impl Actor for RoomActor {
    type Context = Context<Self>;
}

impl Handler<Queued<Join>> for RoomActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Join>, _ctx: &mut Self::Context) {
        let cause = queued.cause.clone();
        if let Err((error, join)) = self.let_in(queued.msg, &cause) {
            let Join { outlet, member, request, .. } = join;
            outlet.offer(Delivery::SubscribeFailed { member, request, error });
        }
    }
}

impl Handler<Queued<Part>> for RoomActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Part>, _ctx: &mut Self::Context) {
        let Some(member) = self.args.membership.lock().leave(&queued.msg.client_id) else { return };
        match self.topic() {
            Ok(topic) => self.announce(&topic, "member_left", &member, &queued.cause),
            Err(error) => tracing::debug!(room = %self.args.name, %error, "leave not announced"),
        }
    }
}
