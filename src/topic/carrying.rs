//! A topic that hub nodes share. Of one in memory Redis gives the offsets and keeps the history; one in the store is in
//! `committing`.
//!
//! What is published goes to Redis in batches, one under way. What comes back, as the answer or over pub/sub, is taken in by offset:
//! each once and in order; what did not come is read. Nodes without subscribers and readers only publish. While Redis
//! is gone the topic is this node's own, in an epoch of its own.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::prelude::*;

use super::actor::TopicActor;
use super::committing::Committing;
use super::kind::{Bounds, Class, Kept, Kind};
use super::log::Stored;
use super::messages::Publish;
use super::outlet::Permit;
use super::owed::Owed;
use super::sending::Head;
use super::{Published, TopicError};
use crate::engine::order::Came;
use crate::engine::{Carried, Carrier, EngineError, Order, Stream, Tell};
use crate::ids::MessageId;
use crate::store::Store;
use crate::supervision::{Queued, WeakInbox};
use crate::telemetry::{Cause, Counter};

/// Kind of the notice that a node publishes to a topic for the first time: its name, the epoch and the offset before.
pub const OPENED: &str = "opened";

/// Messages and bytes of one batch to Redis.
pub(super) const BATCH_MESSAGES_MAX: usize = 256;
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;

/// Messages that wait for their batch.
const OUTBOUND_MAX: usize = 8_192;

/// A topic that nobody subscribes to and reads is followed so much longer, in milliseconds.
pub(super) const LINGER_MS: u64 = 30_000;

/// Whose the topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// All nodes'; this one does not follow it.
    Apart,
    /// All nodes', and what is published to it comes here.
    Following,
    /// This node's own, until Redis is back.
    Own,
}

/// Who gives the offsets of a shared topic, and keeps its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    Redis,
    Store,
}

/// A message on its way to its keeper.
pub(super) struct Outbound {
    pub(super) message: Carried,
    pub(super) permit: Permit,
    pub(super) reply: Owed,
}

/// What a shared topic is beside its log.
pub(super) struct Carriage {
    pub(super) carrier: Carrier,
    pub(super) stream: Stream,
    pub(super) keeper: Keeper,
    pub(super) mode: Mode,
    pub(super) order: Order<(Carried, Option<Permit>)>,
    outbound: VecDeque<Outbound>,
    /// With the store, and on their way from there to other nodes.
    pub(super) committing: Committing,
    /// A batch is on its way.
    under_way: bool,
    /// Other nodes know that something was published here.
    is_known: bool,
    /// A gap is being looked at.
    pub(super) filling: bool,
    /// Something may not have come since that began.
    pub(super) again: bool,
    /// When somebody last wanted to read it, monotonic milliseconds.
    pub(super) wanted_ms: u64,
}

impl Carriage {
    /// The carriage of a topic that is shared; `None` of one that is not.
    pub(super) fn of(args: &super::TopicArgs, kind: Kind, epoch: &Arc<str>) -> Option<Self> {
        let keeper = Keeper::of(kind, &args.store)?;
        let carrier = args.carrier.clone()?;
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
            keeper,
            mode: Mode::Apart,
            order: Order::new(epoch.clone(), 0),
            outbound: VecDeque::new(),
            committing: Committing::default(),
            under_way: false,
            is_known: false,
            filling: false,
            again: false,
            wanted_ms: 0,
        })
    }

    /// Messages that wait for their keeper.
    pub(super) fn waiting(&self) -> usize {
        self.outbound.len() + self.committing.waiting()
    }
}

impl Keeper {
    /// That of a topic if several hub nodes are there; `None`: each node has its own.
    pub(super) fn of(kind: Kind, store: &Store) -> Option<Self> {
        match kind.kept {
            Kept::Memory => Some(Self::Redis),
            Kept::Store => store.is_apart().then_some(Self::Store),
        }
    }
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
        let Publish { payload, priority, key, event_type, fence, permit, reply } = queued.msg;
        if carriage.waiting() >= OUTBOUND_MAX {
            return self.answer_with(reply.pay(), Err(TopicError::Overloaded));
        }
        let outbound = Outbound {
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
        };
        if carriage.keeper == Keeper::Store {
            return self.commit_shared(outbound, fence, ctx);
        }
        carriage.outbound.push_back(outbound);
        if carriage.mode == Mode::Own && carriage.carrier.way().is_up {
            return self.join(ctx);
        }
        self.hand_over(ctx);
    }

    /// Sends the next batch on its way, if none is.
    pub(super) fn hand_over(&mut self, ctx: &mut Context<Self>) {
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
                    is_elsewhere |= self.has_place(outbound, &epoch, offset) == Some(Came::Elsewhere);
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

    /// Answers for a message that has its place, and takes it in where the topic is followed.
    pub(super) fn has_place(&mut self, outbound: Outbound, epoch: &Arc<str>, offset: u64) -> Option<Came> {
        let Outbound { message, permit, reply } = outbound;
        let published = Published {
            id: message.id.to_string(),
            topic: self.args.name.shared(),
            epoch: epoch.clone(),
            offset,
        };
        self.answer_with(reply.pay(), Ok(published));
        if let Some(carriage) = &mut self.carriage
            && !std::mem::replace(&mut carriage.is_known, true)
            && !self.kind.personal
        {
            carriage.carrier.say(OPENED, format!("{} {epoch} {}", self.args.name, offset - 1));
        }
        let came = self.arrive(epoch, offset, message, Some(permit));
        if came.is_none() {
            Counter::Published.add(1);
        }
        came
    }

    pub(super) fn encode_carried(&mut self, message: Carried, offset: u64) -> Stored {
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

    /// Forgets the newest value of a key on every node.
    pub(super) fn forget_everywhere(&mut self, key: &Arc<str>, ctx: &mut Context<Self>) {
        let is_redis = |carriage: &&Carriage| carriage.keeper == Keeper::Redis && carriage.mode != Mode::Own;
        let Some(carriage) = self.carriage.as_deref().filter(is_redis) else { return };
        let (carrier, stream, key) = (carriage.carrier.clone(), carriage.stream.clone(), key.clone());
        let forgotten = async move { carrier.forget(&stream, &key).await };
        ctx.spawn(forgotten.into_actor(self).map(|forgotten, actor, _ctx| {
            if let Err(error) = forgotten {
                tracing::warn!(topic = %actor.args.name, %error, "a newest value is not forgotten");
            }
        }));
    }
}

/// Tells the topic's actor what becomes of Redis.
pub(super) fn tell_of(place: Arc<OnceLock<WeakInbox<TopicActor>>>) -> Tell {
    Box::new(move |arrival| match place.get() {
        None => false,
        Some(inbox) => inbox.upgrade().is_none_or(|inbox| inbox.try_send(arrival, &Cause::own()).is_ok()),
    })
}
