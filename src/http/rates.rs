//! How much happens a second, from counters that only grow. Pure.

use std::collections::VecDeque;

use crate::telemetry::Counter;

/// Readings closer together than this say nothing new.
const READING_INTERVAL_MS: u64 = 1_000;

/// Rates are over this span where there are readings enough.
const SPAN_MS: u64 = 5_000;

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Messages taken into topics.
    pub published: u64,
    /// Messages handed to sockets.
    pub delivered: u64,
    /// Samples taken.
    pub samples: u64,
}

impl Reading {
    /// The counters now.
    pub fn now() -> Self {
        Self {
            published: Counter::Published.total(),
            delivered: Counter::Delivered.total(),
            samples: Counter::SamplesAccepted.total(),
        }
    }
}

/// What happens a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PerSecond {
    /// Messages taken into topics.
    pub messages: f64,
    /// Messages handed to sockets.
    pub deliveries: f64,
    /// Samples taken.
    pub samples: f64,
}

/// The readings of the last seconds.
#[derive(Debug)]
pub struct Rates {
    readings: VecDeque<(u64, Reading)>,
    last: PerSecond,
}

impl Rates {
    /// Counts from this reading on. Times are monotonic milliseconds.
    pub fn since(now_ms: u64, reading: Reading) -> Self {
        Self { readings: VecDeque::from([(now_ms, reading)]), last: PerSecond::default() }
    }

    /// The rates up to this reading: over the last [`SPAN_MS`], or since the reading before when nobody asked for
    /// longer. Asked again within [`READING_INTERVAL_MS`] it answers the same.
    pub fn read(&mut self, now_ms: u64, reading: Reading) -> PerSecond {
        let newest_ms = self.readings.back().map_or(0, |(at_ms, _)| *at_ms);
        if now_ms < newest_ms.saturating_add(READING_INTERVAL_MS) {
            return self.last;
        }
        let is_old = |(at_ms, _): &(u64, Reading)| at_ms.saturating_add(SPAN_MS) < now_ms;
        while self.readings.len() > 1 && self.readings.front().is_some_and(is_old) {
            self.readings.pop_front();
        }
        if let Some((from_ms, from)) = self.readings.front() {
            let span_s = now_ms.saturating_sub(*from_ms) as f64 / 1_000.0;
            let rate = |to: u64, from: u64| tenths(to.saturating_sub(from) as f64 / span_s);
            self.last = PerSecond {
                messages: rate(reading.published, from.published),
                deliveries: rate(reading.delivered, from.delivered),
                samples: rate(reading.samples, from.samples),
            };
        }
        self.readings.push_back((now_ms, reading));
        self.last
    }
}

fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(n: u64) -> Reading {
        Reading { published: n, delivered: 10 * n, samples: 0 }
    }

    #[test]
    fn rates_are_over_the_last_seconds() {
        let mut rates = Rates::since(0, published(0));
        assert_eq!(rates.read(500, published(100)), PerSecond::default(), "too early to say");
        let rate = rates.read(1_000, published(100));
        assert_eq!(rate, PerSecond { messages: 100.0, deliveries: 1_000.0, samples: 0.0 });
        assert_eq!(rates.read(1_900, published(900)), rate, "the same within a second");
        for second in 2..=20 {
            rates.read(second * 1_000, published(100));
        }
        assert_eq!(rates.read(21_000, published(150)).messages, 10.0);
        assert_eq!(rates.readings.len(), 6, "no more than the span needs");
    }

    #[test]
    fn after_a_long_silence_the_rate_is_the_mean_since_then() {
        let mut rates = Rates::since(0, published(0));
        rates.read(1_000, published(0));
        assert_eq!(rates.read(101_000, published(50)).messages, 0.5);
        assert_eq!(rates.read(102_000, published(150)).messages, 100.0);
    }
}
