//! Moments that wait for Redis: the oldest leave when there are too many. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use super::moment::of_one_entry;

/// Bytes that wait.
const BYTES_MAX: usize = 16 << 20;

/// What one moment weighs beside its bytes.
const WEIGHT_BYTES: usize = 64;

/// Moments that wait, oldest first.
pub(super) struct Waiting {
    moments: VecDeque<Bytes>,
    bytes: usize,
    bytes_max: usize,
    /// The number of the oldest.
    first: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { moments: VecDeque::new(), bytes: 0, bytes_max: BYTES_MAX, first: 0 }
    }
}

impl Waiting {
    /// Takes one; returns how many left for it.
    pub(super) fn push(&mut self, moment: Bytes) -> u64 {
        self.bytes += moment.len() + WEIGHT_BYTES;
        self.moments.push_back(moment);
        let first = self.first;
        while self.bytes > self.bytes_max {
            self.pop();
        }
        self.first - first
    }

    fn pop(&mut self) {
        if let Some(moment) = self.moments.pop_front() {
            self.bytes -= moment.len() + WEIGHT_BYTES;
            self.first += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Bytes> {
        self.moments.iter()
    }

    /// The next entries, at most so many, and the number behind their last moment. They wait on until
    /// [`Waiting::sent`].
    pub(super) fn next(&self, entries_max: usize) -> (Vec<Vec<u8>>, u64) {
        let (mut entries, mut at) = (Vec::new(), 0);
        while entries.len() < entries_max && at < self.moments.len() {
            let count = of_one_entry(self.moments.range(at..).map(Bytes::len));
            entries.push(self.moments.range(at..at + count).flatten().copied().collect());
            at += count;
        }
        (entries, self.first + at as u64)
    }

    /// Those before this number arrived.
    pub(super) fn sent(&mut self, before: u64) {
        while self.first < before && !self.moments.is_empty() {
            self.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(n: u8, bytes: usize) -> Bytes {
        vec![n; bytes].into()
    }

    #[test]
    fn what_arrived_leaves_and_what_came_meanwhile_waits_on() {
        let mut waiting = Waiting::default();
        (1..=3).for_each(|n| assert_eq!(waiting.push(moment(n, 10_000)), 0));
        let (entries, before) = waiting.next(2);
        assert_eq!(entries, [vec![1; 10_000], vec![2; 10_000]]);
        waiting.push(moment(4, 5));
        waiting.sent(before);
        let (entries, before) = waiting.next(2);
        assert_eq!(entries, [[vec![3; 10_000], vec![4; 5]].concat()]);
        waiting.sent(before);
        assert!(waiting.is_empty() && waiting.bytes == 0);
    }

    #[test]
    fn the_oldest_leave_when_there_is_no_room_and_are_not_taken_for_others() {
        let mut waiting = Waiting { bytes_max: 3 * (100 + WEIGHT_BYTES), ..Waiting::default() };
        (1..=3).for_each(|n| assert_eq!(waiting.push(moment(n, 100)), 0));
        let (_, before) = waiting.next(1);
        assert_eq!(waiting.push(moment(4, 100)), 1);
        assert_eq!(waiting.push(moment(5, 100)), 1);
        waiting.sent(before);
        let left: Vec<u8> = waiting.all().map(|moment| moment[0]).collect();
        assert_eq!(left, [4, 5], "the first three were in the entry");
    }
}
