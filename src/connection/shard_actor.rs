//! The actor around a worker's table: drains the outlet, turns the wheel.
//!
//! Started on each worker before it takes connections. A crash leaves the table in an unknown state, so a
//! fresh shard closes its connections with 4500; they come back by themselves.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::Services;
use super::shard::Shard;
use super::wheel::Wheel;
use crate::clock::rfc3339;
use crate::protocol::codes::Close;
use crate::protocol::frame::SharedFrame;
use crate::supervision::{Inbox, Queued, Recipient, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::{Delivery, Member, Outlet};
use crate::websocket::{Opcode, frame};

/// How long a question to a worker may take, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 2_000;

/// Something waits in the outlet.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Close one connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseMember {
    /// Which.
    pub member: Member,
    /// Why.
    pub close: Close,
}

/// Close the slots `part, part + parts, ...`: connections leave in batches.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct CloseSome {
    /// Which part.
    pub part: usize,
    /// Of how many.
    pub parts: usize,
    /// Why.
    pub close: Close,
    /// A frame to send first, e.g. `draining`.
    pub farewell: Option<bytes::Bytes>,
}

/// Cut connections without a word, as a network that fails does.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct CutSome {
    /// At most so many.
    pub limit: usize,
}

/// Send a frame to every connection, whatever it subscribes to.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell {
    /// The whole frame.
    pub frame: SharedFrame,
}

/// How much waits for the clients of a worker.
#[derive(Message)]
#[rtype(result = "ShardDepths")]
pub struct DepthSnapshot;

/// Answer to [`DepthSnapshot`].
#[derive(Debug, Clone, Default, actix::MessageResponse)]
pub struct ShardDepths {
    /// Which worker.
    pub worker: usize,
    /// Its connections.
    pub connections: usize,
    /// Those for which something waits.
    pub waiting: usize,
    /// Frames and bytes by urgency, and last those of the control lanes.
    pub lanes: [(usize, usize); 4],
    /// Deliveries that the worker has not taken yet.
    pub outlet: usize,
    /// Subscriptions of its connections.
    pub subscriptions: usize,
}

/// The connections of a worker.
#[derive(Message)]
#[rtype(result = "Vec<ConnectionRow>")]
pub struct ShardSnapshot;

/// One connection as lists show it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ConnectionRow {
    /// The session's name.
    pub client_id: String,
    /// Subscribed topics.
    pub topics: Vec<String>,
    /// Rooms.
    pub rooms: Vec<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// What its frames are; `None` without a connection.
    pub encoding: Option<&'static str>,
    /// Whether they are compressed.
    pub deflate: bool,
    /// Bytes that wait for the client.
    pub outbox_bytes: usize,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes handed to the kernel.
    pub bytes_out: u64,
}

/// The actor of one worker's connections.
pub struct ShardActor {
    shard: Rc<Shard>,
    wheel: Wheel,
    /// The other half of the outlet's buffer.
    spare: Vec<Delivery>,
    /// Ends when the rate of a feed allows its next frame.
    feed_timer: Option<(u64, SpawnHandle)>,
    /// Changes when a token is taken back.
    revocations: watch::Receiver<u64>,
}

impl ShardActor {
    /// The actor of `shard`.
    pub fn new(shard: Rc<Shard>) -> Self {
        let wheel = Wheel::new(&shard.services.settings);
        let revocations = shard.services.auth.revocations().watch();
        Self { shard, wheel, spare: Vec::new(), feed_timer: None, revocations }
    }

    /// Hands on what waits in the outlet.
    fn drain(&mut self, ctx: &mut Context<Self>) {
        let mut waiting = std::mem::take(&mut self.spare);
        self.shard.outlet.take(&mut waiting);
        self.shard.deliver(&mut waiting);
        self.spare = waiting;
        self.pump_due(ctx);
    }

    fn pump_due(&mut self, ctx: &mut Context<Self>) {
        let now_ms = self.shard.services.clock.monotonic_ms();
        let Some(next_ms) = self.shard.pump_due(now_ms) else { return };
        match self.feed_timer {
            Some((at_ms, _)) if at_ms <= next_ms => return,
            Some((_, timer)) => _ = ctx.cancel_future(timer),
            None => {}
        }
        let timer = ctx.run_later(Duration::from_millis(next_ms.saturating_sub(now_ms)), |actor, ctx| {
            actor.feed_timer = None;
            actor.pump_due(ctx);
        });
        self.feed_timer = Some((next_ms, timer));
    }

    fn tick(&mut self) {
        let now_ms = self.shard.services.clock.unix_ms();
        let (check, ping) = self.wheel.turn();
        let slots = self.shard.slots();
        for seat in check.slots(slots).filter_map(|slot| self.shard.seat_in(slot)) {
            if seat.socket.awaits_pong.get() {
                self.shard.end(&seat, Close::NoPong);
            }
        }
        let mut pings = 0;
        for seat in ping.slots(slots).filter_map(|slot| self.shard.seat_in(slot)) {
            if !seat.socket.awaits_pong.replace(true) {
                pings += 1;
                seat.socket.send_control(frame(Opcode::Ping, b""));
            }
        }
        Counter::PingsSent.add(pings);
        if self.revocations.has_changed().unwrap_or(false) {
            self.revocations.mark_unchanged();
            self.shard.check_revocations();
        }
        self.shard.check_tokens(now_ms);
        // How long something takes is not the wall clock's to say.
        self.shard.check_deadlines(self.shard.services.clock.monotonic_ms());
    }
}

impl Restart for ShardActor {
    const KIND: &'static str = "shard";

    fn fresh(&self) -> Self {
        for seat in self.shard.seats() {
            seat.socket.close(Close::Internal);
        }
        Self::new(self.shard.clone())
    }
}

supervised!(ShardActor);

impl Actor for ShardActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(self.wheel.tick_ms()), |actor, _ctx| actor.tick());
        // Deliveries may have come while nobody was here to be woken.
        self.drain(ctx);
    }
}

impl Handler<Queued<Drain>> for ShardActor {
    type Result = ();

    fn handle(&mut self, _drain: Queued<Drain>, ctx: &mut Self::Context) {
        self.drain(ctx);
    }
}

impl Handler<Queued<CloseMember>> for ShardActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<CloseMember>, _ctx: &mut Self::Context) {
        if let Some(seat) = self.shard.seat(queued.msg.member) {
            self.shard.end(&seat, queued.msg.close);
        }
    }
}

impl Handler<Queued<CloseSome>> for ShardActor {
    type Result = usize;

    fn handle(&mut self, queued: Queued<CloseSome>, _ctx: &mut Self::Context) -> usize {
        let CloseSome { part, parts, close, farewell } = queued.msg;
        let slots = (part..self.shard.slots()).step_by(parts.max(1));
        let mut closed = 0;
        for seat in slots.filter_map(|slot| self.shard.seat_in(slot)) {
            if let Some(farewell) = &farewell {
                seat.reply(farewell);
            }
            self.shard.end(&seat, close);
            closed += 1;
        }
        closed
    }
}

impl Handler<Queued<CutSome>> for ShardActor {
    type Result = usize;

    fn handle(&mut self, queued: Queued<CutSome>, _ctx: &mut Self::Context) -> usize {
        let seats = self.shard.seats().into_iter().take(queued.msg.limit);
        seats.map(|seat| seat.socket.cut(Close::GoingAway)).count()
    }
}

impl Handler<Queued<Tell>> for ShardActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Tell>, _ctx: &mut Self::Context) {
        for seat in self.shard.seats() {
            seat.push(&queued.msg.frame);
        }
    }
}

impl Handler<Queued<DepthSnapshot>> for ShardActor {
    type Result = ShardDepths;

    fn handle(&mut self, _question: Queued<DepthSnapshot>, _ctx: &mut Self::Context) -> ShardDepths {
        let outlet = &self.shard.outlet;
        let mut depths =
            ShardDepths { worker: outlet.index(), outlet: outlet.depth(), ..ShardDepths::default() };
        for seat in self.shard.seats() {
            depths.connections += 1;
            depths.subscriptions += seat.topics.borrow().len();
            let lanes = seat.socket.outbox_depths();
            depths.waiting += usize::from(lanes.iter().any(|(frames, _)| *frames > 0));
            for (sum, (frames, bytes)) in depths.lanes.iter_mut().zip(lanes) {
                *sum = (sum.0 + frames, sum.1 + bytes);
            }
        }
        depths
    }
}

impl Handler<Queued<ShardSnapshot>> for ShardActor {
    type Result = MessageResult<Queued<ShardSnapshot>>;

    fn handle(&mut self, _question: Queued<ShardSnapshot>, _ctx: &mut Self::Context) -> Self::Result {
        let seats = self.shard.seats();
        let rows = seats.iter().map(|seat| ConnectionRow {
            client_id: seat.identity.borrow().client_id.to_string(),
            topics: seat.topics.borrow().iter().map(|(t, _)| t.name().to_string()).collect(),
            rooms: seat.rooms.borrow().iter().map(ToString::to_string).collect(),
            since: rfc3339(seat.since_ms),
            encoding: Some(seat.socket.format.encoding.as_str()),
            deflate: seat.socket.format.deflate_bytes_min.is_some(),
            outbox_bytes: seat.socket.outbox_bytes(),
            bytes_in: seat.socket.bytes_in.get(),
            bytes_out: seat.socket.bytes_out.get(),
        });
        MessageResult(rows.collect())
    }
}

/// One worker's connections, seen from anywhere.
#[derive(Clone)]
pub struct ShardHandle {
    inbox: Inbox<ShardActor>,
    outlet: Outlet,
}

/// All workers' connections.
#[derive(Clone, Default)]
pub struct Shards(Arc<RwLock<Vec<(usize, ShardHandle)>>>);

impl Shards {
    /// Starts the shard of the worker that calls; its connections live on this thread.
    pub fn start(&self, index: usize, services: &Arc<Services>) -> Rc<Shard> {
        // The outlet wakes the actor, the actor holds the outlet: the wake is filled in when both are there.
        let wake: Arc<RwLock<Option<Recipient<Drain>>>> = Arc::default();
        let waker = wake.clone();
        let outlet = Outlet::new(
            index,
            Box::new(move || {
                if let Some(drain) = &*waker.read() {
                    // Never full: at most one wake-up is under way.
                    drop(drain.try_send(Drain, &Cause::own()));
                }
            }),
        );
        let shard = Shard::new(services.clone(), outlet);
        let name = format!("worker-{index}");
        let inbox = services.tree.start_here(name, ShardActor::new(shard.clone()), None);
        *wake.write() = Some(inbox.recipient());
        self.0.write().push((index, ShardHandle { inbox, outlet: shard.outlet.clone() }));
        shard
    }

    /// Closes one connection.
    pub fn close(&self, index: usize, member: Member, close: Close) {
        if let Some(handle) = self.handle(index) {
            drop(handle.inbox.try_send(CloseMember { member, close }, &Cause::own()));
        }
    }

    /// Closes a connection whose client id has a newer one; its session is up to date when this returns.
    pub async fn take_over(&self, index: usize, member: Member) {
        let Some(handle) = self.handle(index) else { return };
        let replaced = CloseMember { member, close: Close::Replaced };
        let asked = handle.inbox.ask(replaced, &Cause::own(), Duration::from_millis(ASK_TIMEOUT_MS)).await;
        if let Err(error) = asked {
            tracing::warn!(worker = index, ?error, "a replaced connection was not closed");
        }
    }

    /// Where topics deliver to for a worker.
    pub fn outlet(&self, index: usize) -> Option<Outlet> {
        self.handle(index).map(|handle| handle.outlet)
    }

    fn handle(&self, index: usize) -> Option<ShardHandle> {
        self.0.read().iter().find(|(i, _)| *i == index).map(|(_, handle)| handle.clone())
    }

    /// Closes one part of all connections; returns how many.
    pub async fn close_some(
        &self,
        part: usize,
        parts: usize,
        close: Close,
        farewell: Option<&bytes::Bytes>,
    ) -> usize {
        let mut closed = 0;
        for handle in self.handles() {
            let message = CloseSome { part, parts, close, farewell: farewell.cloned() };
            let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
            closed += handle.inbox.ask(message, &Cause::own(), timeout).await.unwrap_or(0);
        }
        closed
    }

    /// Cuts connections without a word, `limit` at most; returns how many.
    pub async fn cut_some(&self, limit: usize) -> usize {
        let mut cut = 0;
        for handle in self.handles() {
            let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
            cut +=
                handle.inbox.ask(CutSome { limit: limit - cut }, &Cause::own(), timeout).await.unwrap_or(0);
        }
        cut
    }

    /// Sends a frame to every connection; false when a worker did not take it.
    pub fn tell_all(&self, frame: &SharedFrame) -> bool {
        let handles = self.handles();
        let told =
            handles.iter().map(|h| h.inbox.try_send(Tell { frame: frame.clone() }, &Cause::own()).is_ok());
        told.fold(true, |all, one| all & one)
    }

    /// How much waits on each worker. One that does not answer in time is left out.
    pub async fn depths(&self, cause: &Cause) -> Vec<ShardDepths> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        let handles = self.handles();
        let asked = handles.iter().map(|handle| handle.inbox.ask(DepthSnapshot, cause, timeout));
        futures_util::future::join_all(asked).await.into_iter().flatten().collect()
    }

    /// All connections. A worker that does not answer in time is left out.
    pub async fn rows(&self, cause: &Cause) -> Vec<ConnectionRow> {
        let mut rows = Vec::new();
        for handle in self.handles() {
            let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
            rows.extend(handle.inbox.ask(ShardSnapshot, cause, timeout).await.unwrap_or_default());
        }
        rows
    }

    fn handles(&self) -> Vec<ShardHandle> {
        self.0.read().iter().map(|(_, handle)| handle.clone()).collect()
    }
}
