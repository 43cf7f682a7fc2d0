//! What the worker knows of one connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use thin_vec::ThinVec;

use super::Identity;
use super::actor::ConnectionActor;
use super::feed::{Feed, FeedOptions};
use super::hold::{Answer, Hold};
use super::requests::FramesArrived;
use super::socket::Socket;
use crate::auth::{Claims, TopicPattern};
use crate::ids::{RoomName, TopicName};
use crate::protocol::codes::Code;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::protocol::server::{self, SubscribedTopic};
use crate::supervision::Inbox;
use crate::telemetry::{Cause, Counter};
use crate::topic::{Member, Position, TopicHandle};

/// A list that most connections have nothing in: one word of memory then.
type Seldom<T> = RefCell<ThinVec<T>>;

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
    /// Subscribed topics, and where each stood then.
    pub topics: RefCell<Vec<(TopicHandle, Position)>>,
    /// Topics that do not simply reach the socket.
    pub(super) feeds: Seldom<Feed>,
    /// The session has what this connection knew.
    pub(super) handed_over: Cell<bool>,
    /// Topics of which a fault has withheld a message, with the offset of the first.
    pub(super) withheld: Seldom<(u32, u64)>,
    /// A feed waits for the outbox to empty.
    pub(super) feeds_wait: Cell<bool>,
    /// Wildcard subscriptions.
    pub(super) wildcards: Seldom<(TopicPattern, FeedOptions)>,
    /// Rooms it is in.
    pub rooms: Seldom<RoomName>,
    /// Requests whose answer comes before messages.
    pub(super) holds: Seldom<Hold>,
    /// Its actor; set right after the seat is taken.
    pub(super) actor: RefCell<Option<Inbox<ConnectionActor>>>,
    /// A wake-up is on its way to the actor.
    pub(super) actor_woken: Cell<bool>,
    /// Requests of shared state that are not answered yet.
    pub(super) unanswered_syncs: Cell<usize>,
    /// Since when the outbox has not moved: (monotonic ms, bytes out at that time).
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
            feeds: RefCell::default(),
            handed_over: Cell::new(false),
            withheld: RefCell::default(),
            feeds_wait: Cell::new(false),
            wildcards: RefCell::default(),
            rooms: RefCell::default(),
            holds: RefCell::default(),
            actor: RefCell::new(None),
            actor_woken: Cell::new(false),
            unanswered_syncs: Cell::new(0),
            stuck_since: Cell::new(None),
        }
    }

    /// Sends an answer or a push that belongs to no topic.
    pub fn reply(&self, json: &Bytes) {
        self.socket.send_one(Priority::Normal, &self.socket.format.encode(json));
    }

    /// Sends what a client gets from now on: ahead of any message of those topics, however urgent.
    pub(super) fn announce(&self, json: &Bytes) {
        self.socket.send_one(Priority::Critical, &self.socket.format.encode(json));
    }

    /// Sends a frame that many get.
    pub fn push(&self, frame: &SharedFrame) {
        self.socket.send_one(Priority::Normal, frame.get(self.socket.format));
    }

    /// Sends an `error`.
    pub fn error(&self, code: Code, message: &str, reply_to: Option<&str>, now_ms: u64) {
        Counter::ErrorsSent.add_for(code.row().name, 1);
        self.reply(&server::error(code, message, now_ms, reply_to));
    }

    /// Opens a hold: the answer of `request` comes when `remaining` topics have answered.
    pub fn hold(
        &self,
        request: u32,
        reply_to: Option<Box<str>>,
        answer: Answer,
        remaining: usize,
        options: Vec<(TopicName, FeedOptions)>,
    ) {
        self.holds.borrow_mut().push(Hold {
            request,
            reply_to,
            answer,
            remaining,
            topics: Vec::new(),
            superseded: false,
            room: None,
            history: Vec::new(),
            options,
        });
    }

    /// Notes a wildcard subscription; asked for again it has the newer options.
    pub fn follows(&self, pattern: TopicPattern, options: FeedOptions) {
        let mut wildcards = self.wildcards.borrow_mut();
        wildcards.retain(|(known, _)| *known != pattern);
        wildcards.push((pattern, options));
    }

    /// What was asked of a topic, by its name in that request or by a wildcard.
    pub(super) fn options_of(&self, request: u32, name: &str) -> FeedOptions {
        if let Some(hold) = self.holds.borrow().iter().find(|hold| hold.request == request) {
            return hold.options_of(name);
        }
        let wildcards = self.wildcards.borrow();
        wildcards.iter().find(|(p, _)| p.covers(name)).map(|(_, options)| options.clone()).unwrap_or_default()
    }

    /// Tells of a subscription that was not asked for by name.
    pub(super) fn answer_unasked(&self, told: &SubscribedTopic, now_ms: u64) {
        let payload = serde_json::json!({ "topics": [told] });
        self.announce(&server::control("subscribed", now_ms, None, &payload));
    }

    /// Takes a hold out whose topics have all answered.
    pub(super) fn take_hold(&self, at: usize) -> Hold {
        let mut holds = self.holds.borrow_mut();
        let hold = holds.remove(at);
        if holds.is_empty() {
            // An idle connection holds no memory for requests.
            *holds = ThinVec::new();
        }
        hold
    }

    /// Whether another request of this connection to join the room is under way; from now on it is the first.
    pub(super) fn joins_again(&self, room: &RoomName) -> bool {
        self.holds.borrow_mut().iter_mut().any(|hold| match &mut hold.answer {
            Answer::RoomJoined { room: asked, newly } if asked == room => {
                *newly = true;
                true
            }
            _ => false,
        })
    }

    /// Takes a hold back whose request could not be sent on.
    pub fn unhold(&self, request: u32) {
        self.holds.borrow_mut().retain(|hold| hold.request != request);
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
