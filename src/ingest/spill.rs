//! Samples that wait in memory while the store is given a rest: a mailbox whose one worker is the release.
//!
//! What does not fit is refused, and its sender keeps it. Nothing here was acknowledged, so nothing acknowledged is lost
//! with it. A batch keeps its room while it is being written, and comes again when whoever wrote it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::ids::NodeName;
use crate::mailbox::{Bounds, Lease, Leased, MemoryMailbox, Put, SAMPLES};
use crate::node::Batch;
use crate::protocol::priority::Priority;
use crate::store::Column;

/// How long writing out a part may take before another attempt, in milliseconds: far longer than the store takes to
/// answer, whatever it answers.
const VISIBILITY_MS: u64 = 120_000;

/// There is no room for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// One batch that waits.
#[derive(Debug)]
pub struct Waiting {
    /// Whose.
    pub node: NodeName,
    /// What.
    pub batch: Batch,
    committed: Mutex<Option<oneshot::Sender<()>>>,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spilled {
    /// Batches.
    pub batches: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The bound.
    pub bytes_max: usize,
    /// Batches that were refused since the start.
    pub overflowed: u64,
    /// How long the oldest has waited, in milliseconds; 0 when there is none.
    pub age_ms: u64,
    /// Batches that waited and are lost, since the start: damaged on disk, or never to be taken by the store.
    pub dropped: u64,
    /// They are on disk, and acknowledged.
    pub is_on_disk: bool,
}

/// The batches, oldest first.
#[derive(Debug)]
pub struct Spill {
    mailbox: MemoryMailbox<u64, Arc<Waiting>>,
    bytes_max: usize,
    next: AtomicU64,
    overflowed: AtomicU64,
}

/// A batch that is being written.
pub type Held = Leased<u64, Arc<Waiting>>;

impl Spill {
    /// An empty one.
    pub fn new(bytes_max: usize, clock: Clock) -> Self {
        // A batch counts for 256 bytes and more, so bytes bound its number too. It is never given up: the store will be back.
        let bounds = Bounds { items_max: usize::MAX, bytes_max, deliveries_max: u32::MAX, dead_max: 0 };
        let mailbox = MemoryMailbox::new(&SAMPLES, bounds, clock);
        Self { mailbox, bytes_max, next: AtomicU64::new(0), overflowed: AtomicU64::new(0) }
    }

    /// Queues a batch; the receiver resolves once it is committed, and fails when it never will be.
    pub fn push(&self, node: NodeName, batch: Batch) -> Result<oneshot::Receiver<()>, Full> {
        let bytes = weight(&batch);
        let (committed, is_committed) = oneshot::channel();
        let waiting = Arc::new(Waiting { node, batch, committed: Mutex::new(Some(committed)) });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        match self.mailbox.put_now(Priority::Normal, id, bytes, waiting) {
            Put::Accepted => Ok(is_committed),
            Put::Full | Put::Duplicate => {
                self.overflowed.fetch_add(1, Ordering::Relaxed);
                Err(Full)
            }
        }
    }

    /// The oldest, to be written.
    pub fn take(&self, limit: usize) -> Vec<Held> {
        self.mailbox.take_now(limit, VISIBILITY_MS)
    }

    /// It is in the store; whoever sent it may have gone.
    pub fn committed(&self, lease: &Lease<u64>) {
        let done = self.mailbox.ack_now(lease);
        if let Some(told) = done.and_then(|waiting| waiting.committed.lock().take()) {
            let _unheard = told.send(());
        }
    }

    /// Puts what could not be written back to the front, in its order.
    pub fn put_back(&self, part: &[Lease<u64>]) {
        self.mailbox.nack_now(part, 0, "the store did not take it");
    }

    /// Batches that nobody is writing.
    pub fn waiting(&self) -> usize {
        self.mailbox.depth_now().waiting.iter().sum()
    }

    /// How much waits.
    pub fn depth(&self) -> Spilled {
        let depth = self.mailbox.depth_now();
        Spilled {
            batches: depth.items(),
            bytes: depth.bytes,
            bytes_max: self.bytes_max,
            overflowed: self.overflowed.load(Ordering::Relaxed),
            age_ms: self.age_ms(),
            dropped: 0,
            is_on_disk: false,
        }
    }

    /// Whether so many bytes more may wait.
    pub fn fits(&self, bytes: usize) -> bool {
        self.mailbox.depth_now().bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// How long the oldest has waited, in milliseconds; 0 when there is none.
    pub fn age_ms(&self) -> u64 {
        self.mailbox.age_ms()
    }

    /// Writes the depth into the metrics.
    pub fn gauge(&self) {
        self.mailbox.gauge();
    }
}

/// What a batch holds in memory, columns included: those of an agent are shared with nobody.
pub(super) fn weight(batch: &Batch) -> usize {
    let columns = batch.columns.iter().map(Column::weight_bytes);
    256 + batch.values.len() * size_of::<f64>() + columns.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn batch(unix_ms: u64, values: usize) -> Batch {
        let column = Column { name: "load1".to_owned(), labels: BTreeMap::new() };
        Batch { unix_ms, columns: vec![column; values].into(), values: vec![1.0; values] }
    }

    fn node() -> NodeName {
        NodeName::parse("n1").unwrap()
    }

    fn spill(bytes_max: usize) -> Spill {
        Spill::new(bytes_max, Clock::manual(1_000).0)
    }

    #[test]
    fn what_does_not_fit_is_refused_and_counted() {
        let spill = spill(1_000);
        let mut first = spill.push(node(), batch(1, 1)).unwrap();
        spill.push(node(), batch(2, 1)).unwrap();
        assert_eq!(spill.push(node(), batch(3, 50)).err(), Some(Full));
        assert_eq!((spill.depth().batches, spill.depth().overflowed), (2, 1));
        let part = spill.take(2);
        assert!(first.try_recv().is_err(), "not before it is committed");
        assert_eq!((spill.waiting(), spill.depth().batches), (0, 2), "what is written keeps its room");
        part.iter().for_each(|held| spill.committed(&held.lease));
        assert_eq!(first.try_recv(), Ok(()));
        assert_eq!((spill.depth().batches, spill.depth().bytes), (0, 0));
    }

    #[test]
    fn what_was_being_written_by_somebody_who_is_gone_comes_again() {
        let (clock, hand) = Clock::manual(1_000);
        let spill = Spill::new(1_000, clock);
        let mut told = spill.push(node(), batch(1, 1)).unwrap();
        drop(spill.take(1));
        hand.advance_ms(VISIBILITY_MS);
        assert_eq!(spill.age_ms(), VISIBILITY_MS);
        let again = spill.take(1);
        spill.committed(&again[0].lease);
        assert_eq!((told.try_recv(), spill.age_ms()), (Ok(()), 0));
    }

    proptest! {
        #[test]
        fn everything_comes_out_once_in_order_and_within_the_bound(
            steps in prop::collection::vec(prop_oneof![
                (1usize..20).prop_map(Some), Just(None)], 1..80),
            failures in prop::collection::vec(any::<bool>(), 80),
        ) {
            let spill = spill(5_000);
            let (mut next, mut kept, mut out) = (0u64, Vec::new(), Vec::new());
            let mut receivers = Vec::new();
            for (step, fails) in steps.into_iter().zip(failures) {
                match step {
                    Some(values) => {
                        next += 1;
                        if let Ok(receiver) = spill.push(node(), batch(next, values)) {
                            kept.push(next);
                            receivers.push((next, receiver));
                        }
                    }
                    None => {
                        let part = spill.take(3);
                        let leases: Vec<_> = part.iter().map(|held| held.lease.clone()).collect();
                        if fails {
                            spill.put_back(&leases);
                        } else {
                            out.extend(part.iter().map(|held| held.payload.batch.unix_ms));
                            leases.iter().for_each(|lease| spill.committed(lease));
                        }
                    }
                }
                prop_assert!(spill.depth().bytes <= 5_000);
                receivers.retain_mut(|(n, receiver): &mut (u64, oneshot::Receiver<()>)| {
                    let is_told = receiver.try_recv().is_ok();
                    assert!(!is_told || out.contains(n), "{n} was told before it was out");
                    !is_told
                });
            }
            let rest = spill.take(usize::MAX);
            out.extend(rest.iter().map(|held| held.payload.batch.unix_ms));
            rest.iter().for_each(|held| spill.committed(&held.lease));
            prop_assert_eq!(out, kept);
            prop_assert_eq!(spill.depth().bytes, 0);
        }
    }
}
