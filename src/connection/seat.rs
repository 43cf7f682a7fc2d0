//! What the worker knows of one connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::Identity;
use super::actor::ConnectionActor;
use super::hold::{Answer, Hold};
use super::outbox::NO_TOPIC;
use super::requests::FramesArrived;
use super::socket::Socket;
use crate::auth::Claims;
use crate::ids::RoomName;
use crate::protocol::codes::{Close, Code};
use crate::protocol::priority::Priority;
use crate::protocol::server;
use crate::supervision::Inbox;
use crate::telemetry::{Cause, Counter};
use crate::topic::{Member, TopicHandle};

/// One connection in the worker's table.
pub struct Seat {
    /// Which tenant of the slot.
    pub member: Member,
    /// The bytes.
    pub socket: Rc<Socket>,
    /// Who is on it. Claims change with `refresh`.
    pub identity: RefCell<Identity>,
    /// When it was opened, unix milliseconds.
    pub since_ms: u64,
    /// Subscribed topics.
    pub topics: RefCell<Vec<TopicHandle>>,
    /// Rooms it is in.
    pub rooms: RefCell<Vec<RoomName>>,
    /// Requests whose answer comes before messages.
    pub(super) holds: RefCell<Vec<Hold>>,
    /// Its actor; set right after the seat is taken.
    pub(super) actor: RefCell<Option<Inbox<ConnectionActor>>>,
    /// A wake-up is on its way to the actor.
    pub(super) actor_woken: Cell<bool>,
    /// Since when the outbox has not moved: (unix ms, bytes out at that time).
    pub(super) stuck_since: Cell<Option<(u64, u64)>>,
}

impl Seat {
    pub(super) fn new(member: Member, socket: Rc<Socket>, identity: Identity, since_ms: u64) -> Self {
        Self {
            member,
            socket,
            identity: RefCell::new(identity),
            since_ms,
            topics: RefCell::default(),
            rooms: RefCell::default(),
            holds: RefCell::default(),
            actor: RefCell::new(None),
            actor_woken: Cell::new(false),
            stuck_since: Cell::new(None),
        }
    }

    /// Sends an answer or a push that belongs to no topic.
    pub fn reply(&self, frame: &Bytes) {
        self.socket.send_one(NO_TOPIC, Priority::Normal, frame);
    }

    /// Sends an `error`.
    pub fn error(&self, code: Code, message: &str, reply_to: Option<&str>, now_ms: u64) {
        Counter::ErrorsSent.add_for(code.row().name, 1);
        self.reply(&server::error(code, message, now_ms, reply_to));
    }

    /// Opens a hold: the answer of `request` comes when `remaining` topics have answered.
    pub fn hold(&self, request: u32, reply_to: Option<Box<str>>, answer: Answer, remaining: usize) {
        self.holds.borrow_mut().push(Hold {
            request,
            reply_to,
            answer,
            remaining,
            topics: Vec::new(),
            room: None,
            history: Vec::new(),
            frames: Vec::new(),
            frames_bytes: 0,
        });
    }

    /// Takes a hold back whose request could not be sent on.
    pub fn unhold(&self, request: u32) {
        self.holds.borrow_mut().retain(|hold| hold.request != request);
    }

    pub(super) fn send_or_hold(&self, topic: u32, frames: &[(Bytes, Priority)], joined: &Bytes) {
        let mut holds = self.holds.borrow_mut();
        match holds.iter_mut().find(|hold| hold.covers(topic)) {
            Some(hold) => {
                hold.frames.extend(frames.iter().map(|(frame, priority)| (topic, frame.clone(), *priority)));
                hold.frames_bytes += joined.len();
                if hold.frames_bytes > self.socket.outbox_bytes_max() {
                    hold.frames = Vec::new();
                    self.socket.close(Close::Slow);
                }
            }
            None => self.socket.send(topic, frames, joined),
        }
    }

    /// Tells the actor that messages wait, unless it has been told.
    pub fn wake_actor(&self, cause: &Cause) {
        if self.actor_woken.replace(true) {
            return;
        }
        if let Some(actor) = &*self.actor.borrow() {
            // Never full: at most one wake-up is under way.
            drop(actor.try_send(FramesArrived, cause));
        }
    }

    /// The actor begins to take what waits.
    pub fn actor_is_awake(&self) {
        self.actor_woken.set(false);
    }

    /// What the token says.
    pub fn claims(&self) -> Arc<Claims> {
        self.identity.borrow().claims.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConnectionSection;
    use crate::connection::socket::Phase;
    use crate::ids::ClientId;
    use crate::protocol::server::SubscribedTopic;

    #[tokio::test]
    async fn what_waits_behind_an_answer_is_bounded_like_the_outbox() {
        let (_client, server) = tokio::io::duplex(1 << 16);
        let settings = ConnectionSection { outbox_bytes_max: 100, ..ConnectionSection::default() };
        let identity = Identity {
            client_id: ClientId::parse("c").unwrap(),
            claims: Arc::new(Claims::development()),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let socket = Rc::new(Socket::new(Box::new(server), &settings));
        let seat = Seat::new(Member { slot: 0, generation: 1 }, socket, identity, 0);
        // One topic of the request has answered, the other never does.
        seat.hold(1, None, Answer::Subscribed, 1);
        let told = SubscribedTopic {
            topic: "t".to_owned(),
            epoch: "e".into(),
            offset: 0,
            recovered: false,
            recovered_count: 0,
        };
        seat.holds.borrow_mut()[0].topics.push((7, told));
        let frame = Bytes::from(vec![b'x'; 50]);
        for _ in 0..2 {
            seat.send_or_hold(7, &[(frame.clone(), Priority::Normal)], &frame);
        }
        assert_eq!(seat.socket.phase(), Phase::Open, "at the bound");
        seat.send_or_hold(7, &[(frame.clone(), Priority::Normal)], &frame);
        assert_eq!(seat.socket.phase(), Phase::Closing(Close::Slow));
        assert!(seat.holds.borrow()[0].frames.is_empty(), "what waited is let go");
    }
}
