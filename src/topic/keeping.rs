//! The store's side of a topic that is kept there: what it knows at the start, commits, and what is sent out
//! once they are known.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::TopicError;
use super::actor::TopicActor;
use super::kind::Bounds;
use super::log::Stored;
use super::outlet::Permit;
use super::owed::Owed;
use super::sending::Head;
use crate::ids::MessageId;
use crate::protocol::priority::Priority;
use crate::store::{Event, StoreError, TopicHead, TopicRecord};

/// How long a topic waits before it asks an unreachable store again, in milliseconds.
const STORE_RETRY_MS: u64 = 1_000;

/// A message whose commit is not known.
pub(super) struct Uncommitted {
    message: Stored,
    permit: Permit,
    reply: Owed,
    outcome: Option<Result<(), TopicError>>,
}

/// What the store knows of a topic: where it stands, its newest messages, those that subscribers were not sent.
type Kept = (Option<TopicHead>, Vec<Event>, Vec<Event>);

impl TopicActor {
    /// Learns epoch, offset and the newest messages from the store; nothing else happens meanwhile.
    pub(super) fn read_store(&mut self, ctx: &mut Context<Self>) {
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let bounds = Bounds::of(&self.args.name, &self.args.settings);
        // A personal topic is in memory whole; of others the newest messages are, and the store has the rest.
        let tail_max = self.args.settings.room_history_messages;
        let limit = if self.kind.personal { bounds.messages_max } else { tail_max };
        let (sent, unsent_max) = (self.args.interest.sent(), self.args.settings.history_messages_max);
        let read = async move {
            // What a former life of this topic has sent to the store counts: its offsets are given.
            store.settled().await?;
            let Some(head) = store.topic_head(name.as_str()).await? else {
                return Ok((None, Vec::new(), Vec::new()));
            };
            let tail = store.tail_events(name.as_str(), limit, None).await?;
            let unsent = match sent.filter(|sent| *sent < head.last_offset) {
                Some(sent) => store.events_after(name.as_str(), &head.epoch, sent, unsent_max).await?,
                None => Vec::new(),
            };
            Ok::<Kept, StoreError>((Some(head), tail, unsent))
        };
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| match read {
            Ok(kept) => actor.resume(kept),
            Err(error) => {
                tracing::warn!(topic = %actor.args.name, %error, "topic cannot be read from the store");
                actor.unread = Some(error.to_string());
                ctx.run_later(Duration::from_millis(STORE_RETRY_MS), Self::read_store);
            }
        }));
    }

    pub(super) fn resume(&mut self, (head, tail, unsent): Kept) {
        self.unread = None;
        let last_offset = head.as_ref().map_or(0, |head| head.last_offset);
        if let Some(head) = head {
            // Frames name the epoch: it is known before they are made.
            self.log.resume(head.epoch.as_str().into(), head.last_offset, Vec::new());
            let tail = tail.into_iter().map(|event| self.restored(event)).collect();
            self.log.resume(head.epoch.as_str().into(), head.last_offset, tail);
        }
        self.args.interest.flushed_at_start(last_offset);
        // A former life committed these and crashed before it sent them.
        let unsent: Vec<_> = unsent.into_iter().map(|event| self.restored(event)).collect();
        if let Some(priority) = unsent.iter().map(|message| message.priority).min() {
            self.send(unsent, priority, Vec::new());
        }
    }

    /// A message out of the store as the frame it once was (with a fresh look, the same content).
    pub(super) fn restored(&mut self, event: Event) -> Stored {
        let payload = std::str::from_utf8(&event.payload).unwrap_or("null");
        let head = Head {
            id: MessageId::parse(&event.id).unwrap_or_else(|| MessageId::at(event.ts_ms)),
            unix_ms: event.ts_ms,
            offset: event.offset,
            priority: Priority::parse(&event.priority).unwrap_or(self.kind.priority),
            key: event.key.map(Arc::from),
            event_type: Some(event.kind).filter(|kind| kind != self.kind.frame_type).map(Arc::from),
            correlation_id: None,
        };
        self.encode(head, payload)
    }

    /// A message as the store keeps it.
    fn event(&self, message: &Stored) -> Event {
        Event {
            offset: message.offset,
            id: message.id.to_string(),
            ts_ms: message.unix_ms,
            key: message.key.as_deref().map(str::to_owned),
            priority: message.priority.as_str().to_owned(),
            kind: message.event_type.as_deref().unwrap_or(self.kind.frame_type).to_owned(),
            payload: message.frame.as_json().slice(message.parts.payload.clone()),
        }
    }

    /// The topic as a drain keeps it.
    pub(super) fn record(&self) -> TopicRecord {
        TopicRecord {
            name: self.args.name.to_string(),
            head: TopicHead {
                epoch: self.log.epoch().to_string(),
                // What nodes share is with Redis.
                last_offset: if self.carriage.is_some() { 0 } else { self.log.offset() },
            },
            events: self.log.tail(usize::MAX).iter().map(|message| self.event(message)).collect(),
        }
    }

    /// Hands the message to the store; it is taken in when the commit is known.
    pub(super) fn commit(&mut self, message: Stored, permit: Permit, reply: Owed, ctx: &mut Context<Self>) {
        let event = self.event(&message);
        let offset = message.offset;
        let written = self.args.store.append_event(self.args.name.as_str(), self.log.epoch(), event);
        self.uncommitted.push_back(Uncommitted { message, permit, reply, outcome: None });
        ctx.spawn(written.into_actor(self).map(move |written, actor, ctx| {
            let outcome = written.map_err(|e| TopicError::Store(e.to_string()));
            if let Some(waiting) = actor.uncommitted.iter_mut().find(|w| w.message.offset == offset) {
                waiting.outcome = Some(outcome);
            }
            actor.release(ctx);
        }));
    }

    /// Takes in what is committed, up to the first message that is not yet.
    fn release(&mut self, ctx: &mut Context<Self>) {
        while self.uncommitted.front().is_some_and(|w| w.outcome.is_some()) {
            let Some(Uncommitted { message, permit, reply, outcome }) = self.uncommitted.pop_front() else {
                return;
            };
            match outcome {
                Some(Err(error)) => {
                    self.unread = Some(match &error {
                        TopicError::Store(reason) => reason.clone(),
                        other => other.to_string(),
                    });
                    self.answer(reply.pay(), Err(error));
                }
                _ => self.take_in(message, Some(permit), reply, ctx),
            }
        }
        if self.unread.is_some() && self.uncommitted.is_empty() {
            // Which of the offsets that were given out are taken only the store knows. They go on from there,
            // so that subscribers see no gap.
            self.flush(ctx);
            self.read_store(ctx);
        }
    }
}
