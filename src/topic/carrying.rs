//! A topic in memory that hub nodes share: Redis gives its offsets and keeps its history.
//!
//! What is published goes to Redis in batches, one under way. What comes back, as the answer or over pub/sub, is taken in by offset:
//! each once and in order; what did not come is read. Nodes without subscribers and readers only publish. While Redis
//! is gone the topic is this node's own, in an epoch of its own.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::prelude::*;

use super::actor::TopicActor;
use super::kind::{Bounds, Class, Kept, Kind};
use super::log::{Log, Stored};
use super::messages::{Join, Publish};
use super::outlet::Permit;
use super::owed::Owed;
use super::sending::Head;
use super::{Published, TopicError};
use crate::engine::order::{Came, is_lost};
use crate::engine::{Arrival, Carried, Carrier, EngineError, Found, Order, Stream, Tell};
use crate::ids::MessageId;
use crate::supervision::{Queued, WeakInbox};
use crate::telemetry::{Cause, Counter};

/// Messages and bytes of one batch to Redis.
const BATCH_MESSAGES_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Messages that wait for their batch.
const OUTBOUND_MAX: usize = 8_192;

/// How long a message of another node may come late, in milliseconds, before it is read.
const GAP_MS: u64 = 50;

/// A topic that nobody subscribes to and reads is followed so much longer, in milliseconds.
const LINGER_MS: u64 = 30_000;

/// Whose the topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// All nodes'; this one does not follow it.
    Apart,
    /// All nodes', and what is published to it comes here.
    Following,
    /// This node's own, until Redis is back.
    Own,
}

/// A message on its way to Redis.
struct Outbound {
    message: Carried,
    permit: Permit,
    reply: Owed,
}

/// What a shared topic is beside its log.
pub(super) struct Carriage {
    carrier: Carrier,
    stream: Stream,
    mode: Mode,
    order: Order<(Carried, Option<Permit>)>,
    outbound: VecDeque<Outbound>,
    /// A batch is on its way.
    under_way: bool,
    /// A gap is being looked at.
    filling: bool,
    /// When somebody last wanted to read it, monotonic milliseconds.
    wanted_ms: u64,
}

impl Carriage {
    /// The carriage of a topic that is shared; `None` of one that is not.
    pub(super) fn of(args: &super::TopicArgs, kind: Kind, epoch: &Arc<str>) -> Option<Self> {
        let carrier = args.carrier.clone().filter(|_| kind.kept == Kept::Memory)?;
        let bounds = Bounds::of(&args.name, &args.settings);
        let stream = Stream {
            name: args.name.shared(),
            is_latest: kind.class == Class::Latest,
            messages_max: bounds.messages_max,
            age_ms_max: bounds.age_ms_max,
        };
        Some(Self {
            carrier,
            stream,
            mode: Mode::Apart,
            order: Order::new(epoch.clone(), 0),
            outbound: VecDeque::new(),
            under_way: false,
            filling: false,
            wanted_ms: 0,
        })
    }

    /// Messages that wait for Redis.
    pub(super) fn waiting(&self) -> usize {
        self.outbound.len()
    }
}

/// Follows the topic and reads what Redis has after a place.
async fn join(carrier: Carrier, stream: Stream, epoch: Arc<str>, top: u64) -> Result<Found, EngineError> {
    // First the subscription: what is published while the rest is read comes behind it.
    carrier.follow(&stream).await?;
    carrier.after(&stream, &epoch, top).await
}

impl TopicActor {
    /// Begins to live as a shared topic.
    pub(super) fn start_shared(&mut self, ctx: &mut Context<Self>) {
        self.args.interest.began(0);
        ctx.run_interval(Duration::from_millis(LINGER_MS), |actor, _ctx| actor.leave_unwanted());
        if let Some(carriage) = self.carriage.as_ref().filter(|_| !self.args.interest.is_wanted()) {
            carriage.carrier.leave(&carriage.stream);
        }
        if self.args.interest.members() > 0 {
            // A former life crashed; its subscribers are still there.
            self.join(ctx);
        }
    }

    /// Takes a message to Redis, or in for good where the topic is this node's own.
    pub(super) fn submit(&mut self, queued: Queued<Publish>, now_ms: u64, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        let Publish { payload, priority, key, event_type, permit, reply } = queued.msg;
        if carriage.outbound.len() >= OUTBOUND_MAX {
            return self.answer_with(reply.pay(), Err(TopicError::Overloaded));
        }
        carriage.outbound.push_back(Outbound {
            message: Carried {
                id: MessageId::at(now_ms),
                unix_ms: now_ms,
                priority: priority.unwrap_or(self.kind.priority),
                key,
                event_type,
                correlation_id: queued.cause.shared(),
                payload: payload.into(),
            },
            permit,
            reply,
        });
        if carriage.mode == Mode::Own && carriage.carrier.way().is_up {
            return self.join(ctx);
        }
        self.hand_over(ctx);
    }

    /// Sends the next batch on its way, if none is.
    fn hand_over(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        if carriage.under_way || carriage.outbound.is_empty() {
            return;
        }
        if carriage.mode == Mode::Own {
            let all = carriage.outbound.drain(..).collect();
            return self.take_as_own(all, ctx);
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(next) = carriage.outbound.front() {
            bytes += next.message.payload.len();
            if !batch.is_empty() && (batch.len() >= BATCH_MESSAGES_MAX || bytes > BATCH_BYTES_MAX) {
                break;
            }
            batch.extend(carriage.outbound.pop_front());
        }
        carriage.under_way = true;
        let (carrier, stream) = (carriage.carrier.clone(), carriage.stream.clone());
        let published = async move {
            let messages: Vec<Carried> = batch.iter().map(|outbound| outbound.message.clone()).collect();
            let placed = carrier.publish(&stream, carrier.token(), &messages).await;
            (batch, placed)
        };
        ctx.spawn(published.into_actor(self).map(|(batch, placed), actor, ctx| {
            if let Some(carriage) = &mut actor.carriage {
                carriage.under_way = false;
            }
            actor.placed(batch, placed, ctx);
            actor.hand_over(ctx);
        }));
    }

    /// Redis has answered for a batch, or is gone.
    fn placed(
        &mut self,
        batch: Vec<Outbound>,
        placed: Result<(Arc<str>, u64), EngineError>,
        ctx: &mut Context<Self>,
    ) {
        let is_own = self.carriage.as_ref().is_some_and(|carriage| carriage.mode == Mode::Own);
        match placed {
            Ok((epoch, first)) if !is_own => {
                let mut is_elsewhere = false;
                for (outbound, offset) in batch.into_iter().zip(first..) {
                    let Outbound { message, permit, reply } = outbound;
                    let published = Published {
                        id: message.id.to_string(),
                        topic: self.args.name.shared(),
                        epoch: epoch.clone(),
                        offset,
                    };
                    self.answer_with(reply.pay(), Ok(published));
                    match self.arrive(&epoch, offset, message, Some(permit)) {
                        None => Counter::Published.add(1),
                        came => is_elsewhere |= came == Some(Came::Elsewhere),
                    }
                }
                if is_elsewhere {
                    self.join(ctx);
                }
                self.take_in_ready(ctx);
            }
            Err(error) if !error.is_outage() => {
                tracing::error!(topic = %self.args.name, %error, "Redis refused messages");
                for outbound in batch {
                    self.answer_with(outbound.reply.pay(), Err(TopicError::Engine(error.to_string())));
                }
            }
            // Whether Redis has them or not: nobody was told that it does, and here they are for everybody to see.
            Ok(_) | Err(_) => {
                self.part(ctx);
                self.take_as_own(batch, ctx);
            }
        }
    }

    fn encode_carried(&mut self, message: Carried, offset: u64) -> Stored {
        let Carried { id, unix_ms, priority, key, event_type, correlation_id, payload } = message;
        self.encode(Head { id, unix_ms, offset, priority, key, event_type, correlation_id }, &payload)
    }

    fn take_as_own(&mut self, batch: Vec<Outbound>, ctx: &mut Context<Self>) {
        for Outbound { message, permit, reply } in batch {
            let offset = self.log.assign();
            let stored = self.encode_carried(message, offset);
            self.take_in(stored, Some(permit), reply, ctx);
        }
    }

    /// A message came; `None` when the topic is not followed.
    fn arrive(&mut self, epoch: &str, offset: u64, message: Carried, permit: Option<Permit>) -> Option<Came> {
        let carriage = self.carriage.as_mut().filter(|carriage| carriage.mode == Mode::Following)?;
        Some(carriage.order.offer(epoch, offset, (message, permit)))
    }

    /// Takes in what is due, and looks at what is missing before the rest.
    fn take_in_ready(&mut self, ctx: &mut Context<Self>) {
        while let Some((offset, (message, permit))) = self.carriage.as_mut().and_then(|c| c.order.next()) {
            let stored = self.encode_carried(message, offset);
            self.take_in(stored, permit, Owed::new(super::Reply::Nobody), ctx);
        }
        let Some(carriage) = &mut self.carriage else { return };
        if carriage.order.has_gap() && !carriage.filling {
            carriage.filling = true;
            let top = carriage.order.top();
            ctx.run_later(Duration::from_millis(GAP_MS), move |actor, ctx| {
                let Some(carriage) = &mut actor.carriage else { return };
                carriage.filling = false;
                if carriage.order.top() == top && carriage.order.has_gap() {
                    actor.fill(ctx);
                } else {
                    // It moved; what is missing now has only just begun to be.
                    actor.take_in_ready(ctx);
                }
            });
        }
    }

    /// Reads what did not come by itself.
    fn fill(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = self.carriage.as_mut().filter(|carriage| carriage.mode == Mode::Following) else {
            return;
        };
        if std::mem::replace(&mut carriage.filling, true) {
            return;
        }
        let (carrier, stream) = (carriage.carrier.clone(), carriage.stream.clone());
        let (epoch, top) = (carriage.order.epoch().clone(), carriage.order.top());
        let read = async move { carrier.after(&stream, &epoch, top).await };
        ctx.spawn(read.into_actor(self).map(|read, actor, ctx| {
            let Some(carriage) = &mut actor.carriage else { return };
            carriage.filling = false;
            match read {
                Ok(found) if carriage.mode == Mode::Following => actor.found(found, false, ctx),
                Ok(_) => {}
                // Gone: the topic is told, or was. Refused: the next message that comes asks again.
                Err(error) => tracing::warn!(topic = %actor.args.name, %error, "messages are missing"),
            }
        }));
    }

    /// Follows the topic from now on; nothing else happens before it is read.
    fn join(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        carriage.wanted_ms = self.args.clock.monotonic_ms();
        let (epoch, top) = (carriage.order.epoch().clone(), carriage.order.top());
        let joined = join(carriage.carrier.clone(), carriage.stream.clone(), epoch, top);
        ctx.wait(joined.into_actor(self).map(|joined, actor, ctx| {
            match joined {
            Ok(found) => {
                if let Some(carriage) = &mut actor.carriage {
                    carriage.mode = Mode::Following;
                }
                actor.found(found, true, ctx);
            }
            Err(error) => {
                tracing::warn!(topic = %actor.args.name, %error, "topic is this node's own");
                actor.part(ctx);
            }
        }
        // What waited goes the way that is open now.
        actor.hand_over(ctx);
        }));
    }

    /// Takes in what was read after the place where the topic stands.
    fn found(&mut self, found: Found, joining: bool, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        let is_log = self.kind.class == Class::Log;
        if found.epoch != *carriage.order.epoch() {
            return self.begin(found, ctx);
        }
        if is_log && is_lost(&found, carriage.order.top()) {
            if self.args.interest.members() > 0 {
                Counter::EngineGaps.add_for("lost", 1);
                tracing::warn!(topic = %self.args.name, "messages of other nodes are lost");
            }
            let floor = found.messages.first().map_or(found.head, |(first, _)| first - 1);
            carriage.order.fill(Vec::new(), floor);
            self.flush(ctx);
            self.log.skip(floor);
        }
        let Some(carriage) = &mut self.carriage else { return };
        if !joining {
            let top = carriage.order.top();
            let came = found.messages.iter().filter(|(offset, _)| *offset > top).count();
            Counter::EngineGaps.add_for("read", came as u64);
        }
        let reached = if is_log { found.messages.last().map_or(0, |(last, _)| *last) } else { found.head };
        let messages = found.messages.into_iter().map(|(offset, message)| (offset, (message, None)));
        carriage.order.fill(messages.collect(), reached);
        self.take_in_ready(ctx);
    }

    /// The topic counts in another epoch than it did here: it is as Redis has it.
    fn begin(&mut self, found: Found, ctx: &mut Context<Self>) {
        self.flush(ctx);
        let Found { epoch, head, messages } = found;
        let sent = self.args.interest.sent_in(&epoch);
        // Frames name the epoch: it is known before they are made.
        self.log.resume(epoch.clone(), head, Vec::new());
        let encoded: Vec<_> =
            messages.into_iter().map(|(offset, message)| self.encode_carried(message, offset)).collect();
        // A former life of this actor did not send these.
        let unsent = sent.map(|sent| encoded.iter().filter(|m| m.offset > sent).cloned().collect::<Vec<_>>());
        self.log.resume(epoch.clone(), head, encoded);
        self.args.interest.counts_in(&epoch, head);
        if let Some(carriage) = &mut self.carriage {
            carriage.order = Order::new(epoch, head);
        }
        let unsent = unsent.unwrap_or_default();
        if let Some(priority) = unsent.iter().map(|message| message.priority).min() {
            self.send(unsent, priority, Vec::new());
        }
    }

    /// Redis is gone: the topic goes on as this node's own, in an epoch that nobody has seen.
    fn part(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = self.carriage.as_mut().filter(|carriage| carriage.mode != Mode::Own) else {
            return;
        };
        carriage.mode = Mode::Own;
        let epoch = super::actor::fresh_epoch();
        carriage.order = Order::new(epoch.clone(), 0);
        self.flush(ctx);
        let bounds = Bounds::of(&self.args.name, &self.args.settings);
        self.log = Log::new(self.kind.class, bounds, epoch.clone());
        self.args.interest.counts_in(&epoch, 0);
    }

    /// Stops to follow what nobody here wants.
    fn leave_unwanted(&mut self) {
        let now_ms = self.args.clock.monotonic_ms();
        let Some(carriage) = &mut self.carriage else { return };
        let is_wanted =
            self.args.interest.is_wanted() || carriage.wanted_ms.saturating_add(LINGER_MS) > now_ms;
        if carriage.mode == Mode::Following && !is_wanted {
            carriage.mode = Mode::Apart;
            carriage.carrier.leave(&carriage.stream);
        }
    }

    /// Forgets the newest value of a key on every node.
    pub(super) fn forget_everywhere(&mut self, key: &Arc<str>, ctx: &mut Context<Self>) {
        let Some(carriage) = self.carriage.as_ref().filter(|carriage| carriage.mode != Mode::Own) else {
            return;
        };
        let (carrier, stream, key) = (carriage.carrier.clone(), carriage.stream.clone(), key.clone());
        let forgotten = async move { carrier.forget(&stream, &key).await };
        ctx.spawn(forgotten.into_actor(self).map(|forgotten, actor, _ctx| {
            if let Err(error) = forgotten {
                tracing::warn!(topic = %actor.args.name, %error, "a newest value is not forgotten");
            }
        }));
    }
}

impl Handler<Queued<Join>> for TopicActor {
    type Result = ();

    fn handle(&mut self, _queued: Queued<Join>, ctx: &mut Self::Context) {
        let now_ms = self.args.clock.monotonic_ms();
        let Some(carriage) = &mut self.carriage else { return };
        carriage.wanted_ms = now_ms;
        match carriage.mode {
            Mode::Following => {}
            Mode::Own if !carriage.carrier.way().is_up => {}
            Mode::Apart | Mode::Own => self.join(ctx),
        }
    }
}

impl Handler<Queued<Arrival>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Arrival>, ctx: &mut Self::Context) {
        match queued.msg {
            Arrival::Messages { epoch, first, messages } => {
                let mut is_elsewhere = false;
                for (message, offset) in messages.into_iter().zip(first..) {
                    is_elsewhere |= self.arrive(&epoch, offset, message, None) == Some(Came::Elsewhere);
                }
                if is_elsewhere {
                    self.join(ctx);
                }
                self.take_in_ready(ctx);
            }
            Arrival::Forgotten(key) => {
                self.flush(ctx);
                self.log.forget_key(&key);
            }
            Arrival::CatchUp => self.fill(ctx),
            Arrival::Down => {
                self.part(ctx);
                self.hand_over(ctx);
            }
            Arrival::Up => {
                let was_own = self.carriage.as_ref().is_some_and(|carriage| carriage.mode == Mode::Own);
                if was_own {
                    self.join(ctx);
                }
            }
        }
    }
}

/// Tells the topic's actor what becomes of Redis.
pub(super) fn tell_of(place: Arc<OnceLock<WeakInbox<TopicActor>>>) -> Tell {
    Box::new(move |arrival| match place.get() {
        None => false,
        Some(inbox) => inbox.upgrade().is_none_or(|inbox| inbox.try_send(arrival, &Cause::own()).is_ok()),
    })
}
