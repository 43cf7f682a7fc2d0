//! What came of a sequence of messages: each subscriber's place in it, and the sums over all. Pure.

/// What a message is to the subscriber that gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// The next one, or one after a gap.
    New,
    /// After a later one.
    Late,
    /// It was there already.
    Again,
}

/// What a subscriber has. Of the last 64 messages it is known exactly which; of older ones how many are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// The lowest number that came.
    first: u32,
    /// The highest number that came, and one.
    next: u32,
    /// Bit 0 is `next - 1`, bit 1 the one before.
    window: u64,
    /// Messages that came, each once.
    pub(crate) delivered: u32,
    pub(crate) duplicated: u32,
    pub(crate) reordered: u32,
}

impl Received {
    fn take(&mut self, sequence: u32) -> Arrival {
        if self.window == 0 {
            self.first = sequence;
            self.next = sequence;
        }
        if sequence >= self.next {
            let step = sequence - self.next + 1;
            self.window = self.window.checked_shl(step).unwrap_or(0) | 1;
            self.next = sequence + 1;
            self.delivered += 1;
            return Arrival::New;
        }
        let back = self.next - 1 - sequence;
        let known = (back < u64::BITS).then(|| self.window & 1 << back != 0);
        if known.unwrap_or(sequence >= self.first && self.missing() == 0) {
            self.duplicated += 1;
            return Arrival::Again;
        }
        if back < u64::BITS {
            self.window |= 1 << back;
        }
        self.first = self.first.min(sequence);
        self.delivered += 1;
        self.reordered += 1;
        Arrival::Late
    }

    /// Takes `count` messages with consecutive numbers if the first is the next one; false when it is not.
    #[inline]
    fn take_next(&mut self, first: u32, count: u32) -> bool {
        if first != self.next || self.window == 0 {
            return false;
        }
        let Some(next) = first.checked_add(count) else { return false };
        self.window = match 1u64.checked_shl(count) {
            Some(bit) => self.window << count | (bit - 1),
            None => u64::MAX,
        };
        self.next = next;
        self.delivered += count;
        true
    }

    /// The number of the message that comes next.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// Messages between the first and the last that came, and did not.
    pub(crate) fn missing(&self) -> u32 {
        (self.next - self.first).saturating_sub(self.delivered)
    }
}

/// Sums over all subscribers of a run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Distinct messages times subscribers.
    pub(crate) delivered: u64,
    pub(crate) duplicated: u64,
    /// Messages that came after a later one; they are among the delivered.
    pub(crate) reordered: u64,
}

impl Counts {
    /// A subscriber got `count` messages, numbered from `first`; how many of them it did not have already.
    #[inline]
    pub(crate) fn take(&mut self, received: &mut Received, first: u32, count: u32) -> u32 {
        // The next ones, as nearly always: this is on the way of every delivery.
        let new =
            if received.take_next(first, count) { count } else { self.take_each(received, first, count) };
        self.delivered += u64::from(new);
        new
    }

    #[cold]
    fn take_each(&mut self, received: &mut Received, first: u32, count: u32) -> u32 {
        let mut new = 0;
        for sequence in (first..=u32::MAX).take(count as usize) {
            match received.take(sequence) {
                Arrival::Again => {
                    self.duplicated += 1;
                    continue;
                }
                Arrival::Late => self.reordered += 1,
                Arrival::New => {}
            }
            new += 1;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loss_duplicates_and_disorder_are_told_apart() {
        let far_and_back: Vec<u32> = (0..200).chain([3, 199]).collect();
        let table: &[(&[u32], u32, u32, u32, u32)] = &[
            (&[], 0, 0, 0, 0),
            (&[0, 1, 2], 3, 0, 0, 0),
            (&[0, 2, 3], 3, 0, 0, 1),
            (&[0, 2, 1, 3], 4, 0, 1, 0),
            (&[0, 1, 1, 2], 3, 1, 0, 0),
            (&[0, 1, 2, 1], 3, 1, 0, 0),
            (&[0, 2, 2, 2], 2, 2, 0, 1),
            (&[7, 8], 2, 0, 0, 0),
            (&[7, 8, 6], 3, 0, 1, 0),
            (&[0, 100], 2, 0, 0, 99),
            (&[0, 100, 1], 3, 0, 1, 98),
            (&far_and_back, 200, 2, 0, 0),
        ];
        for (sequences, delivered, duplicated, reordered, missing) in table {
            let (mut received, mut counts) = (Received::default(), Counts::default());
            for sequence in *sequences {
                counts.take(&mut received, *sequence, 1);
            }
            let sums = (counts.delivered, counts.duplicated, counts.reordered);
            assert_eq!(
                sums,
                ((*delivered).into(), (*duplicated).into(), (*reordered).into()),
                "{sequences:?}"
            );
            let got = (received.delivered, received.duplicated, received.reordered, received.missing());
            assert_eq!(got, (*delivered, *duplicated, *reordered, *missing), "{sequences:?}");
        }
    }

    proptest! {
        /// The short way of messages that are the next ones is no other count.
        #[test]
        fn messages_taken_together_count_as_each_by_itself(
            runs in prop::collection::vec((0u32..200, 0u32..100), 1..20),
        ) {
            let (mut received, mut counts) = (Received::default(), Counts::default());
            let (mut each_received, mut each_counts) = (Received::default(), Counts::default());
            for (first, count) in runs {
                // Every other run continues where the last one ended.
                let first = if first % 2 == 0 { first } else { received.next() };
                let new = counts.take(&mut received, first, count);
                let each_new: u32 =
                    (first..first + count).map(|each| each_counts.take(&mut each_received, each, 1)).sum();
                prop_assert_eq!((received, new), (each_received, each_new));
                let sums = [&counts, &each_counts].map(|c| (c.delivered, c.duplicated, c.reordered));
                prop_assert_eq!(sums[0], sums[1]);
            }
        }
    }
}
