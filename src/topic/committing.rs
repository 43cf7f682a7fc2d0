//! A topic that is kept in a store that hub nodes share: the store gives each message its place in its transaction.
//!
//! What is committed is answered, taken in by offset like what other nodes committed, and pushed to them through Redis. A
//! push may not come: Redis is gone, or the node died behind its commit. So nodes that follow are told once a second
//! where the topic stands in the store ([`StoreHead`]), and read what is missing.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;

use super::TopicError;
use super::actor::{TopicActor, fresh_epoch};
use super::carrying::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, Mode, Outbound};
use super::handle::Interest;
use super::kind::Bounds;
use super::messages::StoreHead;
use crate::engine::order::Came;
use crate::engine::{Carried, Found};
use crate::ids::{MessageId, TopicName};
use crate::ownership::{Fence, Unit};
use crate::protocol::priority::Priority;
use crate::store::{Event, Store, StoreError};
use crate::supervision::Queued;

/// Messages that wait to be pushed; older ones are read by the other nodes.
const PUSHES_MAX: usize = 4_096;

/// Kind of the notice that a personal topic, which it names, has a new message: its owner may be at another node.
pub const MAIL: &str = "mail";

/// Messages that one look into the store brings.
const PAGE: usize = 1_000;

/// What is with the store, and what is on its way from there to other nodes.
#[derive(Default)]
pub(super) struct Committing {
    /// In the order in which the store got them.
    sent: VecDeque<Sent>,
    /// Committed, in the same order.
    pushes: VecDeque<(Arc<str>, u64, Carried)>,
    is_pushing: bool,
    numbers: u64,
}

struct Sent {
    number: u64,
    outbound: Outbound,
    outcome: Option<Placed>,
}

/// The epoch and offset that the store gave.
type Placed = Result<(Arc<str>, u64), StoreError>;

impl Committing {
    /// Messages whose commit is not known.
    pub(super) fn waiting(&self) -> usize {
        self.sent.len()
    }

    fn send(&mut self, outbound: Outbound) -> u64 {
        self.numbers += 1;
        self.sent.push_back(Sent { number: self.numbers, outbound, outcome: None });
        self.numbers
    }

    /// The oldest message, if its outcome is known.
    fn pop_known(&mut self) -> Option<(Outbound, Placed)> {
        self.sent.front()?.outcome.as_ref()?;
        let Sent { outbound, outcome, .. } = self.sent.pop_front()?;
        Some((outbound, outcome?))
    }

    fn will_push(&mut self, epoch: Arc<str>, offset: u64, message: Carried) {
        self.pushes.push_back((epoch, offset, message));
        if self.pushes.len() > PUSHES_MAX {
            self.pushes.pop_front();
        }
    }

    /// Messages that follow each other: one push.
    fn next_push(&mut self) -> Option<(Arc<str>, u64, Vec<Carried>)> {
        let (epoch, first, message) = self.pushes.pop_front()?;
        let mut bytes = message.payload.len();
        let mut messages = vec![message];
        while let Some((of, offset, next)) = self.pushes.front() {
            bytes += next.payload.len();
            let is_next = *of == epoch && *offset == first + messages.len() as u64;
            if !is_next || messages.len() >= BATCH_MESSAGES_MAX || bytes > BATCH_BYTES_MAX {
                break;
            }
            messages.extend(self.pushes.pop_front().map(|(_, _, message)| message));
        }
        Some((epoch, first, messages))
    }
}

impl TopicActor {
    /// Hands a message to the store, which gives it its place, or refuses it under the fence of its publisher.
    pub(super) fn commit_shared(&mut self, outbound: Outbound, fence: Fence, ctx: &mut Context<Self>) {
        let Some(carriage) = &mut self.carriage else { return };
        let event = event(&outbound.message, self.kind.frame_type);
        let store = fence.guard(&self.args.store, Unit::Alerts);
        let written = store.append_next(self.args.name.as_str(), carriage.order.epoch(), event);
        let number = carriage.committing.send(outbound);
        ctx.spawn(written.into_actor(self).map(move |written, actor, ctx| {
            let Some(carriage) = &mut actor.carriage else { return };
            if let Some(sent) = carriage.committing.sent.iter_mut().find(|sent| sent.number == number) {
                sent.outcome = Some(written.map(|(epoch, offset)| (epoch.into(), offset)));
            }
            actor.committed(ctx);
        }));
    }

    /// Answers for what is committed, up to the first message that is not yet. What failed may be in the store
    /// nevertheless: then it is found there.
    fn committed(&mut self, ctx: &mut Context<Self>) {
        let mut is_elsewhere = false;
        while let Some((outbound, outcome)) =
            self.carriage.as_mut().and_then(|carriage| carriage.committing.pop_known())
        {
            match outcome {
                Ok((epoch, offset)) => {
                    let message = outbound.message.clone();
                    is_elsewhere |= self.has_place(outbound, &epoch, offset) == Some(Came::Elsewhere);
                    if let Some(carriage) = &mut self.carriage {
                        carriage.committing.will_push(epoch, offset, message);
                    }
                }
                Err(error) => {
                    self.answer_with(outbound.reply.pay(), Err(TopicError::Store(error.to_string())));
                }
            }
        }
        if is_elsewhere {
            self.join(ctx);
        }
        self.take_in_ready(ctx);
        self.push(ctx);
    }

    /// Tells other nodes of what is committed, one push at a time.
    fn push(&mut self, ctx: &mut Context<Self>) {
        let Some(carriage) = self.carriage.as_mut().filter(|carriage| !carriage.committing.is_pushing) else {
            return;
        };
        if !carriage.carrier.way().is_up {
            return carriage.committing.pushes.clear();
        }
        let Some((epoch, first, messages)) = carriage.committing.next_push() else { return };
        carriage.committing.is_pushing = true;
        let (carrier, stream) = (carriage.carrier.clone(), carriage.stream.clone());
        let is_personal = self.kind.personal;
        let pushed = async move {
            let pushed = carrier.push(&stream, &epoch, first, &messages).await;
            if is_personal {
                carrier.say(MAIL, stream.name.to_string());
            }
            pushed
        };
        ctx.spawn(pushed.into_actor(self).map(|pushed, actor, ctx| {
            if let Err(error) = pushed {
                tracing::debug!(topic = %actor.args.name, %error, "other nodes find messages in the store");
            }
            if let Some(carriage) = &mut actor.carriage {
                carriage.committing.is_pushing = false;
            }
            actor.push(ctx);
        }));
    }

    /// Reads the topic in the store.
    pub(super) fn in_store(&self) -> InStore {
        let settings = &self.args.settings;
        // A personal topic is in memory whole; of others the newest messages are, and the store has the rest.
        let bounds = Bounds::of(&self.args.name, settings);
        InStore {
            store: self.args.store.clone(),
            name: self.args.name.clone(),
            interest: self.args.interest.clone(),
            frame_type: self.kind.frame_type,
            tail_max: if self.kind.personal { bounds.messages_max } else { settings.room_history_messages }
                as u64,
            missing_max: settings.history_messages_max as u64,
        }
    }
}

impl Handler<Queued<StoreHead>> for TopicActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<StoreHead>, ctx: &mut Self::Context) {
        let StoreHead { epoch, last_offset } = queued.msg;
        let Some(carriage) = self.carriage.as_ref().filter(|carriage| carriage.mode == Mode::Following)
        else {
            return;
        };
        if *epoch != **carriage.order.epoch() {
            self.join(ctx);
        } else if last_offset > carriage.order.top() {
            self.fill(ctx);
        }
    }
}

/// The part of a topic that the store has.
pub(super) struct InStore {
    store: Store,
    name: TopicName,
    interest: Arc<Interest>,
    frame_type: &'static str,
    /// Messages that memory begins with.
    tail_max: u64,
    /// Messages that are read for subscribers; if more are missing, the older ones are lost to them.
    missing_max: u64,
}

impl InStore {
    /// What follows a place; the newest messages where that is of another epoch. A topic that nobody knows begins.
    pub(super) async fn after(&self, epoch: &str, top: u64) -> Result<Found, StoreError> {
        let name = self.name.as_str();
        let head = match self.store.topic_head(name).await? {
            Some(head) => head,
            None => self.store.open_topic(name, &fresh_epoch()).await?,
        };
        let newest = |count: u64| head.last_offset.saturating_sub(count);
        let from = match (head.epoch == epoch, self.interest.sent_in(&head.epoch)) {
            (true, _) if self.interest.is_wanted() => top.max(newest(self.missing_max)),
            (true, _) => top.max(newest(self.tail_max)),
            // A former life of the actor did not send the rest.
            (false, Some(sent)) => newest(self.tail_max).min(sent.max(newest(self.missing_max))),
            (false, None) => newest(self.tail_max),
        };
        let mut found = Found { epoch: head.epoch.into(), head: head.last_offset, messages: Vec::new() };
        let mut after = from;
        loop {
            let page = self.store.events_after(name, &found.epoch, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            found.messages.extend(page.into_iter().map(|event| (event.offset, self.carried(event))));
            after = found.messages.last().map_or(after, |(last, _)| *last);
            if is_last {
                found.head = found.head.max(after);
                return Ok(found);
            }
        }
    }

    fn carried(&self, event: Event) -> Carried {
        Carried {
            id: MessageId::parse(&event.id).unwrap_or_else(|| MessageId::at(event.ts_ms)),
            unix_ms: event.ts_ms,
            // What nobody can read is not more urgent than the rest.
            priority: Priority::parse(&event.priority).unwrap_or(Priority::Normal),
            key: event.key.map(Arc::from),
            event_type: Some(event.kind).filter(|kind| kind != self.frame_type).map(Arc::from),
            correlation_id: None,
            payload: std::str::from_utf8(&event.payload).unwrap_or("null").into(),
        }
    }
}

/// A message as the store keeps it; its offset is the store's to give.
fn event(message: &Carried, frame_type: &str) -> Event {
    Event {
        offset: 0,
        id: message.id.to_string(),
        ts_ms: message.unix_ms,
        key: message.key.as_deref().map(str::to_owned),
        priority: message.priority.as_str().to_owned(),
        kind: message.event_type.as_deref().unwrap_or(frame_type).to_owned(),
        payload: Bytes::from(message.payload.as_bytes().to_vec()),
    }
}
