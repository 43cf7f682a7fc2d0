//! Messages whose offsets are given elsewhere, put in order. Pure.
//!
//! They come more than once and in any order: as the answer to a publish, as a push, read after a gap.

use std::collections::BTreeMap;

/// Messages that are held behind a gap; what comes beyond is read again when the gap is filled.
const HELD_MAX: usize = 4_096;

/// What came too early.
#[derive(Debug)]
pub struct Order<T> {
    top: u64,
    held: BTreeMap<u64, T>,
}

impl<T> Order<T> {
    /// The next is the one after `top`.
    pub fn new(top: u64) -> Self {
        Self { top, held: BTreeMap::new() }
    }

    /// Offset of the last message that was let through.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// A message came. Returns those that are next, in order; what was let through before is dropped.
    pub fn offer(&mut self, offset: u64, message: T) -> Vec<(u64, T)> {
        if offset > self.top && (self.held.len() < HELD_MAX || offset == self.top + 1) {
            // The first to come stays: it may be the one that somebody waits for.
            self.held.entry(offset).or_insert(message);
        }
        self.drain()
    }

    /// Something is held, and one before it is missing.
    pub fn has_gap(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is missing is lost: goes on with the first that is held. Returns the offset before it, and what follows.
    pub fn skip(&mut self) -> Option<(u64, Vec<(u64, T)>)> {
        let (first, _) = self.held.first_key_value()?;
        self.top = first - 1;
        Some((self.top, self.drain()))
    }

    /// Everything that is held, in order.
    pub fn into_held(self) -> impl Iterator<Item = T> {
        self.held.into_values()
    }

    fn drain(&mut self) -> Vec<(u64, T)> {
        let mut ready = Vec::new();
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() == self.top + 1) {
            self.top += 1;
            ready.push(entry.remove_entry());
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_is_waited_for_filled_or_skipped() {
        let mut order = Order::new(4);
        assert_eq!(order.offer(6, 'b'), []);
        assert_eq!(order.offer(4, 'x'), [], "that was there before");
        assert!(order.has_gap());
        assert_eq!(order.offer(5, 'a'), [(5, 'a'), (6, 'b')]);
        assert!(!order.has_gap());
        order.offer(9, 'c');
        order.offer(11, 'd');
        assert_eq!(order.skip(), Some((8, vec![(9, 'c')])));
        assert_eq!(order.top(), 9);
        assert_eq!(order.into_held().collect::<Vec<_>>(), ['d']);
    }

    #[test]
    fn what_is_held_is_bounded_and_the_next_always_passes() {
        let mut order = Order::new(0);
        for offset in 2..10 + HELD_MAX as u64 {
            order.offer(offset, ());
        }
        assert_eq!(order.held.len(), HELD_MAX);
        assert_eq!(order.offer(1, ()).len(), HELD_MAX + 1);
    }

    proptest! {
        /// Any interleaving of answers, pushes and reads, with repeats: each offset once, in order.
        #[test]
        fn each_offset_comes_once_and_in_order(offsets in proptest::collection::vec(1u64..40, 0..200)) {
            let mut order = Order::new(0);
            let mut seen: Vec<u64> = Vec::new();
            for offset in &offsets {
                seen.extend(order.offer(*offset, *offset).into_iter().map(|(at, _)| at));
            }
            prop_assert!(seen.iter().copied().eq(1..=seen.len() as u64), "{seen:?}");
            prop_assert!(!offsets.contains(&(order.top() + 1)), "the next was there and was not let through");
        }
    }
}
