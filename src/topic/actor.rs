//! The mailbox around a topic.
//!
//! Owns the topic's [`Log`] and what waits for its flush; takes [`Publish`] and [`Subscribe`](super::Subscribe), pushes bundles to
//! the outlets of workers that have members. A crash loses what is in memory and begins a new epoch, which
//! subscribers see in the next message; topics that are kept in the store go on where the store left off.
//! Who subscribes is shared with the handle and survives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;

use super::TopicError;
use super::carrying::Carriage;
use super::coalesce::Coalescer;
use super::handle::{Interest, TopicId};
use super::keeping::Uncommitted;
use super::kind::{Bounds, Kept, Kind, Pace};
use super::log::{Log, Stored};
use super::messages::{Announce, Leave, Publish, RecordTopic, TopicSnapshot, TopicView};
use super::outlet::{Delivery, Permit};
use super::owed::Owed;
use super::pulse::Pulse;
use super::sending::Head;
use crate::clock::Clock;
use crate::config::TopicSection;
use crate::engine::Carrier;
use crate::fault::Faults;
use crate::ids::{MessageId, TopicName};
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::protocol::server::Stamper;
use crate::store::{Store, TopicRecord};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::Counter;

/// What a topic is made of, again after each crash.
#[derive(Clone)]
pub struct TopicArgs {
    /// Number of the topic in this process.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// Who subscribes; outlives the actor.
    pub interest: Arc<Interest>,
    /// What a drain of the hub has kept of a topic in memory; taken once, so that a crash begins anew.
    pub former: Arc<Mutex<Option<TopicRecord>>>,
    /// For topics that are kept there.
    pub store: Store,
    /// Bounds of history.
    pub settings: Arc<TopicSection>,
    /// Carries messages to other nodes; `None` for a hub alone.
    pub carrier: Option<Carrier>,
    /// Time.
    pub clock: Clock,
    /// What is to go wrong on purpose.
    pub faults: Option<Arc<Faults>>,
}

/// An epoch that nobody has seen.
pub(super) fn fresh_epoch() -> Arc<str> {
    let epoch = uuid::Uuid::new_v4().simple().to_string();
    epoch.get(..12).unwrap_or(&epoch).into()
}

/// One topic.
pub struct TopicActor {
    pub(super) log: Log,
    pub(super) kind: Kind,
    /// Taken in, not yet sent out.
    pub(super) waiting: Coalescer<(Stored, Option<Permit>)>,
    pulse: Pulse,
    /// Ends the wait of what waits; `None` while nothing does.
    flush_timer: Option<(u64, SpawnHandle)>,
    /// Waits for its commit, in order of offsets; empty for topics in memory.
    pub(super) uncommitted: VecDeque<Uncommitted>,
    /// Why the store's part of the topic is not known yet.
    pub(super) unread: Option<String>,
    /// Of a topic that nodes share.
    pub(super) carriage: Option<Box<Carriage>>,
    pub(super) stamper: Stamper,
    pub(super) args: TopicArgs,
}

impl TopicActor {
    /// A topic before its first message.
    pub fn new(args: TopicArgs) -> Self {
        let kind = Kind::under(&args.name, &args.settings);
        let epoch = fresh_epoch();
        let bounds = Bounds::of(&args.name, &args.settings);
        Self {
            carriage: Carriage::of(&args, kind, &epoch).map(Box::new),
            log: Log::new(kind.class, bounds, epoch),
            kind,
            waiting: Coalescer::new(kind.class, Pace::of(&args.name, &args.settings)),
            pulse: Pulse::default(),
            flush_timer: None,
            uncommitted: VecDeque::new(),
            unread: None,
            stamper: Stamper::default(),
            args,
        }
    }

    /// Takes a message in for good: answers, remembers, and sends it out now or with others.
    pub(super) fn take_in(
        &mut self,
        message: Stored,
        permit: Option<Permit>,
        reply: Owed,
        ctx: &mut Context<Self>,
    ) {
        let now_ms = self.args.clock.monotonic_ms();
        Counter::Published.add(1);
        self.pulse.note(now_ms, message.bytes());
        self.log.remember(message.clone());
        if message.priority == Priority::Critical && self.waiting.waiting() == 0 {
            // On its way before its publisher knows.
            self.send(vec![message.clone()], Priority::Critical, permit.into_iter().collect());
            return self.answer(reply.pay(), Ok(&message));
        }
        self.answer(reply.pay(), Ok(&message));
        let (priority, key, bytes) = (message.priority, message.key.clone(), message.bytes());
        self.waiting.push(now_ms, priority, key.as_ref(), bytes, (message, permit));
        match self.waiting.due_ms() {
            Some(due_ms) if due_ms <= now_ms => self.flush(ctx),
            Some(due_ms) => self.flush_at(due_ms, now_ms, ctx),
            None => {}
        }
    }

    fn flush_at(&mut self, due_ms: u64, now_ms: u64, ctx: &mut Context<Self>) {
        match self.flush_timer {
            Some((at_ms, _)) if at_ms <= due_ms => return,
            Some((_, timer)) => _ = ctx.cancel_future(timer),
            None => {}
        }
        let wait = Duration::from_millis(due_ms - now_ms);
        let timer = ctx.run_later(wait, |actor, ctx| {
            actor.flush_timer = None;
            actor.flush(ctx);
        });
        self.flush_timer = Some((due_ms, timer));
    }

    /// Sends out all that waits.
    pub(super) fn flush(&mut self, ctx: &mut Context<Self>) {
        if let Some((_, timer)) = self.flush_timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(flush) = self.waiting.flush() else { return };
        Counter::Conflated.add_for("topic", flush.conflated);
        let (messages, permits): (_, Vec<_>) = flush.messages.into_iter().unzip();
        self.send(messages, flush.priority, permits.into_iter().flatten().collect());
    }
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
        match self.kind.kept {
            _ if self.carriage.is_some() => self.start_shared(ctx),
            Kept::Store => self.read_store(ctx),
            Kept::Memory => {
                let former = self.args.former.lock().take();
                match former {
                    Some(TopicRecord { head, events, .. }) => self.resume((Some(head), events, Vec::new())),
                    None => self.args.interest.began(0),
                }
            }
        }
    }
}

impl Handler<Queued<Publish>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Publish>, ctx: &mut Self::Context) {
        if let (Some(faults), Some(key)) = (&self.args.faults, &queued.msg.key) {
            assert!(!faults.is_poison(key), "fault scenario poison_message");
        }
        if self.carriage.is_some() {
            let now_ms = self.args.clock.unix_ms();
            self.args.interest.touched_ms.store(now_ms, Ordering::Relaxed);
            return self.submit(queued, now_ms, ctx);
        }
        let Publish { payload, priority, key, event_type, permit, reply, .. } = queued.msg;
        if let Some(error) = &self.unread {
            let error = TopicError::Store(error.clone());
            return self.answer(reply.pay(), Err(error));
        }
        let now_ms = self.args.clock.unix_ms();
        self.args.interest.touched_ms.store(now_ms, Ordering::Relaxed);
        let head = Head {
            id: MessageId::at(now_ms),
            unix_ms: now_ms,
            offset: self.log.assign(),
            priority: priority.unwrap_or(self.kind.priority),
            key,
            event_type,
            correlation_id: queued.cause.shared(),
        };
        let message = self.encode(head, payload.get());
        match self.kind.kept {
            Kept::Memory => self.take_in(message, Some(permit), reply, ctx),
            Kept::Store => self.commit(message, permit, reply, ctx),
        }
    }
}

impl Handler<Queued<Announce>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Announce>, _ctx: &mut Self::Context) {
        let Announce { frame, priority } = queued.msg;
        let (topic, frame) = (self.args.id, SharedFrame::json(frame));
        self.args
            .interest
            .each(|outlet| outlet.offer(Delivery::Push { topic, frame: frame.clone(), priority }));
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
            held: self.log.held(),
            waiting: self.waiting.waiting()
                + self.uncommitted.len()
                + self.carriage.as_ref().map_or(0, |carriage| carriage.waiting()),
            newest_ms: self.log.newest_ms(),
            per_second: self.pulse.per_second(self.args.clock.monotonic_ms()),
        }
    }
}

impl Handler<Queued<RecordTopic>> for TopicActor {
    type Result = MessageResult<Queued<RecordTopic>>;

    fn handle(&mut self, _question: Queued<RecordTopic>, _ctx: &mut Self::Context) -> Self::Result {
        MessageResult(self.record())
    }
}
