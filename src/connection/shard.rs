//! The connections of one worker: who subscribes to what, fan-out, deadlines. Single-threaded.
//!
//! Whatever a topic delivers arrives here once and is written to every member's socket. Messages of one
//! topic that wait together go out in one write per socket.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use slab::Slab;

use super::actor::ConnectionActor;
use super::hold::{Answer, HistoryItem, Hold};
use super::outbox::NO_TOPIC;
use super::requests::{FramesArrived, Gone};
use super::socket::{Phase, SCRATCH_BYTES, Socket, SocketIo, SocketOwner, SocketTask, limits};
use super::{Identity, Services};
use crate::auth::Claims;
use crate::protocol::codes::Close;
use crate::protocol::priority::Priority;
use crate::protocol::server::{self, SubscribedTopic};
use crate::supervision::Inbox;
use crate::telemetry::{Cause, Counter, Gauge};
use crate::topic::{Delivery, Member, Outlet, TopicError, TopicHandle};
use crate::websocket::Decoder;

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
    pub rooms: RefCell<Vec<crate::ids::RoomName>>,
    /// Requests whose answer comes before messages.
    holds: RefCell<Vec<Hold>>,
    /// Its actor; set right after the seat is taken.
    actor: RefCell<Option<Inbox<ConnectionActor>>>,
    /// A wake-up is on its way to the actor.
    actor_woken: Cell<bool>,
    /// Since when the outbox has not moved: (unix ms, bytes out at that time).
    stuck_since: Cell<Option<(u64, u64)>>,
}

/// A connection whose handshake is done.
pub struct Arrival {
    /// The stream after the response was written.
    pub io: Box<dyn SocketIo>,
    /// Early bytes that came with the handshake.
    pub leftover: Vec<u8>,
    /// Who it is.
    pub identity: Identity,
    /// Topics that the path subscribes to.
    pub presets: &'static [&'static str],
    /// The handshake's answer; goes out in one write with the first frame.
    pub response: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TokenDue {
    at_ms: u64,
    slot: u32,
    generation: u32,
}

/// The worker's table.
pub struct Shard {
    /// What connections work with.
    pub services: Arc<Services>,
    /// Where topics deliver to.
    pub outlet: Outlet,
    seats: RefCell<Slab<Rc<Seat>>>,
    members: RefCell<HashMap<u32, Vec<u32>>>,
    next_generation: Cell<u32>,
    token_dues: RefCell<BinaryHeap<Reverse<TokenDue>>>,
    scratch: Rc<RefCell<Vec<u8>>>,
    /// Leaves that a full topic mailbox refused; told again at the next tick.
    untold: RefCell<Vec<TopicHandle>>,
}

impl Shard {
    /// An empty table.
    pub fn new(services: Arc<Services>, outlet: Outlet) -> Rc<Self> {
        Rc::new(Self {
            services,
            outlet,
            seats: RefCell::default(),
            members: RefCell::default(),
            next_generation: Cell::new(1),
            token_dues: RefCell::default(),
            scratch: Rc::new(RefCell::new(vec![0; SCRATCH_BYTES])),
            untold: RefCell::default(),
        })
    }

    /// Takes a connection in: says `connected`, starts its actor and its task.
    pub fn admit(self: &Rc<Self>, arrival: Arrival, cause: &Cause) -> Member {
        let Arrival { io, leftover, identity, presets, mut response } = arrival;
        let now_ms = self.services.clock.unix_ms();
        let socket = Rc::new(Socket::new(io, &self.services.settings));
        let generation = self.next_generation.get();
        self.next_generation.set(generation.wrapping_add(1));
        let expires_at_ms = identity.claims.expires_at_ms();
        let seat = {
            let mut seats = self.seats.borrow_mut();
            let entry = seats.vacant_entry();
            let member = Member { slot: u32::try_from(entry.key()).unwrap_or(u32::MAX), generation };
            let seat = Rc::new(Seat {
                member,
                socket: socket.clone(),
                identity: RefCell::new(identity),
                since_ms: now_ms,
                topics: RefCell::default(),
                rooms: RefCell::default(),
                holds: RefCell::default(),
                actor: RefCell::new(None),
                actor_woken: Cell::new(false),
                stuck_since: Cell::new(None),
            });
            entry.insert(seat.clone());
            seat
        };
        let member = seat.member;
        self.watch_token(member, expires_at_ms);
        Counter::ConnectionsOpened.add(1);
        Gauge::ConnectionsActive.up();
        let connected = super::requests::connected(&self.services, &seat.identity.borrow(), now_ms);
        response.extend_from_slice(&connected);
        seat.reply(&response.into());
        let actor = ConnectionActor::new(self.clone(), seat.clone());
        let name = seat.identity.borrow().client_id.shared();
        let give_up = {
            let socket = socket.clone();
            Box::new(move || socket.close(Close::Internal))
        };
        let inbox = self.services.tree.start_here(name, actor, Some(give_up));
        *seat.actor.borrow_mut() = Some(inbox);
        if !presets.is_empty() {
            let topics = serde_json::json!({ "type": "subscribe", "topics": presets }).to_string();
            socket.push_inbound(super::socket::Inbound::Text(topics.into()));
            seat.wake_actor(cause);
        }
        let owner = Owner { shard: self.clone(), seat };
        let decoder = Decoder::new(limits(&self.services.settings));
        let (settings, scratch) = (self.services.clone(), self.scratch.clone());
        actix_rt::spawn(SocketTask { socket, leftover, decoder, owner, settings, scratch });
        member
    }

    /// The seat of a member that is still there.
    pub fn seat(&self, member: Member) -> Option<Rc<Seat>> {
        let seats = self.seats.borrow();
        seats.get(member.slot as usize).filter(|seat| seat.member == member).cloned()
    }

    /// All seats.
    pub fn seats(&self) -> Vec<Rc<Seat>> {
        self.seats.borrow().iter().map(|(_, seat)| seat.clone()).collect()
    }

    /// Highest slot plus one.
    pub fn slots(&self) -> usize {
        self.seats.borrow().capacity()
    }

    /// The seat in a slot.
    pub fn seat_in(&self, slot: usize) -> Option<Rc<Seat>> {
        self.seats.borrow().get(slot).cloned()
    }

    /// Hands on what topics have delivered. Messages of one topic that stand together become one write.
    pub fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut bundles: Vec<(u32, Vec<(Bytes, Priority)>)> = Vec::new();
        // Permits are given back when the frames are with the sockets.
        let mut permits = Vec::with_capacity(deliveries.len());
        for delivery in deliveries.drain(..) {
            match delivery {
                Delivery::Message { topic, frame, priority, permit } => {
                    permits.extend(permit);
                    match bundles.iter_mut().find(|(id, _)| *id == topic) {
                        Some((_, frames)) => frames.push((frame, priority)),
                        None => bundles.push((topic, vec![(frame, priority)])),
                    }
                }
                Delivery::Subscribed {
                    member,
                    request,
                    topic,
                    name,
                    position,
                    current,
                    history,
                    attachment,
                } => {
                    // Earlier messages of the topic are not for the newcomer.
                    self.fan_out(&mut bundles, Some(topic.number()));
                    let (epoch, offset) = position;
                    let told = SubscribedTopic {
                        topic: name.to_string(),
                        epoch,
                        offset,
                        recovered: false,
                        recovered_count: 0,
                    };
                    self.subscribed(member, request, topic.number(), told, current, &history, attachment);
                }
                Delivery::SubscribeFailed { member, request, error } => {
                    self.subscribe_failed(member, request, &error);
                }
                Delivery::Reply { member, frame } => {
                    if let Some(seat) = self.seat(member) {
                        seat.reply(&frame);
                    }
                }
            }
        }
        self.fan_out(&mut bundles, None);
    }

    /// Writes the bundles (of one topic, or all) to their members, most urgent first.
    fn fan_out(&self, bundles: &mut Vec<(u32, Vec<(Bytes, Priority)>)>, only: Option<u32>) {
        bundles.sort_by_key(|(_, frames)| frames.iter().map(|(_, priority)| *priority).min());
        let all = std::mem::take(bundles);
        let (now, later): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(id, _)| only.is_none_or(|o| o == *id));
        *bundles = later;
        let (mut delivered, mut bytes_out) = (0u64, 0u64);
        for (topic, frames) in now {
            let joined = join(&frames);
            let members = self.members.borrow();
            let Some(slots) = members.get(&topic) else { continue };
            let seats = self.seats.borrow();
            for slot in slots {
                let Some(seat) = seats.get(*slot as usize) else { continue };
                if seat.holds.borrow().is_empty() {
                    seat.socket.send(topic, &frames, &joined);
                } else {
                    seat.send_or_hold(topic, &frames, &joined);
                }
            }
            delivered += slots.len() as u64 * frames.len() as u64;
            bytes_out += slots.len() as u64 * joined.len() as u64;
        }
        if delivered > 0 {
            Counter::Delivered.add(delivered);
            Counter::BytesOut.add(bytes_out);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one delivery")]
    fn subscribed(
        &self,
        member: Member,
        request: u32,
        topic: u32,
        told: SubscribedTopic,
        current: Vec<(Bytes, Priority)>,
        history: &[crate::topic::log::Stored],
        attachment: Option<Box<serde_json::value::RawValue>>,
    ) {
        let Some(seat) = self.seat(member) else {
            return self.forget_interest(&told.topic);
        };
        if self.members.borrow().get(&topic).is_some_and(|slots| slots.contains(&member.slot)) {
            // Subscribed again: the topic counts it once more, the table does not.
            self.forget_interest(&told.topic);
        } else {
            self.members.borrow_mut().entry(topic).or_default().push(member.slot);
            if let Some(handle) = self.handle_of(&told.topic) {
                seat.topics.borrow_mut().push(handle);
            }
        }
        let mut holds = seat.holds.borrow_mut();
        if let Some(hold) = holds.iter_mut().find(|hold| hold.request == request) {
            hold.topics.push((topic, told));
            hold.frames.extend(current.into_iter().map(|(frame, priority)| (topic, frame, priority)));
            hold.history.extend(history.iter().map(HistoryItem::of));
            hold.room = attachment.or(hold.room.take());
            hold.remaining -= 1;
        }
        drop(holds);
        self.finish_holds(&seat);
    }

    fn subscribe_failed(&self, member: Member, request: u32, error: &TopicError) {
        let Some(seat) = self.seat(member) else { return };
        let mut reply_to = None;
        if let Some(hold) = seat.holds.borrow_mut().iter_mut().find(|hold| hold.request == request) {
            hold.remaining -= 1;
            reply_to = hold.reply_to.clone();
        }
        seat.error(error.code(), &error.to_string(), reply_to.as_deref(), self.services.clock.unix_ms());
        self.finish_holds(&seat);
    }

    /// Sends answers whose topics have all answered, then what waited behind them.
    fn finish_holds(&self, seat: &Seat) {
        let now_ms = self.services.clock.unix_ms();
        loop {
            let Some(at) = seat.holds.borrow().iter().position(|hold| hold.remaining == 0) else { return };
            let hold = seat.holds.borrow_mut().remove(at);
            if !hold.topics.is_empty() {
                seat.reply(&server::control(hold.kind(), now_ms, hold.reply_to.as_deref(), &hold.payload()));
            }
            for (topic, frame, priority) in hold.frames {
                seat.send_or_hold(topic, &[(frame.clone(), priority)], &frame);
            }
        }
    }

    fn handle_of(&self, topic: &str) -> Option<TopicHandle> {
        let name = crate::ids::TopicName::parse(topic).ok()?;
        self.services.broker.find(&name)
    }

    fn forget_interest(&self, topic: &str) {
        if let Some(handle) = self.handle_of(topic) {
            self.tell_leave(handle);
        }
    }

    fn tell_leave(&self, topic: TopicHandle) {
        if topic.leave(&self.outlet, 1).is_err() && !topic.is_closed() {
            self.untold.borrow_mut().push(topic);
        }
    }

    /// Ends a subscription; false when there was none.
    pub fn unsubscribe(&self, seat: &Seat, name: &str) -> bool {
        let Some(at) = seat.topics.borrow().iter().position(|topic| topic.name().as_str() == name) else {
            return false;
        };
        let topic = seat.topics.borrow_mut().swap_remove(at);
        self.stand_up(seat.member.slot, &topic);
        self.tell_leave(topic);
        true
    }

    fn stand_up(&self, slot: u32, topic: &TopicHandle) {
        let mut members = self.members.borrow_mut();
        if let Some(slots) = members.get_mut(&topic.id().number()) {
            if let Some(at) = slots.iter().position(|s| *s == slot) {
                slots.swap_remove(at);
            }
            if slots.is_empty() {
                members.remove(&topic.id().number());
            }
        }
    }

    /// The connection is over: its seat is free, its topics and its actor are told.
    fn leave(&self, seat: &Seat, close: Close) {
        if self.seats.borrow_mut().try_remove(seat.member.slot as usize).is_none() {
            return;
        }
        for topic in std::mem::take(&mut *seat.topics.borrow_mut()) {
            self.stand_up(seat.member.slot, &topic);
            self.tell_leave(topic);
        }
        Counter::ConnectionsClosed.add_for(close.name(), 1);
        Gauge::ConnectionsActive.down();
        let now_ms = self.services.clock.unix_ms();
        self.services.clients.left(seat, self.outlet.index(), now_ms);
        if let Some(actor) = seat.actor.borrow_mut().take() {
            // Refused only when the actor is gone already.
            drop(actor.try_send(Gone, &Cause::own()));
        }
    }

    /// Notes when the seat's token must be warned about.
    pub fn watch_token(&self, member: Member, expires_at_ms: u64) {
        let at_ms = expires_at_ms.saturating_sub(self.services.settings.token_warning_ms);
        let due = TokenDue { at_ms, slot: member.slot, generation: member.generation };
        self.token_dues.borrow_mut().push(Reverse(due));
    }

    /// Closes connections whose token was taken back.
    pub fn check_revocations(&self) {
        for seat in self.seats() {
            if self.services.auth.revocations().contain(&seat.claims()) {
                seat.socket.close(Close::Forbidden);
            }
        }
    }

    /// Warns of tokens that are about to expire, and closes connections whose token has.
    pub fn check_tokens(&self, now_ms: u64) {
        loop {
            let due = {
                let mut dues = self.token_dues.borrow_mut();
                if dues.peek().is_none_or(|Reverse(due)| due.at_ms > now_ms) {
                    return;
                }
                dues.pop()
            };
            let Some(Reverse(due)) = due else { return };
            let Some(seat) = self.seat(Member { slot: due.slot, generation: due.generation }) else {
                continue;
            };
            let expires_at_ms = seat.identity.borrow().claims.expires_at_ms();
            if expires_at_ms <= now_ms {
                seat.socket.close(Close::TokenExpired);
            } else if expires_at_ms.saturating_sub(self.services.settings.token_warning_ms) <= now_ms {
                let payload = serde_json::json!({ "expires_at": crate::clock::rfc3339(expires_at_ms) });
                seat.reply(&server::control("token_expiring", now_ms, None, &payload));
                let due = TokenDue { at_ms: expires_at_ms, ..due };
                self.token_dues.borrow_mut().push(Reverse(due));
            }
        }
    }

    /// Closes connections whose outbox has not moved for the write deadline; ends those that do not finish closing.
    pub fn check_deadlines(&self, now_ms: u64) {
        let settings = &self.services.settings;
        for seat in self.seats() {
            let closing = matches!(seat.socket.phase(), Phase::Closing(_));
            if seat.socket.outbox_bytes() == 0 && !closing {
                seat.stuck_since.set(None);
                continue;
            }
            let bytes_out = seat.socket.bytes_out.get();
            let (since_ms, at) = seat.stuck_since.get().unwrap_or((now_ms, bytes_out));
            if at != bytes_out {
                seat.stuck_since.set(Some((now_ms, bytes_out)));
                continue;
            }
            seat.stuck_since.set(Some((since_ms, at)));
            let limit_ms = if closing { settings.close_grace_ms } else { settings.write_deadline_ms };
            if now_ms.saturating_sub(since_ms) >= limit_ms {
                // A client that does not read cannot be told: cut.
                seat.socket.cut(Close::Slow);
            }
        }
        for topic in std::mem::take(&mut *self.untold.borrow_mut()) {
            self.tell_leave(topic);
        }
    }
}

impl Seat {
    /// Sends an answer or a push that belongs to no topic.
    pub fn reply(&self, frame: &Bytes) {
        self.socket.send_one(NO_TOPIC, Priority::Normal, frame);
    }

    /// Sends an `error`.
    pub fn error(
        &self,
        code: crate::protocol::codes::Code,
        message: &str,
        reply_to: Option<&str>,
        now_ms: u64,
    ) {
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
        });
    }

    /// Takes a hold back whose request could not be sent on.
    pub fn unhold(&self, request: u32) {
        self.holds.borrow_mut().retain(|hold| hold.request != request);
    }

    fn send_or_hold(&self, topic: u32, frames: &[(Bytes, Priority)], joined: &Bytes) {
        let mut holds = self.holds.borrow_mut();
        match holds.iter_mut().find(|hold| hold.covers(topic)) {
            Some(hold) => {
                hold.frames.extend(frames.iter().map(|(frame, priority)| (topic, frame.clone(), *priority)));
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

struct Owner {
    shard: Rc<Shard>,
    seat: Rc<Seat>,
}

impl SocketOwner for Owner {
    fn inbound(&self) {
        self.seat.wake_actor(&Cause::own());
    }

    fn gone(&self, close: Close) {
        self.shard.leave(&self.seat, close);
    }
}

fn join(frames: &[(Bytes, Priority)]) -> Bytes {
    match frames {
        [(only, _)] => only.clone(),
        frames => {
            let mut joined = BytesMut::with_capacity(frames.iter().map(|(frame, _)| frame.len()).sum());
            for (frame, _) in frames {
                joined.extend_from_slice(frame);
            }
            joined.freeze()
        }
    }
}
