//! What waits for a worker, by urgency: bounded, leased to whoever works on it, and taken back from a worker that dies.
//!
//! - [`core`]: all rules of a mailbox in memory; time comes in (pure)
//! - [`memory`]: that behind a lock, for one hub
//! - [`redis`]: the same rules as scripts, for workers on several hub nodes
//! - [`watermark`]: when those who fill it are to slow down, and when they may go on (pure)
//!
//! An item is put once, by its id, and handed out at least once: a lease that is not acknowledged in time is handed out
//! again, and after so many deliveries the item is a dead letter. Critical items go before normal ones, these before low
//! ones; see [`STARVED_TAKES`] for what keeps low ones from waiting for ever.

pub mod core;
pub mod error;
pub mod memory;
pub mod redis;
#[cfg(test)]
mod tests;
pub mod watermark;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::protocol::priority::Priority;

pub use self::core::Core;
pub use error::MailboxError;
pub use memory::MemoryMailbox;
pub use redis::RedisMailbox;
pub use watermark::Watermark;

/// A low item that is due is handed out by this many takes at the latest, counted from when it is first of its priority,
/// whatever else is due; a normal one by one take more.
pub const STARVED_TAKES: u32 = 16;

/// Most items in one call.
pub const BATCH_MAX: usize = 1_000;

/// Longest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 256;

/// A mailbox of the hub, as its metrics name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// Label of what was refused and what died.
    pub label: &'static str,
    /// Labels of its depths, in the order of [`Priority::ALL`].
    pub lanes: [&'static str; 3],
}

/// Samples that wait for the store.
pub const SAMPLES: Name =
    Name { label: "samples", lanes: ["samples_critical", "samples_normal", "samples_low"] };

/// What other programs are to be told.
pub const WEBHOOKS: Name =
    Name { label: "webhooks", lanes: ["webhooks_critical", "webhooks_normal", "webhooks_low"] };

/// What a mailbox may hold, and how often it hands out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Items, leased ones included.
    pub items_max: usize,
    /// Bytes of their payloads.
    pub bytes_max: usize,
    /// Deliveries of one item; then it is a dead letter.
    pub deliveries_max: u32,
    /// Dead letters; the oldest leave.
    pub dead_max: usize,
}

/// Something for a worker. Times are from now, so that no two machines have to agree on the hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How urgent.
    pub priority: Priority,
    /// Put again while the mailbox has it, it is a duplicate.
    pub id: Arc<str>,
    /// Not handed out before, milliseconds from now.
    pub delay_ms: u64,
    /// Not handed out any more, milliseconds from now.
    pub ttl_ms: Option<u64>,
    /// What it says.
    pub payload: Bytes,
}

impl Item {
    /// One that is due now and does not expire.
    pub fn now(priority: Priority, id: impl Into<Arc<str>>, payload: Bytes) -> Self {
        Self { priority, id: id.into(), delay_ms: 0, ttl_ms: None, payload }
    }
}

/// What became of an item that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It waits.
    Accepted,
    /// There is no room for it.
    Full,
    /// The mailbox has one of this id, waiting, leased or dead.
    Duplicate,
}

/// One delivery of an item: what acknowledges it, and nothing else does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease<K = Arc<str>> {
    /// The item's id.
    pub id: K,
    pub(crate) token: u64,
    pub(crate) bytes: usize,
}

/// An item that is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased<K = Arc<str>, T = Bytes> {
    /// Acknowledges it.
    pub lease: Lease<K>,
    /// How urgent.
    pub priority: Priority,
    /// The how many-eth delivery it is; 1 is the first.
    pub deliveries: u32,
    /// What it says.
    pub payload: T,
}

/// What became of an item that was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nacked {
    /// It is handed out again, when its delay is over.
    Again,
    /// That was its last delivery: it is a dead letter.
    Dead,
    /// The lease is not held any more: somebody else has the item.
    NotHeld,
}

/// How much a mailbox holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Items that wait, delayed ones included, in the order of [`Priority::ALL`].
    pub waiting: [usize; 3],
    /// Items that somebody works on.
    pub leased: usize,
    /// Dead letters.
    pub dead: usize,
    /// Bytes of all but dead letters.
    pub bytes: usize,
}

impl Depth {
    /// All items but dead letters.
    pub fn items(&self) -> usize {
        self.waiting.iter().sum::<usize>() + self.leased
    }
}

/// An item that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<K = Arc<str>, T = Bytes> {
    /// Its id.
    pub id: K,
    /// How urgent it was.
    pub priority: Priority,
    /// How often it was handed out.
    pub deliveries: u32,
    /// When it died, unix milliseconds.
    pub died_ms: u64,
    /// Why the last delivery failed.
    pub reason: String,
    /// What it says.
    pub payload: T,
}

/// The mailbox of workers. Calls with several items are carried out as one: nothing comes in between.
pub trait Mailbox: Send + Sync {
    /// Puts items, in order; what became of each.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Oversized`] when there are too many or one is too large: none is put.
    fn put(&self, items: Vec<Item>) -> BoxFuture<'_, Result<Vec<Put>, MailboxError>>;

    /// Hands out at most `limit` items that are due, leased for `visibility_ms`.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Engine`]; what was handed out then comes again when the lease is over.
    fn take(&self, limit: usize, visibility_ms: u64) -> BoxFuture<'_, Result<Vec<Leased>, MailboxError>>;

    /// Items are done. Returns how many of the leases were still held; the others are somebody else's by now.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Engine`]; it may or may not have been done.
    fn ack(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<usize, MailboxError>>;

    /// Items are not done, for this reason: they come again after `delay_ms`, those without delay in their order and ahead
    /// of what waits.
    ///
    /// # Errors
    ///
    /// As [`Mailbox::ack`].
    fn nack<'a>(
        &'a self,
        leases: Vec<Lease>,
        delay_ms: u64,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Nacked>, MailboxError>>;

    /// An item can never be done: it is a dead letter at once. False when the lease is not held any more.
    ///
    /// # Errors
    ///
    /// As [`Mailbox::ack`].
    fn bury<'a>(&'a self, lease: Lease, reason: &'a str) -> BoxFuture<'a, Result<bool, MailboxError>>;

    /// Whoever works on an item needs `visibility_ms` from now. False when the lease is not held any more.
    ///
    /// # Errors
    ///
    /// As [`Mailbox::ack`].
    fn extend(&self, lease: Lease, visibility_ms: u64) -> BoxFuture<'_, Result<bool, MailboxError>>;

    /// How much it holds.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Engine`].
    fn depth(&self) -> BoxFuture<'_, Result<Depth, MailboxError>>;

    /// At most `limit` dead letters, the oldest first.
    ///
    /// # Errors
    ///
    /// [`MailboxError::Engine`].
    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>, MailboxError>>;

    /// Dead letters are to be delivered after all, counted from one and without expiry. Returns how many wait again: those
    /// that are not dead are passed over, and what finds no room stays dead.
    ///
    /// # Errors
    ///
    /// As [`Mailbox::ack`].
    fn requeue(&self, ids: Vec<Arc<str>>) -> BoxFuture<'_, Result<usize, MailboxError>>;
}

/// The reason of an item whose workers never said anything.
pub const SILENT: &str = "nobody who worked on it answered in time";
