//! Topics that hub nodes share through Redis: where a message gets its place, and who hears of it.
//!
//! - `entry`: a message as it travels
//! - `scripts`: what Redis does, each step at once
//! - `line`: the connection on which Redis tells what is new, and the probe of it

mod entry;
mod line;
mod scripts;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use bb8_redis::redis::aio::PubSubSink;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use super::{EngineError, Redis};
use crate::telemetry::{Counter, Gauge};

pub use entry::Entry;
pub use line::run;

/// Pushes that wait for a topic; what comes beyond is read from Redis.
const PUSHES_MAX: usize = 1_024;

/// How a topic is kept in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A log of the newest batches.
    Log {
        /// How many.
        batches_max: usize,
    },
    /// The newest message of each key.
    Latest,
}

impl Shape {
    fn batches_max(self) -> usize {
        match self {
            Self::Log { batches_max } => batches_max,
            Self::Latest => 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Log { .. } => "log",
            Self::Latest => "latest",
        }
    }
}

/// Where a batch ended up: its messages have offsets from `first` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The epoch that offsets count in.
    pub epoch: Arc<str>,
    /// Offset of the first message.
    pub first: u64,
}

/// Where a topic stands, and what Redis still has of it.
#[derive(Debug)]
pub struct Tail {
    /// The epoch that offsets count in.
    pub epoch: Arc<str>,
    /// The offset given out last.
    pub last: u64,
    /// The newest messages, in order of offsets.
    pub entries: Vec<(u64, Entry)>,
}

/// A batch that Redis told of, perhaps this node's own.
#[derive(Debug)]
pub struct Push {
    /// Where it is.
    pub placed: Placed,
    /// Its messages, in order.
    pub entries: Vec<Entry>,
    /// Pushes before this one were lost.
    pub lost_before: bool,
}

/// Whether Redis carries, and how often that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Messages go through Redis; otherwise each node delivers its own.
    pub is_up: bool,
    /// Counts connections: with a new one pushes may have been missed.
    pub lives: u64,
}

/// Carries messages between hub nodes. Cheap to clone.
#[derive(Clone)]
pub struct Carrier(Arc<Shared>);

struct Shared {
    redis: Redis,
    probe_ms: u64,
    listeners: Mutex<HashMap<String, Listener>>,
    /// Of the connection on which pushes come, while there is one.
    sink: Mutex<Option<PubSubSink>>,
    state: watch::Sender<State>,
    /// Why there is none.
    reason: Mutex<String>,
    suspected: Notify,
}

struct Listener {
    topic: String,
    number: u64,
    pushes: mpsc::Sender<Push>,
    /// One was refused since the last that was taken.
    has_lost: bool,
}

/// Hears what is pushed to a topic; forgets it when it is dropped.
pub struct Listening {
    topic: String,
    number: u64,
    carrier: Carrier,
}

impl Carrier {
    /// Nothing is carried before [`run`] has connected.
    pub fn new(redis: Redis, probe_ms: u64) -> Self {
        Self(Arc::new(Shared {
            redis,
            probe_ms,
            listeners: Mutex::default(),
            sink: Mutex::default(),
            state: watch::Sender::new(State { is_up: false, lives: 0 }),
            reason: Mutex::new("not connected yet".to_owned()),
            suspected: Notify::new(),
        }))
    }

    /// Whether Redis carries.
    pub fn state(&self) -> State {
        *self.0.state.borrow()
    }

    /// Changes of [`Carrier::state`].
    pub fn changes(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// Why Redis does not carry.
    pub fn reason(&self) -> String {
        self.0.reason.lock().clone()
    }

    /// From now on pushes to the topic are heard, then what is in Redis is read: nothing lies between. Without Redis the
    /// topic is listened to as soon as there is one.
    pub fn listen(&self, topic: &str) -> (Listening, mpsc::Receiver<Push>) {
        let (pushes, receiver) = mpsc::channel(PUSHES_MAX);
        let channel = scripts::channel(topic);
        let mut listeners = self.0.listeners.lock();
        let number = listeners.get(&channel).map_or(0, |former| former.number + 1);
        listeners.insert(channel, Listener { topic: topic.to_owned(), number, pushes, has_lost: false });
        drop(listeners);
        (Listening { topic: topic.to_owned(), number, carrier: self.clone() }, receiver)
    }

    /// Where a topic that is listened to stands. Pushes are complete from there on.
    pub async fn tail(&self, topic: &str, shape: Shape) -> Result<Tail, EngineError> {
        let sink = self.0.sink.lock().clone();
        let Some(mut sink) = sink.filter(|_| self.state().is_up) else {
            return Err(EngineError::Unreachable(self.reason()));
        };
        let subscribed = self.0.redis.in_time(sink.subscribe(scripts::channel(topic))).await;
        self.judge(subscribed)?;
        self.judge(scripts::tail(&self.0.redis, topic, shape, &fresh_epoch()).await)
    }

    /// Gives messages their place, and tells all nodes.
    pub async fn publish(&self, topic: &str, shape: Shape, entries: &[Entry]) -> Result<Placed, EngineError> {
        if !self.state().is_up {
            return Err(EngineError::Unreachable(self.reason()));
        }
        self.judge(scripts::publish(&self.0.redis, topic, shape, &fresh_epoch(), entries).await)
    }

    /// Messages of a log after a place, as far as Redis has them.
    pub async fn after(
        &self,
        topic: &str,
        shape: Shape,
        epoch: &str,
        offset: u64,
    ) -> Result<Vec<(u64, Entry)>, EngineError> {
        let found = self.judge(scripts::after(&self.0.redis, topic, shape, epoch, offset).await)?;
        Counter::SharedRead.add(found.len() as u64);
        Ok(found)
    }

    /// Forgets the newest value of a key.
    pub async fn forget_key(&self, topic: &str, key: &str) -> Result<(), EngineError> {
        self.judge(scripts::forget_key(&self.0.redis, topic, key).await)
    }

    /// An outage that one question finds is everybody's.
    fn judge<T>(&self, answer: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(error) = &answer
            && error.is_outage()
        {
            self.down(error.to_string());
            self.0.suspected.notify_one();
        }
        answer
    }

    fn down(&self, reason: String) {
        *self.0.sink.lock() = None;
        self.0.state.send_if_modified(|state| {
            let was_up = std::mem::replace(&mut state.is_up, false);
            if was_up {
                tracing::warn!(reason, "Redis is gone: every node delivers what it takes itself");
                Counter::EngineOutages.add(1);
            }
            *self.0.reason.lock() = reason;
            was_up
        });
        Gauge::EngineUp.set(0);
    }

    fn up(&self, sink: PubSubSink) {
        *self.0.sink.lock() = Some(sink);
        self.0.state.send_modify(|state| *state = State { is_up: true, lives: state.lives + 1 });
        Gauge::EngineUp.set(1);
    }

    /// Hands a push to its topic. Never waits: a topic that is behind reads from Redis what it has lost.
    fn hand_on(&self, channel: &str, bytes: &[u8]) {
        let mut listeners = self.0.listeners.lock();
        let Some(listener) = listeners.get_mut(channel) else { return };
        let Some((epoch, first, entries)) = scripts::pushed(bytes) else {
            tracing::warn!(topic = listener.topic, "another version of the hub writes to this Redis");
            listener.has_lost = true;
            return;
        };
        let placed = Placed { epoch: epoch.into(), first };
        let push = Push { placed, entries, lost_before: listener.has_lost };
        listener.has_lost = listener.pushes.try_send(push).is_err();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let channel = scripts::channel(&self.topic);
        {
            // A topic that was rebuilt after a crash listens already.
            let mut listeners = self.carrier.0.listeners.lock();
            if listeners.get(&channel).is_none_or(|listener| listener.number != self.number) {
                return;
            }
            listeners.remove(&channel);
        }
        let sink = self.carrier.0.sink.lock().clone();
        if let (Some(mut sink), Ok(runtime)) = (sink, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { sink.unsubscribe(channel).await });
        }
    }
}

fn fresh_epoch() -> String {
    let epoch = uuid::Uuid::new_v4().simple().to_string();
    epoch.get(..12).unwrap_or(&epoch).to_owned()
}
