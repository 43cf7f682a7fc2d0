//! The connections of one worker: who subscribes to what, fan-out, deadlines. Single-threaded.
//!
//! Whatever a topic delivers arrives here once and is written to every member's socket. Messages of one
//! topic that wait together go out in one write per socket.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;

use super::actor::ConnectionActor;
use super::deadlines::TokenDue;
use super::feeding::FeedDue;
use super::requests::{Gone, Resumed};
use super::roster::Roster;
use super::seat::Seat;
use super::socket::Socket;
use super::socket_task::{Scratch, SocketOwner, SocketTask, scratch};
use super::stream::SocketIo;
use super::{Identity, Services};
use crate::protocol::codes::Close;
use crate::protocol::encoding::Format;
use crate::protocol::priority::Priority;
use crate::telemetry::{Cause, Counter, Gauge};
use crate::topic::{Member, Outlet, TopicHandle};

/// A connection whose handshake is done.
pub struct Arrival {
    /// The stream after the response was written.
    pub io: Box<dyn SocketIo>,
    /// Early bytes that came with the handshake.
    pub leftover: Vec<u8>,
    /// Who it is.
    pub identity: Identity,
    /// What the handshake agreed on.
    pub format: Format,
    /// Topics that the path subscribes to.
    pub presets: &'static [&'static str],
    /// What the client id had before.
    pub resumed: Resumed,
    /// The handshake's answer; goes out in one write with the first frame.
    pub response: Vec<u8>,
}

/// The worker's table.
pub struct Shard {
    /// What connections work with.
    pub services: Arc<Services>,
    /// Where topics deliver to.
    pub outlet: Outlet,
    pub(super) seats: RefCell<Slab<Rc<Seat>>>,
    pub(super) roster: RefCell<Roster>,
    pub(super) feed_dues: RefCell<BinaryHeap<Reverse<FeedDue>>>,
    next_generation: Cell<u32>,
    pub(super) token_dues: RefCell<BinaryHeap<Reverse<TokenDue>>>,
    scratch: Scratch,
    /// Leaves that a full topic mailbox refused; told again at the next tick.
    pub(super) untold: RefCell<Vec<TopicHandle>>,
}

impl Shard {
    /// An empty table.
    pub fn new(services: Arc<Services>, outlet: Outlet) -> Rc<Self> {
        Rc::new(Self {
            services,
            outlet,
            seats: RefCell::default(),
            roster: RefCell::default(),
            feed_dues: RefCell::default(),
            next_generation: Cell::new(1),
            token_dues: RefCell::default(),
            scratch: scratch(),
            untold: RefCell::default(),
        })
    }

    /// Takes a connection in: says `connected`, starts its actor and its task.
    pub fn admit(self: &Rc<Self>, arrival: Arrival, cause: &Cause) -> Member {
        let Arrival { io, leftover, identity, format, presets, resumed, mut response } = arrival;
        let now_ms = self.services.clock.unix_ms();
        let socket = Rc::new(Socket::new(io, format, &self.services.settings));
        let generation = self.next_generation.get();
        self.next_generation.set(generation.wrapping_add(1));
        let expires_at_ms = identity.claims.expires_at_ms();
        let seat = {
            let mut seats = self.seats.borrow_mut();
            let entry = seats.vacant_entry();
            let member = Member { slot: u32::try_from(entry.key()).unwrap_or(u32::MAX), generation };
            let seat = Rc::new(Seat::new(member, socket.clone(), identity, now_ms));
            entry.insert(seat.clone());
            seat
        };
        let member = seat.member;
        self.watch_token(member, expires_at_ms);
        self.tell_connect(&seat, resumed.resumed);
        Counter::ConnectionsOpened.add(1);
        Gauge::ConnectionsActive.up();
        Gauge::ConnectionsByFormat.up_for(format.name());
        let connected = super::requests::connected(&self.services, &seat.identity.borrow(), &resumed, now_ms);
        response.extend_from_slice(&format.encode(&connected));
        socket.send_one(Priority::Normal, &response.into());
        let actor = ConnectionActor::new(self.clone(), seat.clone());
        let name = seat.identity.borrow().client_id.shared();
        let give_up = {
            let socket = socket.clone();
            Box::new(move || socket.close(Close::Internal))
        };
        let inbox = self.services.tree.start_here(name, actor, Some(give_up));
        *seat.actor.borrow_mut() = Some(inbox);
        if !presets.is_empty() {
            socket.push_inbound(super::requests::subscribe(format.encoding, presets));
            seat.wake_actor(cause);
        }
        let owner = Owner { shard: self.clone(), seat };
        let settings = &self.services.settings;
        actix_rt::spawn(SocketTask::new(socket, leftover, owner, settings, &self.scratch));
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

    /// The connection is over: its seat is free, its topics and its actor are told.
    fn leave(&self, seat: &Seat, close: Close) {
        if self.seats.borrow_mut().try_remove(seat.member.slot as usize).is_none() {
            return;
        }
        self.hand_over(seat);
        for (topic, _) in std::mem::take(&mut *seat.topics.borrow_mut()) {
            self.roster.borrow_mut().leave(topic.id().number(), seat.member.slot);
            self.tell_leave(topic);
        }
        seat.feeds.borrow_mut().clear();
        if !seat.wildcards.borrow().is_empty() {
            self.services.broker.unfollow(&self.outlet, seat.member, None);
        }
        self.tell_disconnect(seat, close);
        Counter::ConnectionsClosed.add_for(close.name(), 1);
        Gauge::ConnectionsActive.down();
        Gauge::ConnectionsByFormat.down_for(seat.socket.format.name());
        let now_ms = self.services.clock.steady_unix_ms();
        self.services.clients.left(seat, self.outlet.index(), now_ms);
        if let Some(actor) = seat.actor.borrow_mut().take() {
            // Refused only when the actor is gone already.
            drop(actor.try_send(Gone, &Cause::own()));
        }
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

    fn flushed(&self) {
        self.shard.pump_all(&self.seat);
    }

    fn gone(&self, close: Close) {
        self.shard.leave(&self.seat, close);
    }
}
