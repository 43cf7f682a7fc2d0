//! A mailbox in the memory of one hub: it ends with the hub, and what was put is a pointer.

use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;

use super::core::{Core, New};
use super::{Bounds, DeadLetter, Depth, Item, Lease, Leased, Mailbox, MailboxError, Nacked, Name, Put};
use crate::clock::Clock;
use crate::protocol::priority::Priority;
use crate::telemetry::{Counter, Gauge};

/// The mailbox. Cheap to clone.
#[derive(Debug)]
pub struct MemoryMailbox<K = Arc<str>, T = Bytes>(Arc<Shared<K, T>>);

impl<K, T> Clone for MemoryMailbox<K, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
struct Shared<K, T> {
    name: &'static Name,
    core: Mutex<Core<K, T>>,
    clock: Clock,
}

impl<K: Clone + Eq + Hash, T: Clone> MemoryMailbox<K, T> {
    /// An empty one. Its time does not jump.
    pub fn new(name: &'static Name, bounds: Bounds, clock: Clock) -> Self {
        Self(Arc::new(Shared { name, core: Mutex::new(Core::new(bounds)), clock }))
    }

    fn now_ms(&self) -> u64 {
        self.0.clock.steady_unix_ms()
    }

    /// Puts something that is due now and does not expire; counts what is refused.
    pub fn put_now(&self, priority: Priority, id: K, bytes: usize, payload: T) -> Put {
        let now_ms = self.now_ms();
        let new = New { priority, id, not_before_ms: now_ms, expires_ms: None, bytes, payload };
        let put = self.0.core.lock().put(now_ms, new);
        if put == Put::Full {
            Counter::MailboxRefused.add_for(self.0.name.label, 1);
        }
        put
    }

    /// Hands items out.
    pub fn take_now(&self, limit: usize, visibility_ms: u64) -> Vec<Leased<K, T>> {
        let now_ms = self.now_ms();
        self.counting_losses(|core| core.take(now_ms, limit, visibility_ms))
    }

    /// An item is done; what it said, or `None` when the lease is not held any more.
    pub fn ack_now(&self, lease: &Lease<K>) -> Option<T> {
        self.0.core.lock().ack(lease)
    }

    /// Items are not done.
    pub fn nack_now(&self, leases: &[Lease<K>], delay_ms: u64, reason: &str) -> Vec<Nacked> {
        let now_ms = self.now_ms();
        self.counting_losses(|core| core.nack(now_ms, leases, delay_ms, reason))
    }

    /// How much it holds.
    pub fn depth_now(&self) -> Depth {
        self.0.core.lock().depth()
    }

    /// How long the oldest item has been here, in milliseconds; 0 when there is none.
    pub fn age_ms(&self) -> u64 {
        let oldest_ms = self.0.core.lock().oldest_ms();
        oldest_ms.map_or(0, |put_ms| self.now_ms().saturating_sub(put_ms))
    }

    /// Writes the depths into the metrics.
    pub fn gauge(&self) {
        gauge(self.0.name, &self.depth_now());
    }

    fn counting_losses<R>(&self, work: impl FnOnce(&mut Core<K, T>) -> R) -> R {
        let mut core = self.0.core.lock();
        let before = core.losses();
        let result = work(&mut core);
        let (died, expired) = core.losses();
        drop(core);
        count_losses(self.0.name, died - before.0, expired - before.1);
        result
    }
}

/// Counts items that are dead letters now, and items that expired.
pub(super) fn count_losses(name: &Name, died: u64, expired: u64) {
    if died > 0 {
        Counter::MailboxDead.add_for(name.label, died);
    }
    if expired > 0 {
        Counter::MailboxExpired.add_for(name.label, expired);
    }
}

/// Writes the depths of all mailboxes of a name into the metrics.
pub fn gauge(name: &Name, depth: &Depth) {
    for (lane, waiting) in name.lanes.iter().zip(depth.waiting) {
        Gauge::MailboxWaiting.set_for(lane, waiting as u64);
    }
    Gauge::MailboxDeadLetters.set_for(name.label, depth.dead as u64);
}

impl Mailbox for MemoryMailbox {
    fn put(&self, items: Vec<Item>) -> BoxFuture<'_, Result<Vec<Put>, MailboxError>> {
        if let Err(error) = MailboxError::check(&items) {
            return ready(Err(error)).boxed();
        }
        let now_ms = self.now_ms();
        let mut core = self.0.core.lock();
        let puts = items.into_iter().map(|item| {
            let Item { priority, id, delay_ms, ttl_ms, payload } = item;
            let not_before_ms = now_ms.saturating_add(delay_ms);
            let expires_ms = ttl_ms.map(|ttl_ms| now_ms.saturating_add(ttl_ms));
            let bytes = payload.len();
            core.put(now_ms, New { priority, id, not_before_ms, expires_ms, bytes, payload })
        });
        let puts: Vec<Put> = puts.collect();
        drop(core);
        count_refused(self.0.name, &puts);
        ready(Ok(puts)).boxed()
    }

    fn take(&self, limit: usize, visibility_ms: u64) -> BoxFuture<'_, Result<Vec<Leased>, MailboxError>> {
        let checked = MailboxError::check_count(limit);
        ready(checked.map(|()| self.take_now(limit, visibility_ms))).boxed()
    }

    fn ack(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<usize, MailboxError>> {
        let mut core = self.0.core.lock();
        let acked = leases.iter().filter(|lease| core.ack(lease).is_some()).count();
        drop(core);
        ready(Ok(acked)).boxed()
    }

    fn nack<'a>(
        &'a self,
        leases: Vec<Lease>,
        delay_ms: u64,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Nacked>, MailboxError>> {
        ready(Ok(self.nack_now(&leases, delay_ms, reason))).boxed()
    }

    fn bury<'a>(&'a self, lease: Lease, reason: &'a str) -> BoxFuture<'a, Result<bool, MailboxError>> {
        let now_ms = self.now_ms();
        ready(Ok(self.counting_losses(|core| core.bury(now_ms, &lease, reason)))).boxed()
    }

    fn extend(&self, lease: Lease, visibility_ms: u64) -> BoxFuture<'_, Result<bool, MailboxError>> {
        let now_ms = self.now_ms();
        let held = self.0.core.lock().extend(now_ms, &lease, visibility_ms);
        ready(Ok(held)).boxed()
    }

    fn depth(&self) -> BoxFuture<'_, Result<Depth, MailboxError>> {
        ready(Ok(self.depth_now())).boxed()
    }

    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>, MailboxError>> {
        let dead = self.0.core.lock().dead().take(limit).cloned().collect();
        ready(Ok(dead)).boxed()
    }

    fn requeue(&self, ids: Vec<Arc<str>>) -> BoxFuture<'_, Result<usize, MailboxError>> {
        let now_ms = self.now_ms();
        let requeued = self.0.core.lock().requeue(now_ms, &ids, Bytes::len);
        ready(Ok(requeued)).boxed()
    }
}

/// Counts what a full mailbox refused.
pub(super) fn count_refused(name: &Name, puts: &[Put]) {
    let refused = puts.iter().filter(|put| **put == Put::Full).count();
    if refused > 0 {
        Counter::MailboxRefused.add_for(name.label, refused as u64);
    }
}
