//! How long messages take from the hub's acceptance to the sockets, by urgency, over the last minute.
//!
//! Recorded once a bundle and worker, whatever the number of members.

use std::collections::VecDeque;
use std::sync::Arc;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::protocol::priority::Priority;

/// The window slides by a slice.
const SLICE_MS: u64 = 10_000;
const SLICES: usize = 6;

/// The window, in seconds.
pub const WINDOW_S: u64 = SLICE_MS * SLICES as u64 / 1_000;

/// Longer ones count as this, in microseconds: a minute.
const LONGEST_US: u64 = 60_000_000;

/// Two digits: 1 % of error at most.
const DIGITS: u8 = 2;

/// The latencies of one urgency, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = LatencyPercentiles)]
pub struct Percentiles {
    /// Bundles that were handed over.
    pub count: u64,
    /// Half took at most this.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

/// The latencies of a hub. Cheap to clone.
#[derive(Clone, Default)]
pub struct Latency(Arc<[Mutex<Window>; 3]>);

/// The histograms of one urgency, newest last, each with the number of its slice.
#[derive(Default)]
struct Window(VecDeque<(u64, Histogram<u32>)>);

impl Latency {
    /// Something urgent to that degree took so long. The time is monotonic.
    pub fn record(&self, priority: Priority, took_us: u64, now_ms: u64) {
        self.0[priority.index()].lock().record(took_us, now_ms / SLICE_MS);
    }

    /// The percentiles of the window; `None` when nothing was recorded within it.
    pub fn percentiles(&self, priority: Priority, now_ms: u64) -> Option<Percentiles> {
        let window = self.0[priority.index()].lock();
        let recent = |number: &u64| number + SLICES as u64 > now_ms / SLICE_MS;
        let mut slices = window.0.iter().filter(|(number, _)| recent(number)).map(|(_, slice)| slice);
        let mut sum = slices.next()?.clone();
        for slice in slices {
            // They all have the same bounds.
            sum.add(slice).ok()?;
        }
        let ms = |us: u64| us as f64 / 1_000.0;
        (!sum.is_empty()).then(|| Percentiles {
            count: sum.len(),
            p50: ms(sum.value_at_quantile(0.5)),
            p95: ms(sum.value_at_quantile(0.95)),
            p99: ms(sum.value_at_quantile(0.99)),
            p99_9: ms(sum.value_at_quantile(0.999)),
            max: ms(sum.max()),
        })
    }
}

impl Window {
    fn record(&mut self, took_us: u64, number: u64) {
        if self.0.back().is_none_or(|(newest, _)| *newest < number) {
            self.turn(number);
        }
        if let Some((_, slice)) = self.0.back_mut() {
            slice.saturating_record(took_us.clamp(1, LONGEST_US));
        }
    }

    /// Begins a slice, in the memory of the oldest one where there is one to spare.
    fn turn(&mut self, number: u64) {
        let spare = if self.0.len() >= SLICES { self.0.pop_front() } else { None };
        let fresh = match spare {
            Some((_, mut oldest)) => {
                oldest.reset();
                Some(oldest)
            }
            // The bounds are constants that it takes.
            None => Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok(),
        };
        self.0.extend(fresh.map(|slice| (number, slice)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_urgency_has_its_own_and_what_is_old_does_not_count() {
        let latency = Latency::default();
        assert_eq!(latency.percentiles(Priority::Critical, 0), None);
        for took_us in 1..=1_000 {
            latency.record(Priority::Normal, took_us * 100, 5_000);
        }
        latency.record(Priority::Critical, 300, 5_000);
        let normal = latency.percentiles(Priority::Normal, 6_000).unwrap();
        assert_eq!(normal.count, 1_000);
        for (found, expected) in
            [(normal.p50, 50.0), (normal.p95, 95.0), (normal.p99, 99.0), (normal.max, 100.0)]
        {
            assert!((found / expected - 1.0).abs() < 0.01, "{found}, not {expected}");
        }
        assert_eq!(latency.percentiles(Priority::Critical, 6_000).unwrap().count, 1);
        assert!(latency.percentiles(Priority::Normal, 59_999).is_some());
        assert_eq!(latency.percentiles(Priority::Normal, 60_000), None);
        assert_eq!(latency.percentiles(Priority::Low, 6_000), None);
    }

    #[test]
    fn whatever_the_time_the_memory_is_bounded() {
        let latency = Latency::default();
        for slice in 0..1_000 {
            latency.record(Priority::Low, u64::MAX, slice * SLICE_MS);
        }
        assert_eq!(latency.0[Priority::Low.index()].lock().0.len(), SLICES);
        let low = latency.percentiles(Priority::Low, 999 * SLICE_MS).unwrap();
        assert_eq!(low.count, SLICES as u64);
        assert!((low.max / 60_000.0 - 1.0).abs() < 0.01, "{}", low.max);
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_a_hundredth_of_the_truth(mut took in prop::collection::vec(1u64..10_000_000, 1..300)) {
            let latency = Latency::default();
            for us in &took {
                latency.record(Priority::Normal, *us, 0);
            }
            took.sort_unstable();
            let found = latency.percentiles(Priority::Normal, 0).unwrap();
            for (quantile, found) in [(0.5, found.p50), (0.95, found.p95), (0.99, found.p99), (0.999, found.p99_9)] {
                let rank = ((quantile * took.len() as f64).ceil() as usize).max(1);
                let truth = took[rank - 1] as f64 / 1_000.0;
                prop_assert!((found / truth - 1.0).abs() <= 0.01 || (found - truth).abs() <= 0.001, "{found} for {truth}");
            }
        }
    }
}
