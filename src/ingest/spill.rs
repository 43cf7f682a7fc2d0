//! Samples that wait in memory while the store is given a rest. Pure.
//!
//! Bounded in bytes; what does not fit is refused, and its sender keeps it. Nothing here was acknowledged, so
//! nothing acknowledged is lost with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use crate::ids::NodeName;
use crate::node::Batch;
use crate::store::Column;

/// There is no room for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// One batch that waits. Keeps its room until it is dropped, also while it is being written.
#[derive(Debug)]
pub struct Waiting {
    /// Whose.
    pub node: NodeName,
    /// What.
    pub batch: Batch,
    committed: oneshot::Sender<()>,
    _room: Room,
}

#[derive(Debug)]
struct Room {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Waiting {
    /// It is in the store; whoever sent it may have gone.
    pub fn committed(self) {
        let _unheard = self.committed.send(());
    }
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
}

/// The queue, oldest first.
#[derive(Debug)]
pub struct Spill {
    waiting: VecDeque<Waiting>,
    taken: Arc<AtomicUsize>,
    bytes_max: usize,
    overflowed: u64,
}

impl Spill {
    /// An empty one.
    pub fn new(bytes_max: usize) -> Self {
        Self { waiting: VecDeque::new(), taken: Arc::default(), bytes_max, overflowed: 0 }
    }

    /// Queues a batch; the receiver resolves once it is committed, and fails when it never will be.
    pub fn push(&mut self, node: NodeName, batch: Batch) -> Result<oneshot::Receiver<()>, Full> {
        let bytes = weight(&batch);
        if self.taken.load(Ordering::Relaxed) + bytes > self.bytes_max {
            self.overflowed += 1;
            return Err(Full);
        }
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { taken: self.taken.clone(), bytes };
        let (committed, is_committed) = oneshot::channel();
        self.waiting.push_back(Waiting { node, batch, committed, _room: room });
        Ok(is_committed)
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    /// Puts what could not be written back to the front, in its order.
    pub fn put_back(&mut self, part: Vec<Waiting>) {
        for waiting in part.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How much waits.
    pub fn depth(&self) -> Spilled {
        Spilled {
            batches: self.waiting.len(),
            bytes: self.taken.load(Ordering::Relaxed),
            bytes_max: self.bytes_max,
            overflowed: self.overflowed,
        }
    }
}

/// What a batch holds in memory, columns included: those of an agent are shared with nobody.
fn weight(batch: &Batch) -> usize {
    let labels = |column: &Column| column.labels.iter().map(|(k, v)| k.len() + v.len() + 96).sum::<usize>();
    let columns = batch.columns.iter().map(|column| 64 + column.name.len() + labels(column));
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

    #[test]
    fn what_does_not_fit_is_refused_and_counted() {
        let mut spill = Spill::new(1_000);
        let mut first = spill.push(node(), batch(1, 1)).unwrap();
        spill.push(node(), batch(2, 1)).unwrap();
        assert_eq!(spill.push(node(), batch(3, 50)).err(), Some(Full));
        assert_eq!((spill.depth().batches, spill.depth().overflowed), (2, 1));
        let oldest = spill.pop().unwrap();
        assert!(first.try_recv().is_err(), "not before it is committed");
        oldest.committed();
        assert_eq!(first.try_recv(), Ok(()));
        drop(spill.pop());
        assert_eq!((spill.depth().batches, spill.depth().bytes), (0, 0));
    }

    proptest! {
        #[test]
        fn everything_comes_out_once_in_order_and_within_the_bound(
            steps in prop::collection::vec(prop_oneof![
                (1usize..20).prop_map(Some), Just(None)], 1..80),
            failures in prop::collection::vec(any::<bool>(), 80),
        ) {
            let mut spill = Spill::new(5_000);
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
                        let part: Vec<Waiting> = (0..3).filter_map(|_| spill.pop()).collect();
                        if fails {
                            spill.put_back(part);
                        } else {
                            out.extend(part.iter().map(|waiting| waiting.batch.unix_ms));
                            part.into_iter().for_each(Waiting::committed);
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
            while let Some(waiting) = spill.pop() {
                out.push(waiting.batch.unix_ms);
            }
            prop_assert_eq!(out, kept);
            prop_assert_eq!(spill.depth().bytes, 0);
        }
    }
}
