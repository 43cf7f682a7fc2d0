//! The switchboard of deliberate faults: what is to go wrong in one hub, asked at the places where it would.
//!
//! One value a hub, made only for a hub with `--lab` and in tests; without it every place that asks holds a
//! `None`. While nothing is on, asking is one relaxed load. It knows no other module: it holds numbers, names and
//! patterns, and whoever asks does the rest. Who turns what on and for how long is `lab::faults`'s.

mod actors;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};

pub use actors::{ActorFaults, Phase};
pub use wire::{Fate, Frames, Latency};

use wire::Wire;

/// Places that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A frame on its way out of a socket.
    Latency,
    /// A data frame on its way to a subscriber.
    Frames,
    /// The store's writer.
    Store,
    /// The check of a token.
    Tokens,
    /// A message that is about to be handled.
    Poison,
    /// A question to Redis, and what Redis pushes.
    Redis,
    /// A statement to PostgreSQL.
    Postgres,
}

impl Point {
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What the store's writer is to suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFaults {
    /// Each commit takes so much longer, in milliseconds.
    pub slow_ms: u64,
    /// Nothing can be written, and the file cannot be opened.
    pub gone: bool,
    /// No commit finds room.
    pub full: bool,
}

/// What the way to Redis is to suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisFault {
    /// Nothing.
    #[default]
    None,
    /// Nobody listens there.
    Gone,
    /// Nothing that is sent arrives, and nothing comes.
    Silent,
}

/// The switchboard.
#[derive(Debug, Default)]
pub struct Faults {
    /// A bit a [`Point`].
    on: AtomicU32,
    wire: RwLock<Wire>,
    store_slow_ms: AtomicU64,
    store_gone: AtomicBool,
    disk_full: AtomicBool,
    redis_gone: AtomicBool,
    redis_silent: AtomicBool,
    clock_offset_ms: AtomicI64,
    /// Tokens issued before this count as expired, unix milliseconds.
    expired_before_ms: AtomicU64,
    poison: Mutex<Option<Arc<str>>>,
    actors: ActorFaults,
}

impl Faults {
    /// A switchboard with everything off.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether anything is on at this place.
    pub fn is_on(&self, point: Point) -> bool {
        self.on.load(Relaxed) & point.bit() != 0
    }

    fn turn(&self, point: Point, on: bool) {
        if on {
            self.on.fetch_or(point.bit(), Relaxed);
        } else {
            self.on.fetch_and(!point.bit(), Relaxed);
        }
    }

    /// Ends everything but what concerns actors, whose supervisors must be woken (`Tree::disarm`).
    pub fn clear(&self) {
        self.set_latency(None);
        self.set_dropped(None);
        self.set_duplicated(None);
        self.set_store(StoreFaults::default());
        self.set_redis_gone(false);
        self.set_redis_silent(false);
        self.set_postgres_gone(false);
        self.jump_clock(0);
        self.expire_tokens_before(0);
        self.set_poison(None);
    }

    /// Holds what is written to matching clients back; `None` ends it.
    pub fn set_latency(&self, latency: Option<Latency>) {
        let mut wire = self.wire.write();
        wire.latency = latency;
        self.turn(Point::Latency, wire.latency.is_some());
    }

    /// How long what is written to a client now is held back, in milliseconds.
    pub fn latency_ms(&self, client: &str) -> Option<u64> {
        if !self.is_on(Point::Latency) {
            return None;
        }
        self.wire.read().latency_ms(client, rand::random())
    }

    /// Drops data frames of matching topics to matching clients; `None` ends it.
    pub fn set_dropped(&self, frames: Option<Frames>) {
        let mut wire = self.wire.write();
        wire.dropped = frames;
        self.turn(Point::Frames, wire.tampers());
    }

    /// Sends such frames twice; `None` ends it.
    pub fn set_duplicated(&self, frames: Option<Frames>) {
        let mut wire = self.wire.write();
        wire.duplicated = frames;
        self.turn(Point::Frames, wire.tampers());
    }

    /// What becomes of a data frame of `topic` to `client`.
    pub fn fate(&self, client: &str, topic: &str) -> Fate {
        if !self.is_on(Point::Frames) {
            return Fate::Whole;
        }
        self.wire.read().fate(client, topic, rand::random())
    }

    /// What the store's writer is to suffer from now on.
    pub fn set_store(&self, faults: StoreFaults) {
        self.store_slow_ms.store(faults.slow_ms, Relaxed);
        self.store_gone.store(faults.gone, Relaxed);
        self.disk_full.store(faults.full, Relaxed);
        self.turn(Point::Store, faults != StoreFaults::default());
    }

    /// What the store's writer is to suffer now.
    pub fn store(&self) -> StoreFaults {
        if !self.is_on(Point::Store) {
            return StoreFaults::default();
        }
        StoreFaults {
            slow_ms: self.store_slow_ms.load(Relaxed),
            gone: self.store_gone.load(Relaxed),
            full: self.disk_full.load(Relaxed),
        }
    }

    /// Whether nobody listens where Redis is.
    pub fn set_redis_gone(&self, gone: bool) {
        self.redis_gone.store(gone, Relaxed);
        self.turn_redis();
    }

    /// Whether the way to Redis swallows everything.
    pub fn set_redis_silent(&self, silent: bool) {
        self.redis_silent.store(silent, Relaxed);
        self.turn_redis();
    }

    fn turn_redis(&self) {
        self.turn(Point::Redis, self.redis_gone.load(Relaxed) || self.redis_silent.load(Relaxed));
    }

    /// What the way to Redis is to suffer now.
    pub fn redis(&self) -> RedisFault {
        if !self.is_on(Point::Redis) {
            RedisFault::None
        } else if self.redis_gone.load(Relaxed) {
            RedisFault::Gone
        } else {
            RedisFault::Silent
        }
    }

    /// Whether the hub is cut off from others.
    pub fn is_cut_off(&self) -> bool {
        self.is_on(Point::Redis) && self.redis_silent.load(Relaxed)
    }

    /// Whether nobody listens where PostgreSQL is.
    pub fn set_postgres_gone(&self, gone: bool) {
        self.turn(Point::Postgres, gone);
    }

    /// Moves the hub's wall clock by so many milliseconds against the machine's; 0 puts it right.
    pub fn jump_clock(&self, offset_ms: i64) {
        self.clock_offset_ms.store(offset_ms, Relaxed);
    }

    /// How far the hub's wall clock is from the machine's, in milliseconds.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Relaxed)
    }

    /// Tokens issued before this moment (unix milliseconds) count as expired; 0 ends it.
    pub fn expire_tokens_before(&self, unix_ms: u64) {
        self.expired_before_ms.store(unix_ms, Relaxed);
        self.turn(Point::Tokens, unix_ms > 0);
    }

    /// Whether a token issued then (unix milliseconds) counts as expired. Whoever came without a token (`--dev`)
    /// has no such moment, which is 0.
    pub fn is_token_expired(&self, issued_at_ms: u64) -> bool {
        self.is_on(Point::Tokens) && issued_at_ms > 0 && issued_at_ms < self.expired_before_ms.load(Relaxed)
    }

    /// Whoever handles a message with this key panics; `None` ends it.
    pub fn set_poison(&self, key: Option<Arc<str>>) {
        let on = key.is_some();
        *self.poison.lock() = key;
        self.turn(Point::Poison, on);
    }

    /// Whether a message with this key is the poison.
    pub fn is_poison(&self, key: &str) -> bool {
        self.is_on(Point::Poison) && self.poison.lock().as_deref() == Some(key)
    }

    /// What concerns actors.
    pub fn actors(&self) -> &ActorFaults {
        &self.actors
    }
}

/// Whether a pattern names something: a name, `*` for all, or `prefix*`.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(percent: u8) -> Option<Frames> {
        Some(Frames { clients: "*".into(), topics: "*".into(), percent })
    }

    #[test]
    fn everything_is_off_until_it_is_turned_on_and_after_it_is_cleared() {
        let faults = Faults::new();
        let points = [
            Point::Latency,
            Point::Frames,
            Point::Store,
            Point::Tokens,
            Point::Poison,
            Point::Redis,
            Point::Postgres,
        ];
        let on = |faults: &Faults| points.iter().filter(|point| faults.is_on(**point)).count();
        assert_eq!(on(&faults), 0);
        faults.set_latency(Some(Latency { clients: "*".into(), delay_ms: 5, jitter_ms: 0 }));
        faults.set_dropped(all(100));
        faults.set_duplicated(all(100));
        faults.set_store(StoreFaults { gone: true, ..StoreFaults::default() });
        faults.jump_clock(-7);
        faults.expire_tokens_before(9);
        faults.set_poison(Some("p".into()));
        faults.set_redis_silent(true);
        assert_eq!(faults.redis(), RedisFault::Silent);
        faults.set_redis_gone(true);
        assert_eq!(faults.redis(), RedisFault::Gone);
        faults.set_postgres_gone(true);
        assert_eq!((on(&faults), faults.clock_offset_ms()), (points.len(), -7));
        assert_eq!(faults.latency_ms("a"), Some(5));
        assert_eq!(faults.fate("a", "t"), Fate::Dropped);
        assert!(faults.store().gone && faults.is_poison("p") && !faults.is_poison("q"));
        faults.set_dropped(None);
        assert_eq!(faults.fate("a", "t"), Fate::Twice, "one of two that share a place is still on");
        faults.set_dropped(all(100));
        faults.clear();
        assert_eq!((on(&faults), faults.clock_offset_ms()), (0, 0));
        assert_eq!((faults.latency_ms("a"), faults.fate("a", "t")), (None, Fate::Whole));
        assert_eq!((faults.store(), faults.redis()), (StoreFaults::default(), RedisFault::None));
        assert!(!faults.is_poison("p"));
    }

    #[test]
    fn tokens_issued_before_a_moment_are_expired() {
        let faults = Faults::new();
        assert!(!faults.is_token_expired(1));
        faults.expire_tokens_before(5_000);
        assert!(faults.is_token_expired(4_000) && !faults.is_token_expired(5_000));
        assert!(!faults.is_token_expired(0), "nobody issued it");
    }

    #[test]
    fn patterns_are_a_name_a_prefix_or_all() {
        let table =
            [("a", "a", true), ("a", "ab", false), ("a*", "ab", true), ("*", "", true), ("b*", "ab", false)];
        for (pattern, name, expected) in table {
            assert_eq!(covers(pattern, name), expected, "{pattern} {name}");
        }
    }
}
