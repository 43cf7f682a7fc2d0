//! A topic in memory that several hub nodes share: Redis gives its offsets, each node keeps a mirror of its log.
//!
//! What is published here goes to Redis and is taken in when it has its place; what other nodes publish is pushed.
//! Either way messages are taken in strictly in order ([`Order`]); what a push did not bring is read. While Redis is gone
//! the topic delivers what this node takes, in an epoch of its own; when it is back the topic goes on in that of Redis.

use std::collections::VecDeque;
use std::time::Duration;

use actix::prelude::*;
use futures_util::stream;
use tokio::sync::{mpsc, watch};

use super::TopicError;
use super::actor::TopicActor;
use super::kind::{Class, Kind};
use super::log::Stored;
use super::messages::Reply;
use super::order::Order;
use super::outlet::Permit;
use super::owed::Owed;
use super::position::Position;
use super::sending::Head;
use crate::engine::EngineError;
use crate::engine::carrier::{Carrier, Entry, Listening, Placed, Push, Shape, State, Tail};

/// How long a gap may be the disorder of two ways, in milliseconds; then Redis is asked.
const GAP_MS: u64 = 20;

/// Messages and bytes of one batch on its way to Redis.
const BATCH_MESSAGES_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// What the topic knows of its sharing.
pub(super) struct Sharing {
    carrier: Carrier,
    shape: Shape,
    _listening: Listening,
    order: Order<(Entry, Option<Permit>)>,
    outgoing: VecDeque<Outgoing>,
    /// A batch is on its way to Redis.
    in_flight: bool,
    /// The log is a mirror; otherwise it is this node's own.
    is_joined: bool,
    /// Up to where it was one before it was this node's own.
    left_at: Option<Position>,
    /// Of the connection up to which nothing is missing.
    lives: u64,
    /// Somebody looks after the gap already.
    awaits_gap: bool,
}

/// A message before it has a place.
struct Outgoing {
    entry: Entry,
    permit: Permit,
    reply: Owed,
}

impl TopicActor {
    /// Joins the other nodes. Nothing else happens meanwhile.
    pub(super) fn begin_sharing(&mut self, carrier: Carrier, ctx: &mut Context<Self>) {
        let (listening, pushes) = carrier.listen(self.args.name.as_str());
        ctx.add_stream(stream::unfold(pushes, next_push));
        ctx.add_stream(stream::unfold(carrier.changes(), next_state));
        self.sharing = Some(Box::new(Sharing {
            shape: shape(self.kind, self.args.settings.history_messages_max),
            carrier,
            _listening: listening,
            order: Order::new(0),
            outgoing: VecDeque::new(),
            in_flight: false,
            is_joined: false,
            left_at: None,
            lives: 0,
            awaits_gap: false,
        }));
        self.join(ctx);
    }

    /// Whether a message has to wait for its place.
    pub(super) fn is_shared(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.is_joined || sharing.in_flight)
    }

    /// Sends a message to Redis, behind those that wait.
    pub(super) fn share(&mut self, entry: Entry, permit: Permit, reply: Owed, ctx: &mut Context<Self>) {
        if let Some(sharing) = &mut self.sharing {
            sharing.outgoing.push_back(Outgoing { entry, permit, reply });
        }
        self.pump(ctx);
    }

    /// The newest value of a key is nobody's any more, on any node.
    pub(super) fn forget_shared_key(&mut self, key: &str, ctx: &mut Context<Self>) {
        let Some(sharing) = self.sharing.as_ref().filter(|sharing| sharing.is_joined) else { return };
        let (carrier, name, key) = (sharing.carrier.clone(), self.args.name.clone(), key.to_owned());
        let forget = async move { carrier.forget_key(name.as_str(), &key).await };
        // What Redis could not forget now ends with the topic.
        ctx.spawn(forget.into_actor(self).map(|_forgotten, _actor, _ctx| ()));
    }

    fn join(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &self.sharing else { return };
        let (carrier, shape, name) = (sharing.carrier.clone(), sharing.shape, self.args.name.clone());
        let lives = carrier.state().lives;
        let read = async move { carrier.tail(name.as_str(), shape).await };
        ctx.wait(read.into_actor(self).map(move |tail, actor, ctx| match tail {
            Ok(tail) => {
                let left_at = actor.sharing.as_mut().and_then(|sharing| sharing.left_at.take());
                // Others went on in that epoch: what this node missed is still to be delivered here.
                let missed_from = left_at.filter(|left| left.epoch == tail.epoch).map(|left| left.offset);
                let upto = missed_from.unwrap_or(tail.last).min(tail.last);
                actor.mirror(tail, upto, lives, ctx);
            }
            Err(error) => {
                tracing::debug!(topic = %actor.args.name, %error, "the topic is this node's own");
                actor.stand_alone(ctx);
            }
        }));
    }

    /// The log is that of Redis up to `upto`; what follows goes to subscribers.
    fn mirror(&mut self, tail: Tail, upto: u64, lives: u64, ctx: &mut Context<Self>) {
        // It still says the former epoch.
        self.flush(ctx);
        let Tail { epoch, last, entries } = tail;
        let (known, fresh): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(offset, _)| *offset <= upto);
        // Frames name the epoch: it is known before they are made.
        self.log.resume(epoch.clone(), upto, Vec::new());
        let known: Vec<_> = known.into_iter().map(|(offset, entry)| self.placed_at(offset, entry)).collect();
        self.log.resume(epoch, upto, known);
        self.args.interest.flushed_at_start(upto);
        self.args.interest.began(upto);
        if let Some(sharing) = &mut self.sharing {
            sharing.order = Order::new(upto);
            sharing.is_joined = true;
            sharing.lives = lives;
        }
        if self.kind.class == Class::Latest {
            // Whoever subscribes already has values of another epoch.
            let newest = self.log.tail(usize::MAX);
            if let Some(priority) = newest.iter().map(|message| message.priority).min() {
                self.send(newest, priority, Vec::new());
            }
        }
        self.args.interest.flushed(upto);
        for (offset, entry) in fresh.into_iter().filter(|(offset, _)| *offset <= last) {
            self.arrive(offset, entry, None, ctx);
        }
        self.pump(ctx);
    }

    /// Redis is gone: an epoch of this node's own.
    fn stand_alone(&mut self, ctx: &mut Context<Self>) {
        self.flush(ctx);
        let shared_epoch = self.log.epoch().clone();
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        self.log.resume(epoch.get(..12).unwrap_or(&epoch).into(), 0, Vec::new());
        self.args.interest.flushed_at_start(0);
        self.args.interest.began(0);
        let Some(sharing) = &mut self.sharing else { return };
        if std::mem::replace(&mut sharing.is_joined, false) {
            sharing.left_at = Some(Position { epoch: shared_epoch, offset: sharing.order.top() });
        }
        let held = std::mem::replace(&mut sharing.order, Order::new(0)).into_held();
        for (entry, permit) in held {
            self.take_own(entry, permit, Owed::new(Reply::Nobody), ctx);
        }
        self.take_outgoing(ctx);
    }

    /// Takes in what waits for Redis, unless a part of it is on its way there and comes first.
    fn take_outgoing(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = self.sharing.as_mut().filter(|sharing| !sharing.in_flight) else { return };
        for Outgoing { entry, permit, reply } in std::mem::take(&mut sharing.outgoing) {
            self.take_own(entry, Some(permit), reply, ctx);
        }
    }

    /// Takes a message in with an offset of this node's own.
    fn take_own(&mut self, entry: Entry, permit: Option<Permit>, reply: Owed, ctx: &mut Context<Self>) {
        let offset = self.log.assign();
        let message = self.placed_at(offset, entry);
        self.take_in(message, permit, reply, ctx);
    }

    fn placed_at(&mut self, offset: u64, entry: Entry) -> Stored {
        let Entry { id, unix_ms, priority, key, event_type, correlation_id, payload } = entry;
        let head = Head { id, unix_ms, offset, priority, key, event_type, correlation_id };
        self.encode(head, payload.get())
    }

    /// Sends the next batch to Redis when none is on its way.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = self.sharing.as_mut().filter(|s| s.is_joined && !s.in_flight) else { return };
        let mut bytes = 0;
        let fits = |outgoing: &&Outgoing| {
            bytes += outgoing.entry.payload.get().len();
            bytes <= BATCH_BYTES_MAX
        };
        let batch = sharing.outgoing.iter().take(BATCH_MESSAGES_MAX).take_while(fits).count();
        if sharing.outgoing.is_empty() {
            return;
        }
        let batch: Vec<_> = sharing.outgoing.drain(..batch.max(1)).collect();
        sharing.in_flight = true;
        let entries: Vec<_> = batch.iter().map(|outgoing| outgoing.entry.clone()).collect();
        let (carrier, shape, name) = (sharing.carrier.clone(), sharing.shape, self.args.name.clone());
        let publish = async move { carrier.publish(name.as_str(), shape, &entries).await };
        ctx.spawn(publish.into_actor(self).map(move |placed, actor, ctx| actor.settle(batch, placed, ctx)));
    }

    /// A batch has its place, or none.
    fn settle(&mut self, batch: Vec<Outgoing>, placed: Result<Placed, EngineError>, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else { return };
        sharing.in_flight = false;
        let is_joined = sharing.is_joined;
        match placed {
            Ok(placed) if is_joined => {
                if placed.epoch != *self.log.epoch() && !self.follow(&placed, ctx) {
                    // They are read with all that is new in that epoch.
                    return self.answer_placed(batch.into_iter().map(|o| (o.entry, o.reply)), &placed);
                }
                let mut answers = Vec::with_capacity(batch.len());
                for (offset, Outgoing { entry, permit, reply }) in (placed.first..).zip(batch) {
                    answers.push((entry.clone(), reply));
                    self.arrive(offset, entry, Some(permit), ctx);
                }
                self.answer_placed(answers.into_iter(), &placed);
            }
            Err(error) if !error.is_outage() => {
                for Outgoing { reply, .. } in batch {
                    self.answer(reply.pay(), Err(TopicError::Engine(error.to_string())));
                }
            }
            // Nobody is told a place in Redis that is not known, or that this node has left.
            Ok(_) | Err(_) => {
                for outgoing in batch.into_iter().rev() {
                    sharing.outgoing.push_front(outgoing);
                }
                if is_joined {
                    return self.stand_alone(ctx);
                }
                return self.take_outgoing(ctx);
            }
        }
        self.pump(ctx);
    }

    fn answer_placed(&mut self, batch: impl Iterator<Item = (Entry, Owed)>, placed: &Placed) {
        for (offset, (entry, reply)) in (placed.first..).zip(batch) {
            self.answer_at(reply.pay(), Ok((entry.id, placed.epoch.clone(), offset)));
        }
    }

    /// A message has its place.
    fn arrive(&mut self, offset: u64, entry: Entry, permit: Option<Permit>, ctx: &mut Context<Self>) {
        let Some(sharing) = &mut self.sharing else { return };
        let ready = sharing.order.offer(offset, (entry, permit));
        self.take_ready(ready, ctx);
        let Some(sharing) = &mut self.sharing else { return };
        if sharing.order.has_gap() && !std::mem::replace(&mut sharing.awaits_gap, true) {
            ctx.run_later(Duration::from_millis(GAP_MS), |actor, ctx| {
                let Some(sharing) = &mut actor.sharing else { return };
                sharing.awaits_gap = false;
                if sharing.is_joined && sharing.order.has_gap() {
                    actor.fill(ctx);
                }
            });
        }
    }

    fn take_ready(&mut self, ready: Vec<(u64, (Entry, Option<Permit>))>, ctx: &mut Context<Self>) {
        for (offset, (entry, permit)) in ready {
            let message = self.placed_at(offset, entry);
            self.take_in(message, permit, Owed::new(Reply::Nobody), ctx);
        }
    }

    /// Another epoch has begun. True: with this message, and the log is in it.
    fn follow(&mut self, placed: &Placed, ctx: &mut Context<Self>) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        let (carrier, shape, lives) = (sharing.carrier.clone(), sharing.shape, sharing.lives);
        if placed.first == 1 {
            let tail = Tail { epoch: placed.epoch.clone(), last: 0, entries: Vec::new() };
            self.mirror(tail, 0, lives, ctx);
            return true;
        }
        let (name, before) = (self.args.name.clone(), placed.first - 1);
        let read = async move { carrier.tail(name.as_str(), shape).await };
        ctx.wait(read.into_actor(self).map(move |tail, actor, ctx| match tail {
            Ok(tail) => {
                let upto = before.min(tail.last);
                actor.mirror(tail, upto, lives, ctx);
            }
            Err(_gone) => actor.stand_alone(ctx),
        }));
        false
    }

    /// Reads what pushes did not bring; what Redis has no more is lost, and subscribers see the gap.
    fn fill(&mut self, ctx: &mut Context<Self>) {
        let Some(sharing) = &self.sharing else { return };
        let (carrier, shape, name) = (sharing.carrier.clone(), sharing.shape, self.args.name.clone());
        let (epoch, top, lives) = (self.log.epoch().clone(), sharing.order.top(), carrier.state().lives);
        let read = async move {
            match shape {
                Shape::Log { .. } => carrier.after(name.as_str(), shape, &epoch, top).await,
                Shape::Latest => carrier.tail(name.as_str(), shape).await.map(|tail| {
                    let is_same = tail.epoch == epoch;
                    tail.entries.into_iter().filter(|(offset, _)| is_same && *offset > top).collect()
                }),
            }
        };
        ctx.wait(read.into_actor(self).map(move |read, actor, ctx| {
            let Ok(entries) = read else { return actor.stand_alone(ctx) };
            for (offset, entry) in entries {
                actor.arrive(offset, entry, None, ctx);
            }
            let Some(sharing) = &mut actor.sharing else { return };
            sharing.lives = lives;
            while let Some((before, ready)) = actor.sharing.as_mut().and_then(|s| s.order.skip()) {
                if actor.kind.class == Class::Log {
                    actor.flush(ctx);
                    let epoch = actor.log.epoch().clone();
                    actor.log.resume(epoch, before, Vec::new());
                }
                actor.take_ready(ready, ctx);
            }
        }));
    }
}

impl StreamHandler<Push> for TopicActor {
    fn handle(&mut self, push: Push, ctx: &mut Context<Self>) {
        let Push { placed, entries, lost_before } = push;
        if !self.sharing.as_ref().is_some_and(|sharing| sharing.is_joined) {
            return;
        }
        if placed.epoch != *self.log.epoch() && !self.follow(&placed, ctx) {
            return;
        }
        for (offset, entry) in (placed.first..).zip(entries) {
            self.arrive(offset, entry, None, ctx);
        }
        if lost_before {
            self.fill(ctx);
        }
    }

    fn finished(&mut self, _ctx: &mut Context<Self>) {}
}

impl StreamHandler<State> for TopicActor {
    fn handle(&mut self, state: State, ctx: &mut Context<Self>) {
        let Some(sharing) = &self.sharing else { return };
        match (sharing.is_joined, state.is_up) {
            (true, false) => self.stand_alone(ctx),
            (false, true) => self.join(ctx),
            (true, true) if state.lives != sharing.lives => self.fill(ctx),
            _ => {}
        }
    }

    fn finished(&mut self, _ctx: &mut Context<Self>) {}
}

fn shape(kind: Kind, messages_max: usize) -> Shape {
    match kind.class {
        Class::Log => Shape::Log { batches_max: messages_max },
        Class::Latest => Shape::Latest,
    }
}

async fn next_push(mut pushes: mpsc::Receiver<Push>) -> Option<(Push, mpsc::Receiver<Push>)> {
    pushes.recv().await.map(|push| (push, pushes))
}

async fn next_state(mut states: watch::Receiver<State>) -> Option<(State, watch::Receiver<State>)> {
    states.changed().await.ok()?;
    let state = *states.borrow_and_update();
    Some((state, states))
}
