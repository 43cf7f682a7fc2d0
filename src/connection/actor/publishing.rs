//! What a client publishes, and what it has taken out of its own topics.

use actix::prelude::*;

use super::{ConnectionActor, Failure};
use crate::auth::permission;
use crate::broker::Draft;
use crate::connection::session::Personal;
use crate::ids::{MessageId, TopicName};
use crate::ownership::Fence;
use crate::protocol::client::{Ack, Publish};
use crate::protocol::codes::Code;
use crate::telemetry::Cause;
use crate::topic::TopicError;

/// Messages that one `ack` names.
const ACK_IDS_MAX: usize = 1_000;

/// What a publisher is asked to keep to when the hub is nearly full, and how long it waits when it is.
const FLOW_RATE_HZ: u32 = 50;
const FLOW_PAUSE_MS: u64 = 1_000;

impl ConnectionActor {
    pub(super) fn publish(
        &mut self,
        publish: Publish<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> Result<(), Failure> {
        let topic = TopicName::parse(&publish.topic)?;
        if !permission::may_publish(&self.seat.claims(), topic.as_str()) {
            return Err(Failure::new(Code::Forbidden, format!("not allowed to publish to {topic}")));
        }
        self.may_open(&topic)?;
        let draft = Draft {
            fence: Fence::Alone,
            payload: publish.data.to_owned(),
            priority: publish.priority,
            key: publish.key.map(|key| key.into()),
            event_type: None,
        };
        let services = self.shard.services.clone();
        if !services.may_be_elsewhere(&topic) {
            return self.publish_draft(&topic, draft, reply_to, cause);
        }
        self.waits = true;
        let (reply_to, cause) = (reply_to.map(str::to_owned), cause.clone());
        let found = async move {
            services.find_queue(&topic).await;
            topic
        };
        ctx.wait(found.into_actor(self).map(move |topic, actor, _ctx| {
            actor.waits = false;
            if let Err(failure) = actor.publish_draft(&topic, draft, reply_to.as_deref(), &cause) {
                actor.tell_failure("publish", &failure, reply_to.as_deref(), &cause);
            }
            actor.seat.wake_actor(&Cause::own());
        }));
        Ok(())
    }

    fn publish_draft(
        &mut self,
        topic: &TopicName,
        draft: Draft,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let services = self.shard.services.clone();
        if !services.keep_queue_of(topic) {
            return Err(Failure::new(
                Code::NoSession,
                format!("{topic} is the queue of nobody who has a session"),
            ));
        }
        let Some(guarded) = self.enter(&services, topic, draft.priority, reply_to) else {
            return Ok(());
        };
        let reply = self.reply_route(reply_to, "published");
        let published = services.broker.publish(topic, draft, reply, cause);
        guarded.told(&published);
        if matches!(published, Err(TopicError::Overloaded)) {
            self.tell_flow(1, FLOW_PAUSE_MS, "the hub has as much on its way as it can take");
        } else if services.broker.is_nearly_full() {
            self.tell_flow(FLOW_RATE_HZ, 0, "three quarters of what the hub can have on its way are");
        }
        published.map_err(|error| Failure::new(error.code(), error.to_string()))
    }

    /// A topic that is not there yet counts for whoever publishes first.
    fn may_open(&mut self, topic: &TopicName) -> Result<(), Failure> {
        if self.shard.services.broker.find(topic).is_none() {
            let topics_max = self.shard.services.settings.topics_max;
            if self.opened_topics >= topics_max {
                let message = format!("a connection may open at most {topics_max} topics by publishing");
                return Err(Failure::new(Code::TooManyTopics, message));
            }
            self.opened_topics += 1;
        }
        Ok(())
    }

    pub(super) fn ack(
        &mut self,
        ack: &Ack<'_>,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> Result<(), Failure> {
        match (&ack.ids, &ack.topic, ack.offset) {
            (Some(ids), None, None) => self.ack_ids(ids, cause, ctx),
            (None, Some(topic), Some(offset)) => self.ack_to(topic, offset),
            _ => Err(Failure::new(Code::InvalidField, "`ack` needs either `ids`, or `topic` and `offset`")),
        }
    }

    fn own_topics(&self) -> [(Personal, String); 2] {
        let identity = self.seat.identity.borrow();
        Personal::ALL.map(|own| (own, own.topic(identity.client_id.as_str(), &identity.claims.sub)))
    }

    fn ack_to(&self, topic: &str, offset: u64) -> Result<(), Failure> {
        let own = self.own_topics();
        let Some((personal, _)) = own.iter().find(|(_, name)| name == topic) else {
            let [(_, client), (_, user)] = own;
            let message = format!("`ack` is for {client} and {user}, not for {topic:?}");
            return Err(Failure::new(Code::InvalidField, message));
        };
        // Nothing came of a topic that the connection does not have.
        let Some(at) = self.shard.position_of(&self.seat, topic) else { return Ok(()) };
        if offset > at.offset {
            let message =
                format!("`offset` must be at most {}, the last of {topic}, not {offset}", at.offset);
            return Err(Failure::new(Code::InvalidField, message));
        }
        let client_id = self.seat.identity.borrow().client_id.clone();
        let clients = &self.shard.services.clients;
        clients.take(&client_id, *personal, |taken| taken.acknowledge_to(&at.epoch, offset));
        Ok(())
    }

    fn ack_ids(&mut self, ids: &[String], cause: &Cause, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if ids.len() > ACK_IDS_MAX {
            let message = format!("`ids` may name at most {ACK_IDS_MAX} messages, not {}", ids.len());
            return Err(Failure::new(Code::InvalidField, message));
        }
        let parsed: Option<Vec<MessageId>> = ids.iter().map(|id| MessageId::parse(id)).collect();
        let Some(ids) = parsed else {
            return Err(Failure::new(Code::InvalidField, "`ids` must be ids of messages, which are UUIDs"));
        };
        self.begin_reading()?;
        let mut topics = Vec::new();
        for (personal, name) in self.own_topics() {
            let topic = TopicName::parse(&name).ok().and_then(|name| self.shard.services.broker.find(&name));
            topics.extend(topic.map(|topic| (personal, topic)));
        }
        let (clients, cause) = (self.shard.services.clients.clone(), cause.clone());
        let client_id = self.seat.identity.borrow().client_id.clone();
        let take = async move {
            for (personal, topic) in topics {
                let Some((epoch, offsets)) = topic.find(ids.clone(), &cause).await else { continue };
                clients.take(&client_id, personal, |taken| {
                    offsets.iter().for_each(|offset| taken.acknowledge(&epoch, *offset));
                });
            }
        };
        ctx.spawn(take.into_actor(self).map(|(), actor, _ctx| actor.reading -= 1));
        Ok(())
    }
}
