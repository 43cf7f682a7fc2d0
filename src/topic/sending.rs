//! How a topic's messages leave it: encoded once, to every worker with members, and the answers to publishers.

use std::sync::Arc;

use bytes::Bytes;

use super::actor::TopicActor;
use super::bundle::Bundle;
use super::log::Stored;
use super::messages::Reply;
use super::outlet::{Delivery, Permit};
use super::{Published, TopicError};
use crate::ids::MessageId;
use crate::protocol::batch::{BatchItem, BatchMeta, batch};
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::protocol::server::{self, MessageMeta};
use crate::telemetry::Counter;

/// What the envelope of a message says besides its payload.
pub(super) struct Head {
    pub(super) id: MessageId,
    pub(super) unix_ms: u64,
    pub(super) offset: u64,
    pub(super) priority: Priority,
    pub(super) key: Option<Arc<str>>,
    pub(super) event_type: Option<Arc<str>>,
    pub(super) correlation_id: Option<Arc<str>>,
}

impl TopicActor {
    pub(super) fn encode(&mut self, head: Head, payload: &str) -> Stored {
        let Head { id, unix_ms, offset, priority, key, event_type, correlation_id } = head;
        let meta = MessageMeta {
            kind: self.kind.frame_type,
            id,
            timestamp: self.stamper.stamp(unix_ms),
            topic: self.args.name.as_str(),
            offset,
            epoch: self.log.epoch(),
            priority,
            key: key.as_deref(),
            event_type: event_type.as_deref(),
            correlation_id: correlation_id.as_deref(),
        };
        let (frame, parts) = server::message(&meta, payload);
        let frame = SharedFrame::json(frame);
        Stored { offset, id, unix_ms, key, event_type, correlation_id, priority, frame, parts }
    }

    /// Hands messages to every worker with members; at least one, in order of offsets.
    pub(super) fn send(&mut self, messages: Vec<Stored>, priority: Priority, permits: Vec<Permit>) {
        let frame = match &messages[..] {
            [only] => only.frame.clone(),
            several => self.batch(several, priority),
        };
        let (topic, class, epoch) = (self.args.id, self.kind.class, self.log.epoch().clone());
        let bundle = Arc::new(Bundle { topic, epoch, class, priority, messages, frame, permits });
        self.args.interest.each(|outlet| outlet.offer(Delivery::Bundle(bundle.clone())));
        self.args.interest.flushed(bundle.last_offset());
    }

    fn batch(&mut self, messages: &[Stored], priority: Priority) -> SharedFrame {
        Counter::Batches.add(1);
        Counter::BatchedMessages.add(messages.len() as u64);
        let unix_ms = self.args.clock.unix_ms();
        let meta = BatchMeta {
            unix_ms,
            timestamp: self.stamper.stamp(unix_ms),
            topic: self.args.name.as_str(),
            epoch: self.log.epoch(),
            priority,
        };
        let items: Vec<_> = messages.iter().map(item).collect();
        SharedFrame::json(batch(&meta, &items))
    }

    pub(super) fn answer(&mut self, reply: Reply, outcome: Result<&Stored, TopicError>) {
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
                let epoch = self.log.epoch().clone();
                let outcome = outcome.map(|message| (&*epoch, message.offset));
                let frame = self.answer_frame(kind, reply_to.as_deref(), outcome);
                outlet.offer(Delivery::Reply { member, frame: SharedFrame::json(frame) });
            }
        }
    }

    /// Answers with a place that is not the log's own to give.
    pub(super) fn answer_with(&mut self, reply: Reply, outcome: Result<Published, TopicError>) {
        match reply {
            Reply::Nobody => {}
            // The caller may have stopped waiting.
            Reply::Caller(caller) => drop(caller.send(outcome)),
            Reply::Member { outlet, member, reply_to, kind } => {
                let outcome = outcome.as_ref().map(|at| (&*at.epoch, at.offset)).map_err(Clone::clone);
                let frame = self.answer_frame(kind, reply_to.as_deref(), outcome);
                outlet.offer(Delivery::Reply { member, frame: SharedFrame::json(frame) });
            }
        }
    }

    fn answer_frame(
        &mut self,
        kind: &str,
        reply_to: Option<&str>,
        outcome: Result<(&str, u64), TopicError>,
    ) -> Bytes {
        let now_ms = self.args.clock.unix_ms();
        match outcome {
            Ok((epoch, offset)) => {
                let id = MessageId::at(now_ms);
                let stamp = self.stamper.stamp(now_ms);
                server::published(kind, stamp, id, reply_to, self.args.name.as_str(), epoch, offset)
            }
            Err(error) => {
                Counter::ErrorsSent.add_for(error.code().row().name, 1);
                server::error(error.code(), &error.to_string(), now_ms, reply_to)
            }
        }
    }
}

/// A message as an item of a batch.
pub fn item(message: &Stored) -> BatchItem<'_> {
    BatchItem {
        body: message.body_text(),
        offset: message.offset,
        priority: message.priority,
        key: message.key.as_deref(),
        event_type: message.event_type.as_deref(),
        correlation_id: message.correlation_id.as_deref(),
    }
}

/// The message as its first reader after a gap gets it: `metadata.dropped` says how many it did not get.
pub(super) fn with_dropped(message: &Stored, dropped: u64) -> Stored {
    if dropped == 0 {
        return message.clone();
    }
    let frame = server::with_dropped(message.frame.as_json(), &message.parts, dropped);
    Stored { frame: SharedFrame::json(frame), ..message.clone() }
}
