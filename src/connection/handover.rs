//! The end of a connection and the session that stays: where the hub was with the client in each topic, and what of
//! the client's own topics it gets when it is back.

use std::sync::Arc;

use super::Services;
use super::seat::Seat;
use super::session::{Personal, Subscription};
use super::shard::Shard;
use crate::auth::permission;
use crate::ids::TopicName;
use crate::protocol::codes::Close;
use crate::telemetry::Cause;
use crate::topic::outlet::UNASKED;
use crate::topic::{Member, Position, Subscribe, TopicHandle};

impl Shard {
    /// Closes a connection; its session is known before what waits is dropped.
    pub fn end(&self, seat: &Seat, close: Close) {
        self.hand_over(seat);
        seat.socket.close(close);
    }

    /// Where a topic is that the connection is subscribed to.
    pub fn position_of(&self, seat: &Seat, topic: &str) -> Option<Position> {
        let topics = seat.topics.borrow();
        let (topic, since) = topics.iter().find(|(known, _)| known.name().as_str() == topic)?;
        Some(self.handed_on(topic, since))
    }

    /// The last message of a topic that was handed on since the client came `since`.
    fn handed_on(&self, topic: &TopicHandle, since: &Position) -> Position {
        let mut roster = self.roster.borrow_mut();
        let at = roster.of(topic.id().number()).and_then(|members| members.at.clone());
        // A bundle that went out before the client came is not its.
        at.filter(|at| at.epoch != since.epoch || at.offset > since.offset).unwrap_or_else(|| since.clone())
    }

    /// Gives the session what the connection knows; once.
    pub(super) fn hand_over(&self, seat: &Seat) {
        if seat.handed_over.replace(true) {
            return;
        }
        let topics = seat.topics.borrow();
        let named = topics.iter().filter(|(topic, _)| !topic.kind().personal);
        let mut subscriptions: Vec<Subscription> = named
            .map(|(topic, since)| {
                let number = topic.id().number();
                let waiting =
                    seat.feeds.borrow().iter().find(|f| f.topic == number).and_then(|f| f.first_offset());
                // A feed hands on page by page: what is in the outbox may come before what waits in it.
                let firsts = [waiting, seat.socket.first_waiting(number), seat.first_withheld(number)];
                let first = firsts.into_iter().flatten().min();
                let at = self.handed_on(topic, since);
                let offset = first.map_or(at.offset, |first| first.saturating_sub(1).min(at.offset));
                let epoch = Some(at.epoch);
                Subscription { topic: topic.name().shared(), epoch, offset: Some(offset) }
            })
            .collect();
        let wildcards = seat.wildcards.borrow();
        let wildcards = wildcards.iter().map(|(pattern, _)| Arc::from(pattern.as_str()));
        subscriptions.extend(wildcards.map(|topic| Subscription { topic, epoch: None, offset: None }));
        self.services.clients.remember(&seat.identity.borrow().client_id, subscriptions);
    }

    /// Subscribes a connection to its own topics, where these may have messages. Topics that begin later find it.
    pub fn open_inboxes(&self, member: Member) {
        let Some(seat) = self.seat(member) else { return };
        let identity = seat.identity.borrow().clone();
        for personal in Personal::ALL {
            let name = personal.topic(identity.client_id.as_str(), &identity.claims.sub);
            let Ok(name) = TopicName::parse(&name) else { continue };
            let client_id = Some(identity.client_id.as_str());
            let allowed = permission::may_subscribe(&identity.claims, client_id, name.as_str());
            if !allowed || !self.services.broker.may_have_mail(&name) {
                continue;
            }
            let Some(session) = self.services.clients.session(&identity.client_id) else { return };
            let subscribe = Subscribe {
                outlet: self.outlet.clone(),
                member,
                request: UNASKED,
                recover: None,
                taken: Some(Box::new(session.taken(personal))),
                filter: None,
                history: 0,
                attachment: None,
            };
            let asked =
                self.services.broker.open(&name).and_then(|topic| topic.subscribe(subscribe, &Cause::own()));
            if let Err(error) = asked {
                seat.error(error.code(), &error.to_string(), None, self.services.clock.unix_ms());
            }
        }
    }
}

impl Services {
    /// Whether a topic may be published to as far as sessions go: a personal one needs somebody whose queue it is.
    /// The session is with the store before the message is.
    pub fn keep_queue_of(&self, topic: &TopicName) -> bool {
        let Some(records) = self.clients.queue_of(topic) else { return false };
        if !records.is_empty() {
            let (written, clients) = (self.store.put_sessions(records), self.clients.clone());
            actix_rt::spawn(async move {
                if let Err(error) = written.await {
                    tracing::warn!(%error, "a session was not written; tried again with the next ones");
                    clients.all_changed();
                }
            });
        }
        true
    }
}
