//! Readers of a topic: new subscribers, with or without a place to go on from, and pages of history.
//!
//! A subscriber is added at one point of the order: its answer, then what it missed, then all that follows.
//! Where memory does not reach back far enough the store is read first; what is published meanwhile is in
//! memory when that is done, so the two meet without a gap and without a duplicate.

use std::sync::Arc;

use actix::prelude::*;

use super::TopicError;
use super::actor::TopicActor;
use super::kind::{Class, Kept};
use super::log::Stored;
use super::messages::{FindMessages, ForgetKey, ForgetMessages, InboxView, Read, ReadInbox, Subscribe};
use super::outlet::{Delivery, Joined};
use super::owed::OwedSubscriber;
use super::position::{Page, Position, Since};
use super::sending;
use crate::store::Event;
use crate::supervision::Queued;

/// Messages that one look into the store brings.
const STORE_PAGE: usize = 1_000;

impl TopicActor {
    /// Adds the member now.
    fn admit(&mut self, subscribe: Subscribe, recovered: bool, missed: Vec<Stored>) {
        let Subscribe { outlet, member, request, filter, history, attachment, recover: _, taken: _ } =
            subscribe;
        self.args.interest.join(&outlet);
        let passes = |message: &Stored| {
            filter.as_ref().is_none_or(|f| f.lets_through(message.key.as_deref(), message.payload_text()))
        };
        outlet.offer(Delivery::Subscribed(Box::new(Joined {
            member,
            request,
            topic: self.args.id,
            name: self.args.name.shared(),
            class: self.kind.class,
            position: self.log.position(),
            recovered,
            missed: missed.into_iter().filter(passes).collect(),
            history: self.log.tail(history),
            attachment,
        })));
    }

    /// Reads the store from `after` on until memory takes over, then adds the member.
    fn catch_up(
        &mut self,
        owed: OwedSubscriber,
        from: Position,
        mut missed: Vec<Stored>,
        ctx: &mut Context<Self>,
    ) {
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let after = missed.last().map_or(from.offset, |last| last.offset);
        let read = async move { store.events_after(name.as_str(), &from.epoch, after, STORE_PAGE).await };
        ctx.spawn(read.into_actor(self).map(move |read, actor, ctx| {
            let at = actor.log.position();
            let from = Position { epoch: at.epoch.clone(), offset: after };
            let events: Vec<Event> = match read {
                Ok(events) => events.into_iter().filter(|event| event.offset <= at.offset).collect(),
                Err(error) => {
                    if let Some(Subscribe { outlet, member, request, .. }) = owed.pay() {
                        let error = TopicError::Store(error.to_string());
                        outlet.offer(Delivery::SubscribeFailed { member, request, error });
                    }
                    return;
                }
            };
            // The first that follows must be there: what the store has trimmed cannot be recovered.
            let whole = events.first().is_some_and(|first| first.offset == after + 1);
            missed.extend(events.into_iter().map(|event| actor.restored(event)));
            let reached = missed.last().map_or(after, |last| last.offset);
            let reached = Position { offset: reached, ..from.clone() };
            let over = missed.len() > actor.args.settings.history_messages_max;
            match actor.log.since(&reached) {
                _ if !whole || over => actor.finish(owed, false, Vec::new()),
                Since::Known => {
                    actor.flush(ctx);
                    missed.extend(actor.log.after(reached.offset, usize::MAX));
                    actor.finish(owed, true, missed);
                }
                Since::Trimmed => actor.catch_up(owed, from, missed, ctx),
                Since::Unknown => actor.finish(owed, false, Vec::new()),
            }
        }));
    }

    fn finish(&mut self, owed: OwedSubscriber, recovered: bool, missed: Vec<Stored>) {
        if let Some(subscribe) = owed.pay() {
            self.admit(subscribe, recovered, missed);
        }
    }

    /// A page out of memory, or `None` when the store must be asked.
    fn page(&self, since: Option<&Position>, limit: usize) -> Option<Page> {
        let Some(position) = since else { return Some(self.log.newest_page(limit, true)) };
        match self.log.since(position) {
            Since::Known => Some(self.log.page(position.offset, limit)),
            Since::Trimmed if self.kind.kept == Kept::Store => None,
            Since::Trimmed | Since::Unknown => Some(self.log.newest_page(limit, false)),
        }
    }
}

impl Handler<Queued<OwedSubscriber>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<OwedSubscriber>, ctx: &mut Self::Context) {
        let Some(subscribe) = queued.msg.pay() else { return };
        if let Some(error) = &self.unread {
            let Subscribe { outlet, member, request, .. } = subscribe;
            let error = TopicError::Store(error.clone());
            return outlet.offer(Delivery::SubscribeFailed { member, request, error });
        }
        // What waits for its flush is in the log: it must not come to the newcomer a second time.
        self.flush(ctx);
        self.log.trim(self.args.clock.unix_ms());
        if let Some(taken) = &subscribe.taken {
            let waiting = taken.waiting_in(&self.log, self.args.interest.started());
            let first = waiting.messages.first().map(|first| sending::with_dropped(first, waiting.dropped));
            let rest = waiting.messages.into_iter().skip(1);
            return self.admit(subscribe, waiting.dropped == 0, first.into_iter().chain(rest).collect());
        }
        let since = subscribe.recover.as_ref().map(|position| (self.log.since(position), position.clone()));
        match (self.kind.class, since) {
            (Class::Latest, Some((Since::Known, position))) => {
                let missed = self.log.after(position.offset, usize::MAX);
                self.admit(subscribe, true, missed);
            }
            (Class::Latest, _) => {
                let missed = self.log.after(0, usize::MAX);
                self.admit(subscribe, false, missed);
            }
            (Class::Log, Some((Since::Known, position))) => {
                let missed = self.log.after(position.offset, usize::MAX);
                self.admit(subscribe, true, missed);
            }
            (Class::Log, Some((Since::Trimmed, position))) if self.kind.kept == Kept::Store => {
                self.catch_up(OwedSubscriber::new(subscribe), position, Vec::new(), ctx);
            }
            (Class::Log, _) => self.admit(subscribe, false, Vec::new()),
        }
    }
}

impl Handler<Queued<ReadInbox>> for TopicActor {
    type Result = Result<InboxView, TopicError>;

    fn handle(&mut self, queued: Queued<ReadInbox>, _ctx: &mut Self::Context) -> Self::Result {
        if let Some(error) = &self.unread {
            return Err(TopicError::Store(error.clone()));
        }
        self.log.trim(self.args.clock.unix_ms());
        let waiting = queued.msg.taken.waiting_in(&self.log, self.args.interest.started());
        Ok(InboxView { position: self.log.position(), waiting })
    }
}

impl Handler<Queued<FindMessages>> for TopicActor {
    type Result = Option<(Arc<str>, Vec<u64>)>;

    fn handle(&mut self, queued: Queued<FindMessages>, _ctx: &mut Self::Context) -> Self::Result {
        let found = self.log.find(&queued.msg.ids);
        (!found.is_empty()).then(|| (self.log.epoch().clone(), found))
    }
}

impl Handler<Queued<ForgetMessages>> for TopicActor {
    type Result = ();

    fn handle(&mut self, _queued: Queued<ForgetMessages>, ctx: &mut Self::Context) {
        self.flush(ctx);
        self.log.forget();
        self.args.interest.began(self.log.offset());
    }
}

impl Handler<Queued<ForgetKey>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<ForgetKey>, ctx: &mut Self::Context) {
        self.flush(ctx);
        self.log.forget_key(&queued.msg.key);
        self.forget_everywhere(&queued.msg.key, ctx);
    }
}

impl Handler<Queued<Read>> for TopicActor {
    type Result = ResponseActFuture<Self, Result<Page, TopicError>>;

    fn handle(&mut self, queued: Queued<Read>, _ctx: &mut Self::Context) -> Self::Result {
        let Read { since, limit } = queued.msg;
        if let Some(error) = &self.unread {
            return Box::pin(fut::ready(Err(TopicError::Store(error.clone()))));
        }
        self.log.trim(self.args.clock.unix_ms());
        if let Some(page) = self.page(since.as_ref(), limit) {
            return Box::pin(fut::ready(Ok(page)));
        }
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let after = since.map_or(0, |position| position.offset);
        let epoch = self.log.epoch().clone();
        let read = async move { store.events_after(name.as_str(), &epoch, after, limit).await };
        Box::pin(read.into_actor(self).map(move |read, actor, _ctx| {
            let events = read.map_err(|error| TopicError::Store(error.to_string()))?;
            let top = actor.log.offset();
            let events: Vec<Event> = events.into_iter().filter(|event| event.offset <= top).collect();
            if events.first().is_none_or(|first| first.offset != after + 1) {
                return Ok(actor.log.newest_page(limit, false));
            }
            let messages = events.into_iter().map(|event| actor.restored(event)).collect();
            Ok(actor.log.page_of(messages, limit))
        }))
    }
}
