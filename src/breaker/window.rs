//! Calls and failures within a sliding window of time. Pure.

/// Slices of the window: it slides by one of them.
const SLICES: usize = 10;

/// Calls of one slice, or of the whole window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All calls.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
}

/// The window. Times are monotonic milliseconds.
#[derive(Debug, Clone)]
pub struct Window {
    slice_ms: u64,
    slices: [Tally; SLICES],
    /// Number of the newest slice since time 0.
    newest: u64,
}

impl Window {
    /// An empty window of this length.
    pub fn new(window_ms: u64) -> Self {
        Self { slice_ms: (window_ms / SLICES as u64).max(1), slices: Default::default(), newest: 0 }
    }

    /// Counts calls; a time before the newest counts as the newest.
    pub fn add(&mut self, now_ms: u64, calls: u64, failures: u64) {
        self.slide(now_ms);
        let slice = &mut self.slices[(self.newest % SLICES as u64) as usize];
        slice.calls = slice.calls.saturating_add(calls);
        slice.failures = slice.failures.saturating_add(failures);
    }

    /// What happened within the window up to now.
    pub fn sum(&mut self, now_ms: u64) -> Tally {
        self.slide(now_ms);
        self.slices.iter().fold(Tally::default(), |sum, slice| Tally {
            calls: sum.calls.saturating_add(slice.calls),
            failures: sum.failures.saturating_add(slice.failures),
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.slices = Default::default();
    }

    fn slide(&mut self, now_ms: u64) {
        let number = (now_ms / self.slice_ms).max(self.newest);
        for passed in 1..=(number - self.newest).min(SLICES as u64) {
            self.slices[((self.newest + passed) % SLICES as u64) as usize] = Tally::default();
        }
        self.newest = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut window = Window::new(10_000);
        window.add(500, 4, 1);
        window.add(9_999, 1, 1);
        assert_eq!(window.sum(9_999), Tally { calls: 5, failures: 2 });
        assert_eq!(window.sum(10_000), Tally { calls: 1, failures: 1 });
        assert_eq!(window.sum(30_000), Tally::default());
        window.add(100, 1, 0);
        assert_eq!(window.sum(30_001).calls, 1, "a clock that goes back counts as now");
    }

    proptest! {
        /// Exact but for the slice that the window is about to leave behind.
        #[test]
        fn the_sum_is_that_of_the_last_slices(steps in prop::collection::vec((0u64..3_000, 0u64..5), 1..50)) {
            let mut window = Window::new(10_000);
            let (mut now_ms, mut all) = (0u64, Vec::new());
            for (pause_ms, calls) in steps {
                now_ms += pause_ms;
                window.add(now_ms, calls, calls / 2);
                all.push((now_ms, calls));
                let first = (now_ms / 1_000).saturating_sub(9);
                let expected: u64 = all.iter().filter(|(at, _)| at / 1_000 >= first).map(|(_, n)| n).sum();
                prop_assert_eq!(window.sum(now_ms).calls, expected);
            }
        }
    }
}
