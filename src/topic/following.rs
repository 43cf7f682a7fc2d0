//! How a shared topic follows Redis: joins, takes in what comes, reads what did not, and parts when Redis is gone.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::timeout;

use super::TopicError;
use super::actor::{TopicActor, fresh_epoch};
use super::carrying::{Carriage, Keeper, LINGER_MS, Mode};
use super::committing::InStore;
use super::kind::{Bounds, Class, Kept};
use super::log::Log;
use super::messages::Join;
use super::outlet::Permit;
use super::owed::Owed;
use super::position::Position;
use crate::engine::order::{Came, is_lost};
use crate::engine::{Arrival, Carried, Carrier, Found, Order, Stream};
use crate::supervision::Queued;
use crate::telemetry::Counter;

/// How long a topic in the store waits to be followed, in milliseconds.
const FOLLOW_MS_MAX: u64 = 500;

/// How long a topic waits before it asks an unreachable store again, in milliseconds.
const STORE_RETRY_MS: u64 = 1_000;

/// How long a message of another node may come late, in milliseconds, before it is read.
const GAP_MS: u64 = 50;

/// What reads the history of a shared topic.
enum Reader {
    Redis(Carrier, Stream),
    Store(InStore, Carrier, Stream),
}

impl Reader {
    /// Follows the topic and reads what there is after a place.
    async fn join(&self, epoch: &str, top: u64) -> Result<Found, TopicError> {
        // First the subscription: what is published while the rest is read comes behind it.
        match self {
            Self::Redis(carrier, stream) => {
                carrier.follow(stream).await.map_err(|error| TopicError::Engine(error.to_string()))?;
            }
            Self::Store(_, carrier, stream) => {
                // Where nothing is pushed the store is looked at; when Redis is back it is followed again.
                drop(timeout(Duration::from_millis(FOLLOW_MS_MAX), carrier.follow(stream)).await);
            }
        }
        self.after(epoch, top).await
    }

    async fn after(&self, epoch: &str, top: u64) -> Result<Found, TopicError> {
        match self {
            Self::Redis(carrier, stream) => {
                carrier.after(stream, epoch, top).await.map_err(|error| TopicError::Engine(error.to_string()))
            }
            Self::Store(store, ..) => {
                store.after(epoch, top).await.map_err(|error| TopicError::Store(error.to_string()))
            }
        }
    }
}

impl TopicActor {
    /// A message came; `None` when the topic is not followed.
    pub(super) fn arrive(
        &mut self,
        epoch: &str,
        offset: u64,
        message: Carried,
        permit: Option<Permit>,
    ) -> Option<Came> {
        let carriage = self.carriage.as_mut().filter(|carriage| carriage.mode == Mode::Following)?;
        Some(carriage.order.offer(epoch, offset, (message, permit)))
    }

    /// Takes in what is due, and looks at what is missing before the rest.
    pub(super) fn take_in_ready(&mut self, ctx: &mut Context<Self>) {
        while let Some((offset, (message, permit))) = self.carriage.as_mut().and_then(|c| c.order.pop()) {
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
                let is_still = carriage.order.top() == top && carriage.order.has_gap();
                if std::mem::take(&mut carriage.again) || is_still {
                    actor.fill(ctx);
                } else {
                    // It moved; what is missing now has only just begun to be.
                    actor.take_in_ready(ctx);
                }
            });
        }
    }

    /// Reads what did not come by itself.
    pub(super) fn fill(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = self.carriage.as_mut().filter(|carriage| carriage.mode == Mode::Following)
        else {
            return;
        };
        if std::mem::replace(&mut carriage.filling, true) {
            carriage.again = true;
            return;
        }
        let (epoch, top) = (carriage.order.epoch().clone(), carriage.order.top());
        let Some(reader) = self.reader() else { return };
        let read = async move { reader.after(&epoch, top).await };
        ctx.spawn(read.into_actor(self).map(|read, actor, ctx| {
            let Some(carriage) = &mut actor.carriage else { return };
            carriage.filling = false;
            let again = std::mem::take(&mut carriage.again);
            match read {
                Ok(found) if carriage.mode == Mode::Following => actor.found(found, false, ctx),
                Ok(_) => {}
                // Gone: the topic is told, or was. Refused: the next message that comes asks again.
                Err(error) => tracing::warn!(topic = %actor.args.name, %error, "messages are missing"),
            }
            if again {
                actor.fill(ctx);
            }
        }));
    }

    fn reader(&self) -> Option<Reader> {
        let carriage = self.carriage.as_ref()?;
        let (carrier, stream) = (carriage.carrier.clone(), carriage.stream.clone());
        Some(match carriage.keeper {
            Keeper::Redis => Reader::Redis(carrier, stream),
            Keeper::Store => Reader::Store(self.in_store(), carrier, stream),
        })
    }

    /// Follows the topic from now on; nothing else happens before it is read.
    pub(super) fn join(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        carriage.wanted_ms = self.args.clock.monotonic_ms();
        let (epoch, top) = (carriage.order.epoch().clone(), carriage.order.top());
        let Some(reader) = self.reader() else { return };
        let joined = async move { reader.join(&epoch, top).await };
        ctx.wait(joined.into_actor(self).map(|joined, actor, ctx| {
            match joined {
                Ok(found) => {
                    actor.unread = None;
                    if let Some(carriage) = &mut actor.carriage {
                        carriage.mode = Mode::Following;
                    }
                    actor.found(found, true, ctx);
                }
                Err(TopicError::Store(reason)) => {
                    tracing::warn!(topic = %actor.args.name, reason, "topic cannot be read from the store");
                    actor.unread = Some(reason);
                    ctx.run_later(Duration::from_millis(STORE_RETRY_MS), |actor, ctx| {
                        if actor.unread.is_some() {
                            actor.join(ctx);
                        }
                    });
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
        if self.kind.kept == Kept::Store && self.args.interest.sent().is_none() {
            // What was in the store before is for sessions that are further than that, or for nobody.
            self.args.interest.began(head);
        }
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

    /// Redis is gone: a topic that it keeps goes on as this node's own, in an epoch that nobody has seen.
    pub(super) fn part(&mut self, ctx: &mut Context<Self>) {
        let is_shared =
            |carriage: &&mut Box<Carriage>| carriage.keeper == Keeper::Redis && carriage.mode != Mode::Own;
        let Some(carriage) = self.carriage.as_mut().filter(is_shared) else { return };
        carriage.mode = Mode::Own;
        let epoch = fresh_epoch();
        carriage.order = Order::new(epoch.clone(), 0);
        self.flush(ctx);
        let bounds = Bounds::of(&self.args.name, &self.args.settings);
        self.log = Log::new(self.kind.class, bounds, epoch.clone());
        self.args.interest.counts_in(&epoch, 0);
    }

    /// Stops to follow what nobody here wants.
    pub(super) fn leave_unwanted(&mut self) {
        let now_ms = self.args.clock.monotonic_ms();
        let Some(carriage) = &mut self.carriage else { return };
        let is_wanted =
            self.args.interest.is_wanted() || carriage.wanted_ms.saturating_add(LINGER_MS) > now_ms;
        if carriage.mode == Mode::Following && !is_wanted {
            carriage.mode = Mode::Apart;
            carriage.carrier.leave(&carriage.stream);
        }
    }
}

impl Handler<Queued<Join>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Join>, ctx: &mut Self::Context) {
        let now_ms = self.args.clock.monotonic_ms();
        let Some(carriage) = &mut self.carriage else { return };
        carriage.wanted_ms = now_ms;
        let order = &carriage.order;
        let is_ahead = |at: &Position| at.epoch == *order.epoch() && at.offset > order.top();
        match carriage.mode {
            // It was at another node, which had heard more.
            Mode::Following if queued.msg.at.is_some_and(|at| is_ahead(&at)) => self.join(ctx),
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
                let is_due = |carriage: &Carriage| match carriage.keeper {
                    Keeper::Redis => carriage.mode == Mode::Own,
                    Keeper::Store => carriage.mode == Mode::Following,
                };
                if self.carriage.as_ref().is_some_and(|carriage| is_due(carriage)) {
                    self.join(ctx);
                }
            }
        }
    }
}
