//! How the messages of topics kept in memory go between hub nodes: scripts that give them their offsets, and who is
//! told what other nodes published.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::redis::{Script, pipe};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::carried::{Arrival, Carried, Found};
use super::notices::Notices;
use super::probes::{self, Probes};
use super::{EngineError, Redis};
use crate::clock::Clock;
use crate::config::EngineSection;
use crate::telemetry::Gauge;

/// How long a topic keeps its epoch and offset when nobody publishes to it, in milliseconds.
const HEAD_TTL_MS: u64 = 86_400_000;

/// How long a batch that is sent again is known, in milliseconds.
const TOKEN_TTL_MS: u64 = 60_000;

/// Between two tries of what Redis did not answer, in milliseconds.
const RETRY_MS: u64 = 100;

/// Messages that one look brings.
const PAGE: usize = 1_000;

/// Subscriptions that wait for the connection.
const WISHES_MAX: usize = 1_024;

/// What Redis must know of a topic.
#[derive(Debug, Clone)]
pub struct Stream {
    /// The topic.
    pub name: Arc<str>,
    /// The newest value of each key, instead of all messages.
    pub is_latest: bool,
    /// Messages or keys that are kept.
    pub messages_max: usize,
    /// How long messages are kept; `None` for as long as the topic is.
    pub age_ms_max: Option<u64>,
}

impl Stream {
    fn class(&self) -> &'static str {
        if self.is_latest { "latest" } else { "log" }
    }

    fn key(&self, part: &str) -> String {
        format!("infrawatch:{{{}}}:{part}", self.name)
    }
}

/// Whether the way through Redis and back is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// It is.
    pub is_up: bool,
    /// Since when, unix milliseconds.
    pub since_ms: u64,
}

/// Tells a topic; `false` when it cannot be told now.
pub type Tell = Box<dyn Fn(Arrival) -> bool + Send + Sync>;

pub(super) struct Place {
    number: u64,
    tell: Arc<Tell>,
    /// What is published to the topic is wanted.
    pub(super) follows: bool,
    /// Something was not told.
    missed: bool,
}

/// What the connection is asked to do.
pub(super) struct Wish {
    pub(super) channel: String,
    pub(super) follow: bool,
    pub(super) done: oneshot::Sender<()>,
}

/// Carries messages between nodes. Cheap to clone.
#[derive(Clone)]
pub struct Carrier(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) redis: Redis,
    pub(super) settings: EngineSection,
    pub(super) clock: Clock,
    /// Tells this process from all others.
    pub(super) instance: String,
    pub(super) seats: Mutex<HashMap<Arc<str>, Place>>,
    pub(super) notices: Notices,
    pub(super) way: watch::Sender<Way>,
    pub(super) probes: Probes,
    wishes: mpsc::Sender<Wish>,
    pub(super) wished: tokio::sync::Mutex<mpsc::Receiver<Wish>>,
    numbers: AtomicU64,
    publish: Script,
    after: Script,
    forget: Script,
}

fn script(body: &str) -> Script {
    Script::new(&format!("{}{body}", include_str!("scripts/standing.lua")))
}

impl Carrier {
    /// The Redis that carries.
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// A carrier over that Redis. It is taken to be there until a probe did not come back.
    pub fn new(redis: Redis, settings: EngineSection, clock: Clock) -> Self {
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let way = Way { is_up: true, since_ms: clock.unix_ms() };
        Gauge::EngineUp.set(1);
        let instance = uuid::Uuid::new_v4().simple().to_string();
        Self(Arc::new(Shared {
            redis,
            settings,
            probes: Probes::new(probes::channels(&instance, &[]), clock.monotonic_ms()),
            instance,
            seats: Mutex::default(),
            notices: Notices::default(),
            way: watch::Sender::new(way),
            clock,
            wishes,
            wished: tokio::sync::Mutex::new(wished),
            numbers: AtomicU64::new(0),
            publish: script(include_str!("scripts/publish.lua")),
            after: script(include_str!("scripts/after.lua")),
            forget: Script::new(include_str!("scripts/forget.lua")),
        }))
    }

    /// Tells this life of the hub from all others.
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Whether the way through Redis is good.
    pub fn way(&self) -> Way {
        *self.0.way.borrow()
    }

    /// Changes with [`Carrier::way`].
    pub fn ways(&self) -> watch::Receiver<Way> {
        self.0.way.subscribe()
    }

    /// A number of a batch, to be used for all tries of it.
    pub fn token(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives messages their offsets: returns the epoch and the offset of the first. Tries until Redis answers or is
    /// known to be gone; a batch is taken once however often it is tried.
    ///
    /// # Errors
    ///
    /// An outage when Redis is gone: the messages may have been taken or not.
    pub async fn publish(
        &self,
        stream: &Stream,
        token: u64,
        messages: &[Carried],
    ) -> Result<(Arc<str>, u64), EngineError> {
        let texts: Vec<String> = messages.iter().map(Carried::text).collect();
        self.insist(async || {
            let mut call = self.0.publish.prepare_invoke();
            self.keys(&mut call, stream);
            call.arg(fresh_epoch())
                .arg(HEAD_TTL_MS)
                .arg(stream.class())
                .arg(stream.messages_max)
                .arg(stream.age_ms_max.unwrap_or(0))
                .arg(self.0.redis.publishing())
                .arg(stream.key("live"))
                .arg(token)
                .arg(TOKEN_TTL_MS);
            for (message, text) in messages.iter().zip(&texts) {
                call.arg(message.key.as_deref().unwrap_or("")).arg(text);
            }
            self.0.redis.run::<(String, u64)>(&call).await
        })
        .await
        .map(|(epoch, first)| (epoch.into(), first))
    }

    /// Tells other nodes of messages that have their places, the first at `first`. Tried once: who was not told finds them
    /// where they are kept.
    pub async fn push(
        &self,
        stream: &Stream,
        epoch: &str,
        first: u64,
        messages: &[Carried],
    ) -> Result<(), EngineError> {
        let text = Arrival::text(epoch, first, messages);
        self.0
            .redis
            .ask(pipe().cmd(self.0.redis.publishing()).arg(stream.key("live")).arg(text).ignore())
            .await
    }

    /// All that Redis has after a place; all of the topic where that is of another epoch.
    pub async fn after(&self, stream: &Stream, epoch: &str, offset: u64) -> Result<Found, EngineError> {
        let (mut epoch, mut offset): (Arc<str>, u64) = (epoch.into(), offset);
        let mut messages = Vec::new();
        loop {
            let page = self.insist(async || self.page(stream, &epoch, offset).await).await?;
            if page.epoch != epoch {
                messages.clear();
            }
            let is_last = page.messages.len() < PAGE;
            epoch = page.epoch;
            offset = page.messages.last().map_or(offset, |(last, _)| *last);
            messages.extend(page.messages);
            if is_last {
                return Ok(Found { epoch, head: page.head, messages });
            }
        }
    }

    async fn page(&self, stream: &Stream, epoch: &str, offset: u64) -> Result<Found, EngineError> {
        let mut call = self.0.after.prepare_invoke();
        self.keys(&mut call, stream);
        call.arg(fresh_epoch()).arg(HEAD_TTL_MS).arg(stream.class()).arg(epoch).arg(offset).arg(PAGE);
        let (epoch, head, found) = self.0.redis.run::<(String, u64, Vec<(u64, String)>)>(&call).await?;
        let read = |(offset, text): (u64, String)| Some((offset, Carried::parse(&text)?));
        Ok(Found { epoch: epoch.into(), head, messages: found.into_iter().filter_map(read).collect() })
    }

    /// Forgets the newest value of a key, on every node.
    pub async fn forget(&self, stream: &Stream, key: &str) -> Result<(), EngineError> {
        self.insist(async || {
            let mut call = self.0.forget.prepare_invoke();
            self.keys(&mut call, stream);
            call.arg(key).arg(self.0.redis.publishing()).arg(stream.key("live"));
            self.0.redis.run::<()>(&call).await
        })
        .await
    }

    fn keys(&self, call: &mut bb8_redis::redis::ScriptInvocation<'_>, stream: &Stream) {
        let messages = if stream.is_latest { "values" } else { "log" };
        call.key(stream.key("head"))
            .key(stream.key(messages))
            .key(stream.key("order"))
            .key(stream.key(&format!("last:{}", self.0.instance)));
    }

    /// Asks until there is an answer, or Redis is known to be gone.
    async fn insist<T>(&self, ask: impl AsyncFn() -> Result<T, EngineError>) -> Result<T, EngineError> {
        loop {
            match ask().await {
                Err(error) if error.is_outage() && self.way().is_up => {
                    tracing::debug!(%error, "asked again");
                    tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Tells a topic from now on what becomes of Redis, until the seat is dropped.
    pub fn seat(&self, name: Arc<str>, tell: Tell) -> Seat {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let place = Place { number, tell: Arc::new(tell), follows: false, missed: false };
        self.0.seats.lock().insert(name.clone(), place);
        Seat { carrier: self.clone(), name, number }
    }

    /// What is published to the topic is told from now on.
    ///
    /// # Errors
    ///
    /// An outage when Redis is gone.
    pub async fn follow(&self, stream: &Stream) -> Result<(), EngineError> {
        if self.set_follows(&stream.name, true) {
            return Ok(());
        }
        let mut ways = self.ways();
        loop {
            let (done, is_done) = oneshot::channel();
            let wish = Wish { channel: stream.key("live"), follow: true, done };
            let asked = async { self.0.wishes.send(wish).await.is_ok() && is_done.await.is_ok() };
            tokio::select! {
                done = asked => if done { return Ok(()) },
                _ = ways.wait_for(|way| !way.is_up) => {
                    // Asked for again, it is waited for again.
                    self.set_follows(&stream.name, false);
                    return Err(EngineError::Unreachable("it is gone".to_owned()));
                }
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    /// What is published to the topic is of no interest here any more.
    pub fn leave(&self, stream: &Stream) {
        if self.set_follows(&stream.name, false) {
            self.unsubscribe(stream.key("live"));
        }
    }

    /// Returns whether it followed before.
    fn set_follows(&self, name: &str, follows: bool) -> bool {
        let mut seats = self.0.seats.lock();
        seats.get_mut(name).is_some_and(|seat| std::mem::replace(&mut seat.follows, follows))
    }

    fn unsubscribe(&self, channel: String) {
        let wish = Wish { channel, follow: false, done: oneshot::channel().0 };
        // What is not unsubscribed comes and is dropped, until the next connection.
        drop(self.0.wishes.try_send(wish));
    }

    /// Channels that are wanted.
    pub(super) fn channels(&self) -> Vec<String> {
        let seats = self.0.seats.lock();
        let follows = seats.iter().filter(|(_, seat)| seat.follows);
        follows.map(|(name, _)| format!("infrawatch:{{{name}}}:live")).collect()
    }

    /// What came on a channel.
    pub(super) fn arrived(&self, channel: &str, text: &str) {
        let name = channel.strip_prefix("infrawatch:{").and_then(|rest| rest.strip_suffix("}:live"));
        let Some(name) = name else { return };
        let tell = match self.0.seats.lock().get(name) {
            Some(seat) if seat.follows => seat.tell.clone(),
            _ => return,
        };
        let told = Arrival::parse(text).is_some_and(|arrival| tell(arrival));
        if !told && let Some(seat) = self.0.seats.lock().get_mut(name) {
            seat.missed = true;
        }
    }

    /// Tells every topic, those that follow alone for what concerns only them.
    pub(super) fn tell_all(&self, what: impl Fn() -> Arrival) {
        let mut seats = self.0.seats.lock();
        for seat in seats.values_mut() {
            let arrival = what();
            let concerned = seat.follows || !matches!(arrival, Arrival::CatchUp);
            seat.missed |= concerned && !(seat.tell)(arrival);
        }
    }

    /// Topics that were not told something read it again.
    pub(super) fn tell_missed(&self) {
        let mut seats = self.0.seats.lock();
        for seat in seats.values_mut().filter(|seat| seat.missed) {
            seat.missed = !(seat.tell)(Arrival::CatchUp);
        }
    }
}

/// Two epochs are never the same.
fn fresh_epoch() -> String {
    let mut epoch = uuid::Uuid::new_v4().simple().to_string();
    epoch.truncate(12);
    epoch
}

/// A topic's place with the carrier; given back on drop.
pub struct Seat {
    carrier: Carrier,
    name: Arc<str>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.carrier.0.seats.lock();
        if seats.get(&self.name).is_some_and(|seat| seat.number == self.number)
            && seats.remove(&self.name).is_some_and(|seat| seat.follows)
        {
            drop(seats);
            self.carrier.unsubscribe(format!("infrawatch:{{{}}}:live", self.name));
        }
    }
}
