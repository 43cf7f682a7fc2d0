//! The actor around a worker's table: drains the outlet, turns the wheel.
//!
//! Started on each worker before it takes connections. A crash leaves the table in an unknown state, so a
//! fresh shard closes its connections with 4500; they come back by themselves.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::shard::Shard;
use super::wheel::Wheel;
use crate::clock::rfc3339;
use crate::protocol::codes::Close;
use crate::protocol::frame::SharedFrame;
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::Counter;
use crate::topic::{Delivery, Member};
use crate::websocket::{Opcode, frame};

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

/// Some connections of a worker.
#[derive(Message)]
#[rtype(result = "Vec<ConnectionRow>")]
pub struct ShardSnapshot {
    /// Which.
    pub members: Vec<Member>,
}

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
    /// Closes for which the inbox had no place.
    late: LateCloses,
}

/// Connections that are to be closed at the next tick; each is in it once.
pub(super) type LateCloses = Arc<Mutex<HashMap<Member, Close>>>;

impl ShardActor {
    /// The actor of `shard`.
    pub(super) fn new(shard: Rc<Shard>, late: LateCloses) -> Self {
        let wheel = Wheel::new(&shard.services.settings);
        let revocations = shard.services.auth.revocations().watch();
        Self { shard, wheel, spare: Vec::new(), feed_timer: None, revocations, late }
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

    fn tick(&mut self, ctx: &mut Context<Self>) {
        // A full inbox may have refused a close, and the wake-up for what waits in the outlet.
        let late = std::mem::take(&mut *self.late.lock());
        late.into_iter().for_each(|(member, close)| self.close(member, close));
        self.drain(ctx);
        let now_ms = self.shard.services.clock.unix_ms();
        let (check, ping) = self.wheel.turn();
        let slots = self.shard.slots();
        for seat in check.slots(slots).filter_map(|slot| self.shard.seat_in(slot)) {
            // The pong of one whose messages wait may stand behind them.
            if seat.socket.awaits_pong.get() && !seat.socket.has_inbound() {
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

    fn close(&self, member: Member, close: Close) {
        if let Some(seat) = self.shard.seat(member) {
            self.shard.end(&seat, close);
        }
    }
}

impl Restart for ShardActor {
    const KIND: &'static str = "shard";

    fn fresh(&self) -> Self {
        for seat in self.shard.seats() {
            seat.socket.close(Close::Internal);
        }
        Self::new(self.shard.clone(), self.late.clone())
    }
}

supervised!(ShardActor);

impl Actor for ShardActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(self.wheel.tick_ms()), |actor, ctx| actor.tick(ctx));
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
        self.close(queued.msg.member, queued.msg.close);
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

    fn handle(&mut self, question: Queued<ShardSnapshot>, _ctx: &mut Self::Context) -> Self::Result {
        let seats = question.msg.members.iter().filter_map(|member| self.shard.seat(*member));
        let rows = seats.map(|seat| ConnectionRow {
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
