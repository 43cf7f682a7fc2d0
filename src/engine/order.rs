//! The order in which a topic takes in what comes back from Redis (pure).
//!
//! A message comes as the answer to its publisher's script and over pub/sub, in any order, twice or not at all. Each
//! offset is handed on once, in rising order. What comes too early is held; what is missing is a gap to be filled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::carried::Found;

/// Messages that are held behind a gap; further ones are read again when it is filled.
pub const HELD_MAX: usize = 4_096;

/// What became of a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It is the next one.
    Next,
    /// It is held: others are missing before it.
    Early,
    /// It was handed on before.
    Again,
    /// It counts in another epoch than this order: where the topic stands must be read.
    Elsewhere,
}

/// What came and was not handed on, and how far that went.
#[derive(Debug)]
pub struct Order<T> {
    epoch: Arc<str>,
    /// Everything up to this offset was handed on, or is ready.
    top: u64,
    ready: VecDeque<(u64, T)>,
    early: BTreeMap<u64, T>,
    /// Something early was dropped since the last fill.
    dropped: bool,
}

impl<T> Order<T> {
    /// An order that goes on after `top`.
    pub fn new(epoch: Arc<str>, top: u64) -> Self {
        Self { epoch, top, ready: VecDeque::new(), early: BTreeMap::new(), dropped: false }
    }

    /// The epoch that offsets count in.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// The last offset that was handed on or is ready.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// A message came.
    pub fn offer(&mut self, epoch: &str, offset: u64, message: T) -> Came {
        if epoch != &*self.epoch {
            return Came::Elsewhere;
        }
        if offset <= self.top {
            return Came::Again;
        }
        if offset > self.top + 1 {
            self.early.entry(offset).or_insert(message);
            if self.early.len() > HELD_MAX {
                self.early.pop_last();
                self.dropped = true;
            }
            return Came::Early;
        }
        self.ready.push_back((offset, message));
        self.top = offset;
        self.close_up();
        Came::Next
    }

    /// Takes the next message that is due.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.ready.pop_front()
    }

    /// Whether messages are missing before one that came.
    pub fn has_gap(&self) -> bool {
        self.dropped || !self.early.is_empty()
    }

    /// What Redis has after [`Order::top`], up to `reached`: in rising order, and all there is.
    pub fn fill(&mut self, found: Vec<(u64, T)>, reached: u64) {
        for (offset, message) in found {
            if offset > self.top {
                // What came by itself is the same, and knows whom it holds room for.
                let message = self.early.remove(&offset).unwrap_or(message);
                self.ready.push_back((offset, message));
                self.top = offset;
            }
        }
        self.top = self.top.max(reached);
        self.early = self.early.split_off(&(self.top + 1));
        self.dropped = false;
        self.close_up();
    }

    fn close_up(&mut self) {
        while let Some(message) = self.early.remove(&(self.top + 1)) {
            self.top += 1;
            self.ready.push_back((self.top, message));
        }
    }
}

/// Whether what Redis has begins later than right after `top`: messages in between are lost.
pub fn is_lost(found: &Found, top: u64) -> bool {
    found.messages.first().map_or(found.head > top, |(first, _)| *first > top + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(order: &mut Order<u64>, into: &mut Vec<u64>) {
        while let Some((offset, message)) = order.pop() {
            assert_eq!(offset, message);
            into.push(offset);
        }
    }

    #[test]
    fn what_is_of_another_epoch_is_not_taken() {
        let mut order = Order::new("a".into(), 3);
        assert_eq!(order.offer("b", 4, 4), Came::Elsewhere);
        assert_eq!(order.offer("a", 3, 3), Came::Again);
        assert_eq!(order.offer("a", 5, 5), Came::Early);
        assert!(order.has_gap() && order.pop().is_none());
        assert_eq!(order.offer("a", 4, 4), Came::Next);
        let mut out = Vec::new();
        taken(&mut order, &mut out);
        assert_eq!((out, order.has_gap()), (vec![4, 5], false));
    }

    #[test]
    fn what_is_held_is_bounded_and_read_again() {
        let mut order = Order::new("a".into(), 0);
        let many = HELD_MAX as u64 + 10;
        for offset in 2..=many {
            order.offer("a", offset, offset);
        }
        assert_eq!(order.early.len(), HELD_MAX);
        order.offer("a", 1, 1);
        let mut out = Vec::new();
        taken(&mut order, &mut out);
        assert!(order.has_gap(), "what was dropped is missing, although nobody waits behind it");
        order.fill((order.top() + 1..=many).map(|offset| (offset, offset)).collect(), many);
        taken(&mut order, &mut out);
        assert_eq!(out, (1..=many).collect::<Vec<_>>());
        assert!(!order.has_gap());
    }

    /// What happens to a message on its way: it is pushed, answered, both or neither, at any time.
    fn histories() -> impl Strategy<Value = (u64, Vec<(u64, u8)>)> {
        (1..60u64).prop_flat_map(|head| (Just(head), proptest::collection::vec((1..=head, 0..4u8), 0..200)))
    }

    proptest! {
        /// Pushes and answers in any order, lost, repeated, with fills in between of what the stream has at that time.
        #[test]
        fn each_offset_comes_once_in_order((head, events) in histories()) {
            let mut order = Order::new("e".into(), 0);
            let (mut out, mut published) = (Vec::new(), 0u64);
            for (offset, what) in events {
                published = published.max(offset);
                match what {
                    0 => {
                        let from = order.top() + 1;
                        order.fill((from..=published).map(|o| (o, o)).collect(), published);
                    }
                    _ => drop(order.offer("e", offset, offset)),
                }
                taken(&mut order, &mut out);
                prop_assert_eq!(&out, &(1..=order.top()).collect::<Vec<_>>());
                prop_assert_eq!(order.has_gap(), order.early.keys().any(|o| *o > order.top() + 1));
            }
            order.fill((order.top() + 1..=head).map(|o| (o, o)).collect(), head);
            taken(&mut order, &mut out);
            prop_assert_eq!(out, (1..=head).collect::<Vec<_>>());
        }
    }
}
