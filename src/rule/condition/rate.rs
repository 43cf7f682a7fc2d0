//! Where the changes of one series are measured from. Pure.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::RateUnit;

/// Points that are remembered of a window: the begin of a change is exact to this part of it.
const POINTS_MAX: u64 = 60;

/// Samples that lie at least a sixtieth of the window apart, oldest first: (time, value).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Points(VecDeque<(u64, f64)>);

impl Points {
    /// Takes a sample; the change since the oldest point within the window. `None` while less than half of the
    /// window is known, and for percents of nothing.
    pub(super) fn feed(&mut self, at_ms: u64, value: f64, window_ms: u64, unit: RateUnit) -> Option<f64> {
        while self.0.front().is_some_and(|(then_ms, _)| then_ms.saturating_add(window_ms) < at_ms) {
            self.0.pop_front();
        }
        let change = self.0.front().and_then(|(then_ms, then)| {
            let passed_ms = at_ms - then_ms;
            if passed_ms.saturating_mul(2) < window_ms {
                return None;
            }
            match unit {
                RateUnit::PerSecond => Some((value - then) / (passed_ms as f64 / 1_000.0)),
                RateUnit::Percent => Some((value - then) / then.abs() * 100.0),
            }
        });
        let apart_ms = (window_ms / POINTS_MAX).max(1);
        if self.0.back().is_none_or(|(last_ms, _)| at_ms - last_ms >= apart_ms) {
            self.0.push_back((at_ms, value));
        }
        change.filter(|change| change.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(window_ms: u64, unit: RateUnit, samples: &[(u64, f64)]) -> Vec<Option<f64>> {
        let mut points = Points::default();
        samples.iter().map(|(at, value)| points.feed(*at, *value, window_ms, unit)).collect()
    }

    #[test]
    fn a_change_is_measured_from_the_begin_of_the_window() {
        let samples = [(0, 10.0), (4_000, 20.0), (5_000, 30.0), (10_000, 40.0), (11_000, 30.0)];
        let per_second = changes(10_000, RateUnit::PerSecond, &samples);
        assert_eq!(per_second, [None, None, Some(4.0), Some(3.0), Some(10.0 / 7.0)]);
        let percent = changes(10_000, RateUnit::Percent, &samples);
        assert_eq!(percent, [None, None, Some(200.0), Some(300.0), Some(50.0)]);
    }

    #[test]
    fn percents_of_nothing_are_unknown_and_of_what_is_negative_go_up() {
        assert_eq!(changes(1_000, RateUnit::Percent, &[(0, 0.0), (1_000, 5.0)]), [None, None]);
        assert_eq!(changes(1_000, RateUnit::Percent, &[(0, -4.0), (1_000, -2.0)]), [None, Some(50.0)]);
    }

    #[test]
    fn a_gap_forgets_what_was_before() {
        let samples = [(0, 1.0), (10_001, 100.0), (15_001, 105.0)];
        assert_eq!(changes(10_000, RateUnit::PerSecond, &samples), [None, None, Some(1.0)]);
    }

    #[test]
    fn points_are_bounded() {
        let mut points = Points::default();
        for at_ms in 0..200_000 {
            points.feed(at_ms, 1.0, 60_000, RateUnit::PerSecond);
            assert!(points.0.len() as u64 <= POINTS_MAX + 1);
        }
    }
}
