//! What a client asks of topics: to get them, no longer to get them, what they were.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::json;

use super::{ConnectionActor, Failure};
use crate::auth::{TopicPattern, permission};
use crate::connection::feed::FeedOptions;
use crate::connection::history::{HistoryItem, page_of_bytes};
use crate::connection::hold::Answer;
use crate::connection::throttle::{RATE_HZ_MAX, RATE_HZ_MIN, Throttle};
use crate::ids::TopicName;
use crate::protocol::client::{History, Topics};
use crate::protocol::codes::Code;
use crate::protocol::server;
use crate::protocol::topic_request::{Recover, TopicRequest};
use crate::telemetry::Cause;
use crate::topic::{Filter, Position, Subscribe};

/// Messages that `history` gives when it is asked for no number, and at most.
const HISTORY_LIMIT: usize = 50;
const HISTORY_LIMIT_MAX: usize = 500;

/// Questions to topics that one connection may wait for.
const READING_MAX: usize = 16;

/// What is asked of one topic, or of all that a wildcard names.
struct Wanted {
    /// `None` for a wildcard.
    name: Option<TopicName>,
    pattern: Option<TopicPattern>,
    recover: Option<Position>,
    options: FeedOptions,
}

impl Wanted {
    fn read(asked: &TopicRequest) -> Result<Self, Failure> {
        let wildcard = asked.topic.contains('*');
        let pattern = wildcard.then(|| TopicPattern::parse(&asked.topic)).transpose();
        let pattern = pattern.map_err(|e| Failure::new(Code::InvalidName, e.to_string()))?;
        let name = (!wildcard).then(|| TopicName::parse(&asked.topic)).transpose()?;
        if wildcard && asked.recover.is_some() {
            return Err(Failure::new(
                Code::InvalidField,
                "`recover` needs the name of one topic, not a wildcard",
            ));
        }
        let filter = asked.filter.clone().map(Filter::new).transpose();
        let filter = filter.map_err(|e| Failure::new(Code::InvalidField, e.to_string()))?.map(Arc::new);
        let throttle = match asked.max_rate_hz {
            None => None,
            Some(rate_hz) => Some(Throttle::new(rate_hz).ok_or_else(|| {
                let message = format!("`max_rate_hz` must be {RATE_HZ_MIN} to {RATE_HZ_MAX}, not {rate_hz}");
                Failure::new(Code::InvalidField, message)
            })?),
        };
        let options = FeedOptions { filter, throttle, conflate: asked.conflate };
        Ok(Self { name, pattern, recover: asked.recover.as_ref().map(position), options })
    }
}

fn position(asked: &Recover) -> Position {
    Position { epoch: asked.epoch.as_str().into(), offset: asked.offset }
}

impl ConnectionActor {
    pub(super) fn subscribe(
        &mut self,
        topics: &Topics,
        reply_to: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        let topics_max = self.shard.services.settings.topics_max;
        let mut wanted: Vec<Wanted> = Vec::with_capacity(topics.topics.len().min(64));
        for asked in topics.topics.iter().take(topics_max + 1) {
            let next = Wanted::read(asked)?;
            self.may_subscribe(&asked.topic)?;
            if next.name.is_none() || wanted.iter().all(|known| known.name != next.name) {
                wanted.push(next);
            }
        }
        self.follow(&mut wanted);
        self.check_topics(&wanted)?;
        let request = self.request();
        let names = wanted.iter().filter(|wanted| wanted.name.is_some()).count();
        if names == 0 {
            let payload = json!({ "topics": [] });
            self.seat.announce(&server::control("subscribed", self.now_ms(), reply_to, &payload));
            return Ok(());
        }
        let special = wanted.iter().filter(|wanted| !wanted.options.is_plain());
        let options =
            special.filter_map(|wanted| Some((wanted.name.clone()?, wanted.options.clone()))).collect();
        self.seat.hold(request, reply_to.map(Box::from), Answer::Subscribed, names, options);
        for wanted in wanted {
            let Some(name) = wanted.name else { continue };
            let subscribe = Subscribe {
                outlet: self.shard.outlet.clone(),
                member: self.seat.member,
                request,
                recover: wanted.recover,
                taken: None,
                filter: wanted.options.filter,
                history: 0,
                attachment: None,
            };
            let asked =
                self.shard.services.broker.open(&name).and_then(|topic| topic.subscribe(subscribe, cause));
            if let Err(error) = asked {
                self.seat.unhold(request);
                return Err(Failure::new(error.code(), error.to_string()));
            }
        }
        Ok(())
    }

    fn may_subscribe(&self, topic: &str) -> Result<(), Failure> {
        let client_id = self.seat.identity.borrow().client_id.shared();
        if permission::may_subscribe(&self.seat.claims(), Some(&client_id), topic) {
            return Ok(());
        }
        Err(Failure::new(Code::Forbidden, format!("not allowed to subscribe to {topic}")))
    }

    /// Wildcards name the topics that are there now, and from now on each that comes.
    fn follow(&self, wanted: &mut Vec<Wanted>) {
        let mut found = Vec::new();
        for Wanted { pattern, options, .. } in wanted.iter() {
            let Some(pattern) = pattern else { continue };
            let (outlet, member) = (self.shard.outlet.clone(), self.seat.member);
            let names = self.shard.services.broker.follow(pattern, outlet, member, options.filter.clone());
            self.seat.follows(pattern.clone(), options.clone());
            found.extend(names.into_iter().map(|name| (name, options.clone())));
        }
        for (name, options) in found {
            if wanted.iter().all(|known| known.name.as_ref() != Some(&name)) {
                wanted.push(Wanted { name: Some(name), pattern: None, recover: None, options });
            }
        }
    }

    fn check_topics(&self, wanted: &[Wanted]) -> Result<(), Failure> {
        let topics_max = self.shard.services.settings.topics_max;
        let subscribed = self.seat.topics.borrow();
        let is_fresh = |name: &TopicName| subscribed.iter().all(|(topic, _)| topic.name() != name);
        let fresh =
            wanted.iter().filter_map(|wanted| wanted.name.as_ref()).filter(|name| is_fresh(name)).count();
        if subscribed.len() + fresh + self.seat.wildcards.borrow().len() > topics_max {
            let message = format!("a connection may have at most {topics_max} topics");
            return Err(Failure::new(Code::TooManyTopics, message));
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&self, topics: &Topics, reply_to: Option<&str>) -> Result<(), Failure> {
        let mut ended = Vec::new();
        for asked in &topics.topics {
            let Wanted { name, pattern, .. } = Wanted::read(asked)?;
            if let Some(name) = name.filter(|name| self.shard.unsubscribe(&self.seat, name.as_str())) {
                ended.push(name.to_string());
            }
            if let Some(pattern) = pattern.filter(|pattern| self.shard.unfollow(&self.seat, pattern)) {
                ended.push(pattern.to_string());
            }
        }
        let payload = json!({ "topics": ended });
        self.seat.announce(&server::control("unsubscribed", self.now_ms(), reply_to, &payload));
        Ok(())
    }

    /// One more question to a topic is under way; a bounded number is.
    pub(super) fn begin_reading(&mut self) -> Result<(), Failure> {
        if self.reading >= READING_MAX {
            let message =
                format!("{READING_MAX} `history` and `ack` requests of this connection are under way");
            return Err(Failure::new(Code::Overloaded, message));
        }
        self.reading += 1;
        Ok(())
    }

    pub(super) fn history(
        &mut self,
        asked: &History<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> Result<(), Failure> {
        let name = TopicName::parse(&asked.topic)?;
        self.may_subscribe(name.as_str())?;
        let limit = asked.limit.unwrap_or(HISTORY_LIMIT);
        if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
            let message = format!("`limit` must be 1 to {HISTORY_LIMIT_MAX}, not {limit}");
            return Err(Failure::new(Code::InvalidField, message));
        }
        let topic = self.shard.services.broker.open(&name);
        let topic = topic.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        let since = asked.since.as_ref().map(position);
        let (from_there, cause, reply_to) = (since.is_some(), cause.clone(), reply_to.map(str::to_owned));
        self.begin_reading()?;
        let read = async move { topic.read(since, limit, &cause).await };
        ctx.spawn(read.into_actor(self).map(move |read, actor, _ctx| {
            actor.reading -= 1;
            let now_ms = actor.now_ms();
            let page = match read {
                Ok(page) => page,
                Err(error) => {
                    return actor.seat.error(error.code(), &error.to_string(), reply_to.as_deref(), now_ms);
                }
            };
            let forward = from_there && page.recovered;
            let (messages, cut) = page_of_bytes(&page.messages, forward);
            let payload = json!({
                "topic": name,
                "messages": messages.iter().map(HistoryItem::of).collect::<Vec<_>>(),
                "epoch": page.position.epoch,
                "offset": page.position.offset,
                "recovered": page.recovered,
                "truncated": page.truncated || cut,
            });
            actor.seat.reply(&server::control("history", now_ms, reply_to.as_deref(), &payload));
        }));
        Ok(())
    }
}
