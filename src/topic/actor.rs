//! The mailbox around a topic.
//!
//! Owns the topic's [`Log`]; takes [`Publish`] and [`Subscribe`], pushes deliveries to the outlets of
//! workers that have members. A crash loses what is in memory and begins a new epoch, which subscribers
//! see in the next message; topics that are kept in the store go on where the store left off. Who
//! subscribes is shared with the handle and survives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;
use bytes::Bytes;

use super::handle::{Interest, TopicId};
use super::kind::{Bounds, Kept, Kind};
use super::log::{Log, Stored};
use super::messages::{Announce, Leave, Publish, Reply, Subscribe, TopicSnapshot, TopicView};
use super::outlet::{Delivery, Permit};
use super::owed::Owed;
use super::{Published, TopicError};
use crate::clock::Clock;
use crate::config::TopicSection;
use crate::ids::{MessageId, TopicName};
use crate::protocol::priority::Priority;
use crate::protocol::server::{self, MessageMeta, Stamper};
use crate::store::{Event, Store, StoreError, TopicHead};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};

/// How long a topic waits before it asks an unreachable store again, in milliseconds.
const STORE_RETRY_MS: u64 = 1_000;

/// What a topic is made of, again after each crash.
#[derive(Clone)]
pub struct TopicArgs {
    /// Number of the topic in this process.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// Who subscribes; outlives the actor.
    pub interest: Arc<Interest>,
    /// For topics that are kept there.
    pub store: Store,
    /// Bounds of history.
    pub settings: Arc<TopicSection>,
    /// Time.
    pub clock: Clock,
}

/// One topic.
pub struct TopicActor {
    log: Log,
    kind: Kind,
    /// Waits for its commit, in order of offsets; empty for topics in memory.
    uncommitted: VecDeque<Uncommitted>,
    /// Why the store's part of the topic is not known yet.
    unread: Option<String>,
    stamper: Stamper,
    args: TopicArgs,
}

struct Uncommitted {
    message: Stored,
    permit: Permit,
    reply: Owed,
    outcome: Option<Result<(), TopicError>>,
}

impl TopicActor {
    /// A topic before its first message.
    pub fn new(args: TopicArgs) -> Self {
        let kind = Kind::of(&args.name);
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        let bounds = Bounds::of(&args.name, &args.settings);
        Self {
            log: Log::new(kind.class, bounds, epoch.get(..12).unwrap_or(&epoch).into()),
            kind,
            uncommitted: VecDeque::new(),
            unread: None,
            stamper: Stamper::default(),
            args,
        }
    }

    /// Learns epoch, offset and the newest messages from the store; nothing else happens meanwhile.
    fn read_store(&mut self, ctx: &mut Context<Self>) {
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let limit = self.args.settings.room_history_messages;
        let read = async move {
            // What a former life of this topic has sent to the store counts: its offsets are given.
            store.settled().await?;
            let head = store.topic_head(name.as_str()).await?;
            let tail = if head.is_some() {
                store.tail_events(name.as_str(), limit, None).await?
            } else {
                Vec::new()
            };
            Ok::<_, StoreError>((head, tail))
        };
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| match read {
            Ok((head, tail)) => actor.resume(head, tail),
            Err(error) => {
                tracing::warn!(topic = %actor.args.name, %error, "topic cannot be read from the store");
                actor.unread = Some(error.to_string());
                ctx.run_later(std::time::Duration::from_millis(STORE_RETRY_MS), Self::read_store);
            }
        }));
    }

    fn resume(&mut self, head: Option<TopicHead>, tail: Vec<Event>) {
        self.unread = None;
        let Some(head) = head else { return };
        self.log.resume(head.epoch.as_str().into(), head.last_offset);
        for event in tail {
            let message = self.restored(event);
            self.log.remember(message);
        }
    }

    /// A message out of the store as the frame it once was (with a fresh look, the same content).
    fn restored(&mut self, event: Event) -> Stored {
        let id = MessageId::parse(&event.id).unwrap_or_else(|| MessageId::at(event.ts_ms));
        let payload = std::str::from_utf8(&event.payload).unwrap_or("null");
        let priority = Priority::parse(&event.priority).unwrap_or(self.kind.priority);
        let key = event.key.map(Arc::<str>::from);
        let kind = frame_kind(&self.args.name);
        let event_type = Some(event.kind).filter(|event_type| event_type != kind).map(Arc::<str>::from);
        self.encode(id, event.ts_ms, event.offset, kind, priority, key, event_type, &Cause::own(), payload)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one envelope")]
    fn encode(
        &mut self,
        id: MessageId,
        unix_ms: u64,
        offset: u64,
        kind: &'static str,
        priority: Priority,
        key: Option<Arc<str>>,
        event_type: Option<Arc<str>>,
        cause: &Cause,
        payload: &str,
    ) -> Stored {
        let meta = MessageMeta {
            kind,
            id,
            timestamp: self.stamper.stamp(unix_ms),
            topic: self.args.name.as_str(),
            offset,
            epoch: self.log.epoch(),
            priority,
            key: key.as_deref(),
            event_type: event_type.as_deref(),
            correlation_id: cause.id(),
        };
        let (frame, payload) = server::message(&meta, payload);
        Stored { offset, id, unix_ms, key, event_type, priority, frame, payload }
    }

    fn deliver(&self, message: &Stored, permit: Permit) {
        let permit = Arc::new(permit);
        self.args.interest.each(|outlet| {
            let delivery = Delivery::Message {
                topic: self.args.id.number(),
                frame: message.frame.clone(),
                priority: message.priority,
                permit: Some(permit.clone()),
            };
            if outlet.push(delivery).is_err() {
                Counter::Dropped.add_for("outlet_full", 1);
            }
        });
    }

    fn answer(&mut self, reply: Reply, outcome: Result<&Stored, TopicError>) {
        match (reply, outcome) {
            (Reply::Nobody, _) => {}
            (Reply::Caller(caller), outcome) => {
                let published = outcome.map(|message| Published {
                    id: message.id.to_string(),
                    topic: self.args.name.shared(),
                    epoch: self.log.epoch().clone(),
                    offset: message.offset,
                });
                // The caller may have stopped waiting.
                drop(caller.send(published));
            }
            (Reply::Member { outlet, member, reply_to, kind }, outcome) => {
                let frame = self.answer_frame(kind, reply_to.as_deref(), outcome);
                if outlet.push(Delivery::Reply { member, frame }).is_err() {
                    Counter::Dropped.add_for("outlet_full", 1);
                }
            }
        }
    }

    fn answer_frame(
        &mut self,
        kind: &str,
        reply_to: Option<&str>,
        outcome: Result<&Stored, TopicError>,
    ) -> Bytes {
        let now_ms = self.args.clock.unix_ms();
        match outcome {
            Ok(message) => {
                let id = MessageId::at(now_ms);
                let epoch = self.log.epoch().clone();
                let stamp = self.stamper.stamp(now_ms);
                server::published(kind, stamp, id, reply_to, self.args.name.as_str(), &epoch, message.offset)
            }
            Err(error) => {
                Counter::ErrorsSent.add_for(error.code().row().name, 1);
                server::error(error.code(), &error.to_string(), now_ms, reply_to)
            }
        }
    }

    /// Hands the message to the store; it goes out when the commit is known.
    fn commit(&mut self, message: Stored, permit: Permit, reply: Owed, ctx: &mut Context<Self>) {
        let event = Event {
            offset: message.offset,
            id: message.id.to_string(),
            ts_ms: message.unix_ms,
            key: message.key.as_deref().map(str::to_owned),
            priority: message.priority.as_str().to_owned(),
            kind: message.event_type.as_deref().unwrap_or(frame_kind(&self.args.name)).to_owned(),
            payload: message.frame.slice(message.payload.clone()),
        };
        let offset = message.offset;
        let written = self.args.store.append_event(self.args.name.as_str(), self.log.epoch(), event);
        self.uncommitted.push_back(Uncommitted { message, permit, reply, outcome: None });
        ctx.spawn(written.into_actor(self).map(move |written, actor, _ctx| {
            let outcome = written.map_err(|e| TopicError::Store(e.to_string()));
            if let Some(waiting) = actor.uncommitted.iter_mut().find(|w| w.message.offset == offset) {
                waiting.outcome = Some(outcome);
            }
            actor.release();
        }));
    }

    /// Sends out what is committed, up to the first message that is not yet.
    fn release(&mut self) {
        while self.uncommitted.front().is_some_and(|w| w.outcome.is_some()) {
            let Some(Uncommitted { message, permit, reply, outcome }) = self.uncommitted.pop_front() else {
                return;
            };
            match outcome {
                Some(Err(error)) => self.answer(reply.pay(), Err(error)),
                _ => self.send_out(message, permit, reply),
            }
        }
    }

    fn send_out(&mut self, message: Stored, permit: Permit, reply: Owed) {
        Counter::Published.add(1);
        self.deliver(&message, permit);
        self.answer(reply.pay(), Ok(&message));
        self.log.remember(message);
    }
}

/// Frames of a room have a type of their own.
fn frame_kind(name: &TopicName) -> &'static str {
    if name.namespace() == Some("room") { "room_message" } else { "message" }
}

impl Restart for TopicActor {
    const KIND: &'static str = "topic";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(TopicActor);

impl Actor for TopicActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.kind.kept == Kept::Store {
            self.read_store(ctx);
        }
    }
}

impl Handler<Queued<Publish>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Publish>, ctx: &mut Self::Context) {
        let Publish { payload, kind, priority, key, event_type, permit, reply } = queued.msg;
        let reply = Owed::new(reply);
        if let Some(error) = &self.unread {
            let error = TopicError::Store(error.clone());
            return self.answer(reply.pay(), Err(error));
        }
        let now_ms = self.args.clock.unix_ms();
        self.args.interest.touched_ms.store(now_ms, Ordering::Relaxed);
        let offset = self.log.assign();
        let priority = priority.unwrap_or(self.kind.priority);
        let id = MessageId::at(now_ms);
        let message =
            self.encode(id, now_ms, offset, kind, priority, key, event_type, &queued.cause, payload.get());
        match self.kind.kept {
            Kept::Memory => self.send_out(message, permit, reply),
            Kept::Store => self.commit(message, permit, reply, ctx),
        }
    }
}

impl Handler<Queued<Announce>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Announce>, _ctx: &mut Self::Context) {
        let Announce { frame, priority } = queued.msg;
        let topic = self.args.id.number();
        self.args.interest.each(|outlet| {
            let delivery = Delivery::Message { topic, frame: frame.clone(), priority, permit: None };
            if outlet.push(delivery).is_err() {
                Counter::Dropped.add_for("outlet_full", 1);
            }
        });
    }
}

impl Handler<Queued<Subscribe>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Subscribe>, _ctx: &mut Self::Context) {
        let Subscribe { outlet, member, request, history, attachment } = queued.msg;
        let delivery = match &self.unread {
            Some(error) => {
                let error = TopicError::Store(error.clone());
                Delivery::SubscribeFailed { member, request, error }
            }
            None => {
                self.args.interest.join(&outlet);
                Delivery::Subscribed {
                    member,
                    request,
                    topic: self.args.id,
                    name: self.args.name.shared(),
                    position: (self.log.epoch().clone(), self.log.offset()),
                    current: self.log.current(),
                    history: self.log.tail(history),
                    attachment,
                }
            }
        };
        if outlet.push(delivery).is_err() {
            Counter::Dropped.add_for("outlet_full", 1);
        }
    }
}

impl Handler<Queued<Leave>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Leave>, _ctx: &mut Self::Context) {
        self.args.interest.leave(&queued.msg.outlet, queued.msg.members);
        self.args.interest.touched_ms.store(self.args.clock.unix_ms(), Ordering::Relaxed);
    }
}

impl Handler<Queued<TopicSnapshot>> for TopicActor {
    type Result = TopicView;

    fn handle(&mut self, queued: Queued<TopicSnapshot>, _ctx: &mut Self::Context) -> TopicView {
        TopicView {
            epoch: self.log.epoch().clone(),
            offset: self.log.offset(),
            messages: self.log.tail(queued.msg.limit),
            subscribers: self.args.interest.members(),
        }
    }
}
