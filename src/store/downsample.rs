//! Many samples to a few points for a chart.

/// The points of one metric over a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Width of one bucket in milliseconds, at least 1.
    pub resolution_ms: u64,
    /// (mean time in Unix milliseconds, mean value) of every bucket that has samples, oldest first.
    pub points: Vec<(u64, f64)>,
}

/// Most buckets that are ever made, whatever was asked.
const POINTS_MAX: usize = 10_000;

/// Averages samples into equal buckets of `since_ms..=until_ms`, at most `points` of them.
/// Takes samples in any order; values that are not finite and times outside the span are left out.
#[derive(Debug)]
pub struct Downsampler {
    since_ms: u64,
    until_ms: u64,
    resolution_ms: u64,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    count: u64,
    // Sum of the offsets from the bucket's start: keeps the mean time exact, and no span overflows it.
    offset_sum_ms: u128,
    value_mean: f64,
}

impl Downsampler {
    /// `points` is held between 1 and 10,000; a span that ends before it begins has no room for any sample.
    pub fn new(since_ms: u64, until_ms: u64, points: usize) -> Self {
        let points = points.clamp(1, POINTS_MAX) as u64;
        let span_ms = until_ms.saturating_sub(since_ms).saturating_add(1);
        let resolution_ms = span_ms.div_ceil(points).max(1);
        let buckets = if until_ms < since_ms { 0 } else { span_ms.div_ceil(resolution_ms) };
        Self { since_ms, until_ms, resolution_ms, buckets: vec![Bucket::default(); buckets as usize] }
    }

    /// Adds one sample.
    pub fn add(&mut self, ts_ms: u64, value: f64) {
        if !value.is_finite() || ts_ms < self.since_ms || ts_ms > self.until_ms {
            return;
        }
        let offset_ms = ts_ms - self.since_ms;
        if let Some(bucket) = self.buckets.get_mut((offset_ms / self.resolution_ms) as usize) {
            bucket.count += 1;
            bucket.offset_sum_ms += u128::from(offset_ms % self.resolution_ms);
            // The running mean neither overflows nor loses a long sum's low digits.
            bucket.value_mean += (value - bucket.value_mean) / bucket.count as f64;
        }
    }

    /// The buckets that got samples.
    pub fn finish(self) -> Series {
        let start_ms = |position: usize| self.since_ms + position as u64 * self.resolution_ms;
        let points = self
            .buckets
            .iter()
            .enumerate()
            .filter(|(_, bucket)| bucket.count > 0)
            .map(|(position, bucket)| {
                (
                    start_ms(position) + (bucket.offset_sum_ms / u128::from(bucket.count)) as u64,
                    bucket.value_mean,
                )
            })
            .collect();
        Series { resolution_ms: self.resolution_ms, points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, written to be obviously right: for each bucket look at every sample.
    fn naive(samples: &[(u64, f64)], since: u64, until: u64, points: usize) -> Vec<(u64, f64)> {
        let resolution = (until - since + 1).div_ceil(points as u64).max(1);
        let mut result = Vec::new();
        let mut start = since;
        while start <= until {
            let end = (start + resolution).min(until + 1);
            let inside: Vec<_> =
                samples.iter().filter(|(ts, v)| (start..end).contains(ts) && v.is_finite()).collect();
            if !inside.is_empty() {
                let n = inside.len() as f64;
                let ts = inside.iter().map(|(ts, _)| ts - start).sum::<u64>() / inside.len() as u64;
                result.push((start + ts, inside.iter().map(|(_, v)| v / n).sum()));
            }
            start = end;
        }
        result
    }

    proptest! {
        #[test]
        fn it_equals_the_naive_way(
            samples in prop::collection::vec((0_u64..2_000, -1e6..1e6_f64), 0..200),
            since in 0_u64..1_000, span in 0_u64..1_500, points in 1_usize..50,
        ) {
            let until = since + span;
            let mut downsampler = Downsampler::new(since, until, points);
            for (ts, value) in &samples {
                downsampler.add(*ts, *value);
            }
            let series = downsampler.finish();
            let expected = naive(&samples, since, until, points);
            prop_assert!(series.points.len() <= points);
            prop_assert_eq!(series.points.len(), expected.len());
            for (got, want) in series.points.iter().zip(&expected) {
                prop_assert_eq!(got.0, want.0);
                prop_assert!((got.1 - want.1).abs() <= 1e-6, "{} is not {}", got.1, want.1);
            }
            prop_assert!(series.points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn sparse_samples_keep_their_own_time_and_value() {
        let mut downsampler = Downsampler::new(0, 900_000, 300);
        downsampler.add(1_234, 5.0);
        downsampler.add(450_001, 7.0);
        downsampler.add(450_002, f64::NAN);
        assert_eq!(downsampler.finish().points, [(1_234, 5.0), (450_001, 7.0)]);
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_empty() {
        let mut downsampler = Downsampler::new(10, 5, 3);
        downsampler.add(7, 1.0);
        assert_eq!(downsampler.finish().points, []);
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut downsampler = Downsampler::new(0, u64::MAX, 1);
        downsampler.add(u64::MAX - 3, f64::MAX);
        downsampler.add(u64::MAX - 1, f64::MAX);
        assert_eq!(downsampler.finish().points, [(u64::MAX - 2, f64::MAX)]);
        assert_eq!(Downsampler::new(0, u64::MAX, usize::MAX).buckets.len(), POINTS_MAX);
    }
}
