//! The journal of a hub on PostgreSQL: samples that its server cannot take wait on the hub's own disk.
//!
//! One thread owns the files. It writes all that waits, syncs once, and then answers: what is answered survives `kill -9`
//! and a power cut of this machine. What does not fit is refused, and its sender keeps it. Records leave in their order, and
//! are settled when the store has them; one that comes again after a crash is passed over by the store.

mod record;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use super::spill::{Full, Spilled};
use crate::clock::Clock;
use crate::ids::NodeName;
use crate::node::Batch;
use crate::spool::{Spool, SpoolError, WhenFull};
use crate::telemetry::{Counter, Gauge};
use record::Kept;
use writer::{Command, Writer};

/// Records that wait for the disk, and their bytes; more are refused.
const WAITING_MAX: usize = 4_096;
const WAITING_BYTES_MAX: usize = 16 << 20;

/// A batch that is being replayed.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) node: NodeName,
    pub(super) batch: Batch,
    seq: u64,
}

/// What the journal's thread tells.
#[derive(Debug, Default)]
struct Figures {
    /// Bytes on disk.
    bytes: AtomicU64,
    batches: AtomicU64,
    /// When the oldest was journaled, unix milliseconds; 0 when there is none.
    oldest_ms: AtomicU64,
    /// Damaged or refused by the store.
    dropped: AtomicU64,
    overflowed: AtomicU64,
    waiting_bytes: AtomicUsize,
    /// Records that were found damaged.
    damaged: AtomicU64,
}

/// The journal. Its thread ends when it is dropped.
#[derive(Debug)]
pub struct Journal {
    commands: SyncSender<Command>,
    figures: Arc<Figures>,
    bytes_max: u64,
    clock: Clock,
}

impl Journal {
    /// Opens or makes the one in `directory`, with what a former life of the hub left there.
    ///
    /// # Errors
    ///
    /// A directory that cannot be used, or that another process uses.
    pub fn open(directory: &Path, bytes_max: u64, clock: Clock) -> Result<Self, SpoolError> {
        let spool = Spool::open(directory, bytes_max, WhenFull::Refuse)?;
        let (commands, queue) = sync_channel(WAITING_MAX);
        let figures = Arc::new(Figures::default());
        let writer = Writer::new(spool, queue, figures.clone());
        let left = figures.batches.load(Relaxed);
        if left > 0 {
            tracing::info!(batches = left, "samples of a former life of this hub wait in its journal");
        }
        thread::Builder::new().name("journal".into()).spawn(move || writer.run()).map_err(|source| {
            SpoolError::Io { action: "begin a thread for", path: directory.display().to_string(), source }
        })?;
        Ok(Self { commands, figures, bytes_max, clock })
    }

    /// Journals a batch; the receiver resolves once it is on disk, and fails when it never will be.
    pub(super) fn push(&self, node: &NodeName, batch: &Batch) -> Result<oneshot::Receiver<()>, Full> {
        let (done, is_done) = oneshot::channel();
        let samples = batch.values.len() as u64;
        let taken = record::encode(node, batch, self.clock.unix_ms()).is_some_and(|payload| {
            let bytes = payload.len();
            if self.figures.waiting_bytes.fetch_add(bytes, Relaxed) + bytes <= WAITING_BYTES_MAX
                && self.commands.try_send(Command::Append { payload, samples, done }).is_ok()
            {
                return true;
            }
            self.figures.waiting_bytes.fetch_sub(bytes, Relaxed);
            false
        });
        if taken {
            return Ok(is_done);
        }
        self.figures.refused(samples);
        Err(Full)
    }

    /// The oldest that are not out, in their order, to be written to the store.
    pub(super) async fn take(&self, limit: usize) -> Vec<Replayed> {
        let (found, is_found) = oneshot::channel();
        if self.commands.try_send(Command::Take { limit, found }).is_err() {
            return Vec::new();
        }
        let found = is_found.await.unwrap_or_default();
        found.into_iter().map(|(seq, Kept { node, batch, .. })| Replayed { node, batch, seq }).collect()
    }

    /// The store has it.
    pub(super) fn written(&self, replayed: &Replayed) {
        Counter::SamplesSpilled.add_for("replayed", replayed.batch.values.len() as u64);
        self.settle(replayed.seq);
    }

    /// The store will never have it.
    pub(super) fn give_up(&self, replayed: &Replayed) {
        Counter::SamplesSpilled.add_for("lost", replayed.batch.values.len() as u64);
        self.figures.dropped.fetch_add(1, Relaxed);
        self.settle(replayed.seq);
    }

    fn settle(&self, seq: u64) {
        // Not told, it comes again, and the store passes over it.
        drop(self.commands.try_send(Command::Settle(seq)));
    }

    /// All that is out and not settled comes again.
    pub(super) fn rewind(&self) {
        drop(self.commands.try_send(Command::Rewind));
    }

    /// How much waits.
    pub fn depth(&self) -> Spilled {
        let of = |figure: &AtomicU64| figure.load(Relaxed);
        Spilled {
            batches: of(&self.figures.batches) as usize,
            bytes: of(&self.figures.bytes) as usize,
            bytes_max: self.bytes_max as usize,
            overflowed: of(&self.figures.overflowed),
            age_ms: self.age_ms(),
            dropped: of(&self.figures.dropped),
            is_on_disk: true,
        }
    }

    /// Whether so many bytes more may wait.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.figures.bytes.load(Relaxed).saturating_add(bytes as u64) <= self.bytes_max
    }

    /// How long the oldest has waited, in milliseconds; 0 when there is none.
    fn age_ms(&self) -> u64 {
        match self.figures.oldest_ms.load(Relaxed) {
            0 => 0,
            oldest_ms => self.clock.unix_ms().saturating_sub(oldest_ms),
        }
    }

    /// Writes the depth into the metrics.
    pub(super) fn gauge(&self) {
        Gauge::JournalBytes.set(self.figures.bytes.load(Relaxed));
        Gauge::JournalAgeMs.set(self.age_ms());
    }
}

impl Figures {
    fn refused(&self, samples: u64) {
        Counter::SamplesSpilled.add_for("refused", samples);
        self.overflowed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
