//! Who is subscribed to topics that nobody has opened yet: wildcards, and the owners of personal topics.

use std::collections::HashSet;
use std::sync::Arc;

use super::directory::Broker;
use super::openings::Watchers;
use crate::auth::TopicPattern;
use crate::ids::TopicName;
use crate::telemetry::Cause;
use crate::topic::outlet::UNASKED;
use crate::topic::{Filter, Member, Outlet, Position, Subscribe, Taken, TopicHandle};

/// Kind of the notice that a node wants topics: its instance and a pattern.
pub const WANTED: &str = "wanted";

/// Tells who owns a personal topic and is connected: where, and what was taken out of it before.
pub type OwnersOf = Box<dyn Fn(&TopicName) -> Vec<(Outlet, Member, Taken)> + Send + Sync>;

/// Connections that a topic gets when it is opened.
#[derive(Default)]
pub(super) struct Followers {
    wildcards: Vec<Follower>,
    owners_of: Option<OwnersOf>,
    /// Personal topics that are in the store and not open.
    asleep: HashSet<TopicName>,
    /// Polls and event streams with wildcards.
    pub(super) watchers: Watchers,
}

struct Follower {
    pattern: TopicPattern,
    outlet: Outlet,
    member: Member,
    filter: Option<Arc<Filter>>,
}

impl Followers {
    /// A topic begins: whoever waits for it is subscribed before its first message. One that was given up still has
    /// its subscribers.
    /// Those of a topic that another node opened go on after the place `since`.
    pub(super) fn opened(&mut self, topic: &TopicHandle, is_new: bool, since: Option<&Position>) {
        self.watchers.opened(topic.name());
        if !is_new {
            return;
        }
        self.asleep.remove(topic.name());
        let subscribe = |outlet: &Outlet, member, filter, taken| {
            let subscribe = Subscribe {
                outlet: outlet.clone(),
                member,
                request: UNASKED,
                recover: since.cloned(),
                taken,
                filter,
                history: 0,
                attachment: None,
            };
            if let Err(error) = topic.subscribe(subscribe, &Cause::own()) {
                tracing::warn!(topic = %topic.name(), %error, "a subscriber was not added to a new topic");
            }
        };
        for follower in &self.wildcards {
            if follower.pattern.covers(topic.name().as_str()) {
                subscribe(&follower.outlet, follower.member, follower.filter.clone(), None);
            }
        }
        if topic.kind().personal {
            let owners = self.owners_of.as_ref().map(|owners_of| owners_of(topic.name()));
            for (outlet, member, taken) in owners.unwrap_or_default() {
                subscribe(&outlet, member, None, Some(Box::new(taken)));
            }
        }
    }

    /// Whether somebody waits for a topic of that name.
    fn wants(&self, name: &TopicName) -> bool {
        self.wildcards.iter().any(|follower| follower.pattern.covers(name.as_str()))
            || self.watchers.wants(name)
    }

    /// A personal topic was closed; the store has it.
    pub(super) fn fell_asleep(&mut self, topic: TopicName) {
        self.asleep.insert(topic);
    }
}

impl Broker {
    /// Subscribes a connection to every topic that `pattern` will name from now on, and returns those that it names
    /// now: the caller subscribes to them. Asked for again, the newer filter holds.
    pub fn follow(
        &self,
        pattern: &TopicPattern,
        outlet: Outlet,
        member: Member,
        filter: Option<Arc<Filter>>,
    ) -> Vec<TopicName> {
        self.unfollow(&outlet, member, Some(pattern));
        // No topic is opened in between.
        let topics = self.0.topics.read();
        let follower = Follower { pattern: pattern.clone(), outlet, member, filter };
        self.0.followers.write().wildcards.push(follower);
        self.ask_for(pattern);
        topics.keys().filter(|name| pattern.covers(name.as_str())).cloned().collect()
    }

    /// Ends what [`Broker::follow`] began, for one pattern or for all of the connection.
    pub fn unfollow(&self, outlet: &Outlet, member: Member, pattern: Option<&TopicPattern>) {
        self.0.followers.write().wildcards.retain(|follower| {
            let same = follower.member == member && follower.outlet.same_as(outlet);
            !(same && pattern.is_none_or(|pattern| *pattern == follower.pattern))
        });
    }

    /// Asks other nodes for the topics that they have open.
    pub(super) fn ask_for(&self, pattern: &TopicPattern) {
        if let Some(carrier) = &self.0.args.carrier {
            carrier.say(WANTED, format!("{} {pattern}", carrier.instance()));
        }
    }

    /// Asks other nodes for all topics that are waited for: notices of them may not have come.
    pub fn ask_for_all(&self) {
        let wanted: HashSet<String> = {
            let followers = self.0.followers.read();
            let wildcards = followers.wildcards.iter().map(|follower| follower.pattern.to_string());
            wildcards.chain(followers.watchers.patterns()).collect()
        };
        for pattern in wanted.iter().filter_map(|pattern| TopicPattern::parse(pattern).ok()) {
            self.ask_for(&pattern);
        }
    }

    /// Another node has a topic open; `since` when it published to it for the first time.
    pub fn opened_elsewhere(&self, name: &TopicName, since: Option<&Position>) {
        let is_wanted = self.find(name).is_none() && self.0.followers.read().wants(name);
        if is_wanted && let Err(error) = self.open_after(name, since) {
            tracing::warn!(topic = %name, %error, "a topic of another node was not opened");
        }
    }

    /// Names of open topics that another node may want, `limit` at most.
    pub fn open_for_others(&self, pattern: &TopicPattern, limit: usize) -> Vec<TopicName> {
        let topics = self.0.topics.read();
        let shared = topics.iter().filter(|(_, topic)| topic.is_shared() && !topic.kind().personal);
        let named = shared.map(|(name, _)| name).filter(|name| pattern.covers(name.as_str()));
        named.take(limit).cloned().collect()
    }

    /// Who is asked for the owners of a personal topic, and which of them the store has.
    pub fn serve_owners(&self, owners_of: OwnersOf, in_store: Vec<TopicName>) {
        let mut followers = self.0.followers.write();
        followers.owners_of = Some(owners_of);
        followers.asleep.extend(in_store);
    }

    /// The store has these personal topics.
    pub fn has_mail(&self, topics: impl Iterator<Item = TopicName>) {
        self.0.followers.write().asleep.extend(topics);
    }

    /// Whether a personal topic may have messages: it is open, or the store has it.
    pub fn may_have_mail(&self, topic: &TopicName) -> bool {
        self.find(topic).is_some() || self.0.followers.read().asleep.contains(topic)
    }
}
