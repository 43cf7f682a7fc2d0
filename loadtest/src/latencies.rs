//! Latencies: kept in histograms of nanoseconds, told as percentiles and as bars. Pure.

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::result::{Bucket, Latency};

/// The longest latency told apart, one minute in nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// Upper edges of the bars in microseconds, at 1, 2 and 5 of each decade; what is longer than the last is in the last.
const EDGES_US: [u64; 21] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000,
];

pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, 3)?)
}

/// Milliseconds below which this share of a histogram lies; zero when it is empty.
pub(crate) fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e6
}

/// What a result tells of a histogram.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Latency {
    let ms = |quantile| (!histogram.is_empty()).then(|| ms(histogram, quantile));
    Latency { p50_ms: ms(0.5), p95_ms: ms(0.95), p99_ms: ms(0.99), p999_ms: ms(0.999), max_ms: ms(1.0) }
}

/// The bars of a histogram, without the empty ones at both ends.
pub(crate) fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let mut counts = [0u64; EDGES_US.len()];
    for value in histogram.iter_recorded() {
        let us = value.value_iterated_to() / 1_000;
        let place = EDGES_US.partition_point(|edge| *edge < us).min(EDGES_US.len() - 1);
        counts[place] += value.count_since_last_iteration();
    }
    let (Some(first), Some(last)) =
        (counts.iter().position(|count| *count > 0), counts.iter().rposition(|count| *count > 0))
    else {
        return Vec::new();
    };
    let bars = EDGES_US.iter().zip(counts).take(last + 1).skip(first);
    bars.map(|(edge_us, count)| Bucket { le_ms: *edge_us as f64 / 1e3, count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bar_and_empty_ends_are_left_out() {
        let mut histogram = histogram().unwrap();
        assert_eq!((buckets(&histogram), percentiles(&histogram)), (vec![], Latency::default()));
        for (value_us, count) in [(400, 5), (900, 1), (3_000, 2), (70_000_000, 1)] {
            histogram.saturating_record_n(value_us * 1_000, count);
        }
        let bars = buckets(&histogram);
        assert_eq!((bars[0].le_ms, bars[0].count), (0.5, 5));
        assert_eq!((bars[1].le_ms, bars[1].count), (1.0, 1));
        assert_eq!((bars[2].le_ms, bars[2].count), (2.0, 0));
        assert_eq!(bars.last().map(|bar| (bar.le_ms, bar.count)), Some((60_000.0, 1)));
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), histogram.len());
    }
}
