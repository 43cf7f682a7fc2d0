//! The directory of topics: a name to a handle, made on first use.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde_json::value::RawValue;

use super::followers::Followers;
use crate::clock::Clock;
use crate::config::TopicSection;
use crate::engine::Carrier;
use crate::fault::Faults;
use crate::ids::TopicName;
use crate::ownership::Fence;
use crate::protocol::priority::Priority;
use crate::store::{Store, TopicRecord};
use crate::supervision::Tree;
use crate::telemetry::{Cause, Counter, Gauge};
use crate::topic::kind::{Bounds, Kept};
use crate::topic::outlet::Admission;
use crate::topic::{
    Kind, Owed, Position, Publish, Published, Reply, TopicArgs, TopicError, TopicHandle, TopicId,
};

/// What the broker is made of.
pub struct BrokerArgs {
    /// Starts topics.
    pub tree: Tree,
    /// For topics that are kept there.
    pub store: Store,
    /// Bounds.
    pub settings: Arc<TopicSection>,
    /// Carries messages to other nodes; `None` for a hub alone.
    pub carrier: Option<Carrier>,
    /// Time.
    pub clock: Clock,
    /// What is to go wrong on purpose.
    pub faults: Option<Arc<Faults>>,
}

/// A message before it has a place.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What is published, unchanged.
    pub payload: Box<RawValue>,
    /// Overrides the topic's priority.
    pub priority: Option<Priority>,
    /// What it is the newest value of.
    pub key: Option<Arc<str>>,
    /// What its publisher calls it.
    pub event_type: Option<Arc<str>>,
    /// The tenure of the owner of alerts that publishes it: a topic that is kept in the store takes it only as long as
    /// that lasts.
    pub fence: Fence,
}

impl Draft {
    /// A message of the hub's own; its payload must serialize to JSON.
    pub fn of<T: Serialize>(payload: &T) -> Result<Self, serde_json::Error> {
        let payload = serde_json::value::to_raw_value(payload)?;
        Ok(Self { payload, priority: None, key: None, event_type: None, fence: Fence::Alone })
    }

    /// The same message, of that tenure of the owner of alerts.
    pub fn under(mut self, fence: Fence) -> Self {
        self.fence = fence;
        self
    }

    /// The same message as the newest value of `key`.
    pub fn keyed(mut self, key: Arc<str>) -> Self {
        self.key = Some(key);
        self
    }
}

/// Opens topics and admits messages. Cheap to clone.
#[derive(Clone)]
pub struct Broker(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) topics: RwLock<HashMap<TopicName, TopicHandle>>,
    pub(super) followers: RwLock<Followers>,
    /// Topics in memory as the last drain kept them, until they are opened.
    pub(super) former: Mutex<HashMap<TopicName, TopicRecord>>,
    next_id: AtomicU32,
    admission: Arc<Admission>,
    pub(super) args: BrokerArgs,
}

impl Broker {
    /// A broker without topics.
    pub fn new(args: BrokerArgs) -> Self {
        let settings = &args.settings;
        let admission = Admission::new(settings.in_flight_messages_max, settings.in_flight_bytes_max);
        Self(Arc::new(Shared {
            topics: RwLock::default(),
            followers: RwLock::default(),
            former: Mutex::default(),
            next_id: AtomicU32::new(1),
            admission,
            args,
        }))
    }

    /// The topic of that name if there is one.
    pub fn find(&self, name: &TopicName) -> Option<TopicHandle> {
        self.0.topics.read().get(name).filter(|t| !t.is_closed()).cloned()
    }

    /// The topic of that name, made when there is none.
    pub fn open(&self, name: &TopicName) -> Result<TopicHandle, TopicError> {
        self.open_after(name, None)
    }

    /// The same; who waited for one that is made goes on after `since`.
    pub(super) fn open_after(
        &self,
        name: &TopicName,
        since: Option<&Position>,
    ) -> Result<TopicHandle, TopicError> {
        if let Some(topic) = self.find(name) {
            return Ok(topic);
        }
        let mut topics = self.0.topics.write();
        if let Some(topic) = topics.get(name).filter(|t| !t.is_closed()) {
            return Ok(topic.clone());
        }
        // A topic that was given up goes on with its subscribers, who know it by its number.
        let former = topics.get(name).map(|topic| (topic.id(), topic.interest().clone()));
        let topics_max = self.0.args.settings.topics_max;
        if topics.len() >= topics_max && former.is_none() {
            return Err(TopicError::TooManyTopics { topics_max });
        }
        let (id, interest) = former.unwrap_or_else(|| {
            let number = self.0.next_id.fetch_add(1, Ordering::Relaxed);
            (TopicId::from_number(number), Arc::default())
        });
        interest.touched_ms.store(self.0.args.clock.unix_ms(), Ordering::Relaxed);
        let args = TopicArgs {
            id,
            name: name.clone(),
            interest,
            former: Arc::new(Mutex::new(self.0.former.lock().remove(name))),
            store: self.0.args.store.clone(),
            settings: self.0.args.settings.clone(),
            carrier: self.0.args.carrier.clone(),
            clock: self.0.args.clock.clone(),
            faults: self.0.args.faults.clone(),
        };
        let is_new = args.interest.members() == 0;
        let topic = TopicHandle::start(&self.0.args.tree, args);
        topics.insert(name.clone(), topic.clone());
        self.0.followers.write().opened(&topic, is_new, since);
        Gauge::Topics.set(topics.len() as u64);
        Ok(topic)
    }

    /// Publishes; the answer goes where `reply` says, unless this refuses at once.
    pub fn publish(
        &self,
        name: &TopicName,
        draft: Draft,
        reply: Reply,
        cause: &Cause,
    ) -> Result<(), TopicError> {
        let (topic, message) = self.admit(name, draft, reply)?;
        topic.publish(message, cause)
    }

    /// Publishes and waits until the topic has taken it (and the store, where it is kept there).
    pub async fn publish_and_wait(
        &self,
        name: &TopicName,
        draft: Draft,
        cause: &Cause,
    ) -> Result<Published, TopicError> {
        let (topic, message) = self.admit(name, draft, Reply::Nobody)?;
        topic.publish_and_wait(message, cause).await
    }

    fn admit(
        &self,
        name: &TopicName,
        draft: Draft,
        reply: Reply,
    ) -> Result<(TopicHandle, Publish), TopicError> {
        let bytes_max = self.0.args.settings.key_bytes_max;
        if let Some(bytes) = draft.key.as_ref().map(|k| k.len()).filter(|bytes| *bytes > bytes_max) {
            return Err(TopicError::KeyTooLong { bytes_max, bytes });
        }
        let priority = draft.priority.unwrap_or_else(|| self.kind(name).priority);
        let now_us = self.0.args.clock.monotonic_us();
        let Some(permit) = self.0.admission.admit(draft.payload.get().len(), priority, now_us) else {
            Counter::Dropped.add_for("admission", 1);
            return Err(TopicError::Overloaded);
        };
        let Draft { payload, priority, key, event_type, fence } = draft;
        // A topic that cannot be opened refuses at once: then nothing is owed.
        let topic = self.open(name)?;
        Ok((topic, Publish { payload, priority, key, event_type, fence, permit, reply: Owed::new(reply) }))
    }

    /// What a topic of that name is, or would be.
    pub fn kind(&self, name: &TopicName) -> Kind {
        Kind::under(name, &self.0.args.settings)
    }

    /// The open topics that are kept there, and how many messages each keeps.
    pub fn kept_topics(&self, kept: Kept) -> Vec<(TopicName, u64)> {
        let topics = self.0.topics.read();
        let names =
            topics.iter().filter(|(_, topic)| topic.kind().kept == kept).map(|(name, _)| name.clone());
        names
            .map(|name| {
                let keep = Bounds::of(&name, &self.0.args.settings).messages_max;
                (name, keep as u64)
            })
            .collect()
    }

    /// Number of topics.
    pub fn topics(&self) -> usize {
        self.0.topics.read().len()
    }

    /// Over three quarters of what may be on its way to sockets is.
    pub fn is_nearly_full(&self) -> bool {
        self.0.admission.is_nearly_full()
    }

    /// Messages on their way to sockets.
    pub fn under_way(&self) -> usize {
        self.0.admission.under_way()
    }

    /// The bounds of what is on its way, and what is, by urgency.
    pub fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// At most `limit` open topics by name, after `after`, of those that `is_wanted` lets through.
    pub fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        is_wanted: impl Fn(&TopicName) -> bool,
    ) -> Vec<TopicHandle> {
        let topics = self.0.topics.read();
        let mut found: Vec<&TopicHandle> = topics
            .values()
            .filter(|topic| {
                after.is_none_or(|after| topic.name().as_str() > after) && is_wanted(topic.name())
            })
            .collect();
        found.sort_unstable_by(|a, b| a.name().as_str().cmp(b.name().as_str()));
        found.into_iter().take(limit).cloned().collect()
    }

    /// Forgets topics in memory that nobody subscribes to and nobody used for the idle time. Returns how many.
    pub fn sweep(&self) -> usize {
        let now_ms = self.0.args.clock.unix_ms();
        let idle_ms = self.0.args.settings.idle_ms_max;
        let mut topics = self.0.topics.write();
        let before = topics.len();
        let mut followers = self.0.followers.write();
        topics.retain(|name, topic| {
            let used = topic.members() > 0 || topic.touched_ms().saturating_add(idle_ms) > now_ms;
            if !used && topic.kind().personal {
                followers.fell_asleep(name.clone());
            }
            used
        });
        drop(followers);
        Gauge::Topics.set(topics.len() as u64);
        before - topics.len()
    }
}
