//! What the store counts about itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::StoreError;
use crate::breaker::{Breakers, Subsystem};

/// The counters of one store since it was opened, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStats {
    /// Whether the writer has its file open.
    pub writer_running: bool,
    /// Why it failed last, if it ever did.
    pub last_failure: Option<String>,
    /// How often the file had to be opened again.
    pub writer_restarts: u64,
    /// Failures of the writer, each attempt to open the file again included.
    pub writer_failures: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Requests in them.
    pub requests_committed: u64,
    /// Requests that a failure of their group took along.
    pub requests_failed: u64,
    /// Requests refused because the queue was full.
    pub requests_refused: u64,
    /// Requests waiting now.
    pub queue_requests: usize,
    /// Their weight.
    pub queue_bytes: usize,
}

/// How far the writer is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How long it has worked on the group in hand, in milliseconds.
    pub group_ms: u64,
    /// How full its queue is by requests or by bytes, in percent.
    pub fill_percent: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    down: AtomicBool,
    last_failure: Mutex<Option<String>>,
    writer_restarts: AtomicU64,
    writer_failures: AtomicU64,
    commits: AtomicU64,
    requests_committed: AtomicU64,
    requests_failed: AtomicU64,
    requests_refused: AtomicU64,
    queue_requests: AtomicUsize,
    queue_bytes: AtomicUsize,
    in_hand: Mutex<InHand>,
    /// Told how every request went.
    breakers: OnceLock<Breakers>,
}

/// The group that the writer works on.
#[derive(Default)]
struct InHand {
    begun: Option<Instant>,
    requests: usize,
    /// Requests that were counted as too late since it began.
    late: usize,
}

impl Counters {
    /// From now on the breaker of the store is told how every request went.
    pub(super) fn watched_by(&self, breakers: Breakers) {
        // A store has one hub.
        drop(self.breakers.set(breakers));
    }

    fn observe(&self, good: usize, bad: usize) {
        if let Some(breakers) = self.breakers.get() {
            breakers.observe(Subsystem::Store, good as u64, bad as u64);
        }
    }

    pub(super) fn group_begun(&self, requests: usize, now: Instant) {
        *self.in_hand.lock() = InHand { begun: Some(now), requests, late: 0 };
    }

    /// Counts those that have waited too long for the group in hand; each once.
    pub(super) fn count_late(&self, now: Instant, call_max: Duration) {
        let mut in_hand = self.in_hand.lock();
        let Some(begun) = in_hand.begun.filter(|begun| now.duration_since(*begun) >= call_max) else {
            return;
        };
        let late = in_hand.requests + self.queue_requests.load(Relaxed);
        let fresh = late.saturating_sub(in_hand.late);
        in_hand.late = late.max(in_hand.late);
        drop(in_hand);
        if fresh > 0 {
            tracing::warn!(late, begun_s = now.duration_since(begun).as_secs(), "the store is too slow");
        }
        self.observe(0, fresh);
    }

    /// How far the writer is behind, with these bounds of its queue.
    pub(super) fn backlog(&self, now: Instant, requests_max: usize, bytes_max: usize) -> Backlog {
        let begun = self.in_hand.lock().begun;
        let group_ms = begun.map_or(0, |begun| now.duration_since(begun).as_millis() as u64);
        let percent =
            |part: &AtomicUsize, whole: usize| 100 * part.load(Relaxed) as u64 / whole.max(1) as u64;
        let by_requests = percent(&self.queue_requests, requests_max);
        let fill_percent = by_requests.max(percent(&self.queue_bytes, bytes_max));
        Backlog { group_ms, fill_percent }
    }

    /// Counts a request in when its weight still fits.
    pub(super) fn admit(&self, weight_bytes: usize, bytes_max: usize) -> bool {
        let before = self.queue_bytes.fetch_add(weight_bytes, Relaxed);
        // One that is alone may be heavier than the bound: it could never be served otherwise.
        if before > 0 && before.saturating_add(weight_bytes) > bytes_max {
            self.queue_bytes.fetch_sub(weight_bytes, Relaxed);
            return false;
        }
        self.queue_requests.fetch_add(1, Relaxed);
        true
    }

    pub(super) fn taken(&self, weight_bytes: usize) {
        self.queue_requests.fetch_sub(1, Relaxed);
        self.queue_bytes.fetch_sub(weight_bytes, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.requests_refused.fetch_add(1, Relaxed);
        self.observe(0, 1);
    }

    pub(super) fn committed(&self, requests: usize) {
        self.in_hand.lock().begun = None;
        self.commits.fetch_add(1, Relaxed);
        self.requests_committed.fetch_add(requests as u64, Relaxed);
        self.observe(requests, 0);
    }

    pub(super) fn group_failed(&self, requests: usize) {
        self.in_hand.lock().begun = None;
        self.requests_failed.fetch_add(requests as u64, Relaxed);
        self.observe(0, requests);
    }

    pub(super) fn writer_failed(&self, error: &StoreError) {
        tracing::error!(%error, "the store's writer failed");
        self.down.store(true, Relaxed);
        self.writer_failures.fetch_add(1, Relaxed);
        *self.last_failure.lock() = Some(error.to_string());
    }

    pub(super) fn writer_back(&self) {
        tracing::info!("the store's writer is back");
        self.writer_restarts.fetch_add(1, Relaxed);
        self.down.store(false, Relaxed);
    }

    pub(super) fn snapshot(&self) -> StoreStats {
        StoreStats {
            writer_running: !self.down.load(Relaxed),
            last_failure: self.last_failure.lock().clone(),
            writer_restarts: self.writer_restarts.load(Relaxed),
            writer_failures: self.writer_failures.load(Relaxed),
            commits: self.commits.load(Relaxed),
            requests_committed: self.requests_committed.load(Relaxed),
            requests_failed: self.requests_failed.load(Relaxed),
            requests_refused: self.requests_refused.load(Relaxed),
            queue_requests: self.queue_requests.load(Relaxed),
            queue_bytes: self.queue_bytes.load(Relaxed),
        }
    }
}
