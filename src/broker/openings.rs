//! Topics that open, for who reads topics by wildcard instead of being subscribed to them.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::directory::Broker;
use crate::auth::TopicPattern;
use crate::ids::TopicName;
use crate::topic::Kept;

/// Topics that opened since they were last asked for, of those that some patterns name. Lasts while it is held.
pub struct Openings {
    patterns: Vec<TopicPattern>,
    names_max: usize,
    names: Mutex<Vec<TopicName>>,
    came: Notify,
}

impl Openings {
    /// What opened since this was last asked, `names_max` at most.
    pub fn take(&self) -> Vec<TopicName> {
        std::mem::take(&mut *self.names.lock())
    }

    /// Ready when something opened that was not waited for yet.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    fn note(&self, name: &TopicName) {
        let mut names = self.names.lock();
        if names.len() < self.names_max && self.patterns.iter().any(|pattern| pattern.covers(name.as_str())) {
            names.push(name.clone());
            self.came.notify_one();
        }
    }
}

/// Those who wait for topics to open.
#[derive(Default)]
pub(super) struct Watchers(Vec<Weak<Openings>>);

impl Watchers {
    pub(super) fn wants(&self, name: &TopicName) -> bool {
        let covers = |openings: Arc<Openings>| openings.patterns.iter().any(|p| p.covers(name.as_str()));
        self.0.iter().filter_map(Weak::upgrade).any(covers)
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = String> {
        let live = self.0.iter().filter_map(Weak::upgrade);
        live.flat_map(|openings| openings.patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// A topic begins.
    pub(super) fn opened(&mut self, name: &TopicName) {
        self.0.retain(|watcher| watcher.upgrade().map(|openings| openings.note(name)).is_some());
    }
}

impl Broker {
    /// The topics that `patterns` name now, and those that open from now on; `names_max` of each at most.
    pub fn watch(&self, patterns: Vec<TopicPattern>, names_max: usize) -> (Vec<TopicName>, Arc<Openings>) {
        let openings =
            Arc::new(Openings { patterns, names_max, names: Mutex::default(), came: Notify::new() });
        // No topic is opened in between.
        let topics = self.0.topics.read();
        let mut followers = self.0.followers.write();
        followers.watchers.0.retain(|watcher| watcher.strong_count() > 0);
        followers.watchers.0.push(Arc::downgrade(&openings));
        for pattern in &openings.patterns {
            self.ask_for(pattern);
        }
        let named = |name: &&TopicName| openings.patterns.iter().any(|pattern| pattern.covers(name.as_str()));
        (topics.keys().filter(named).take(names_max).cloned().collect(), openings)
    }

    /// Whether a topic that is not open goes on where it was when it is opened: the store has it, nodes share
    /// it, or a drain kept it.
    pub fn outlives_memory(&self, name: &TopicName) -> bool {
        self.kind(name).kept == Kept::Store
            || self.0.args.carrier.is_some()
            || self.0.former.lock().contains_key(name)
    }
}
