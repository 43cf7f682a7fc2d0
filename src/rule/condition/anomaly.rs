//! What is normal for one series: the mean and the standard deviation of a rolling window. Pure.
//!
//! The window has the values before the one that is judged, and every value enters it: a shift that lasts becomes
//! normal. With `seasonal` the normal is that of the hour of the day, as soon as it is known well enough: see `season`.
//!
//! Either way the score is (value - mean) / spread, the spread being the standard deviation (of all, not of a part), at
//! least a thousandth of the mean, and never nothing.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::season::Season;

/// A spread below this part of the mean counts as this: a flat line would make anything an anomaly.
const SPREAD_PART_MIN: f64 = 1e-3;
const SPREAD_MIN: f64 = 1e-9;

/// Which side of the mean is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Direction {
    /// Either.
    Both,
    /// Too much.
    Above,
    /// Too little.
    Below,
}

impl Direction {
    /// Reads the name.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "both" => Self::Both,
            "above" => Self::Above,
            "below" => Self::Below,
            _ => return None,
        })
    }

    pub(super) fn is_beyond(self, score: f64, sigma: f64) -> bool {
        match self {
            Self::Both => score.abs() > sigma,
            Self::Above => score > sigma,
            Self::Below => -score > sigma,
        }
    }
}

/// The window, and the score of the newest value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Normal {
    values: VecDeque<f64>,
    score: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    season: Option<Box<Season>>,
}

/// What is an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Odd {
    /// Values of the rolling window.
    pub(in super::super) window_points: usize,
    /// Judged only by so many, of the window and of the hour.
    pub(in super::super) samples_min: usize,
    /// How many standard deviations are too many.
    pub(in super::super) sigma: f64,
    /// On which side.
    pub(in super::super) direction: Direction,
    /// Whether hours of the day have a normal of their own.
    pub(in super::super) is_seasonal: bool,
}

impl Normal {
    /// Takes a value; how many standard deviations it is from the mean of those before. `None` while they are few.
    pub(super) fn feed(&mut self, at_ms: u64, value: f64, odd: &Odd) -> Option<f64> {
        let hour = if odd.is_seasonal {
            self.season.get_or_insert_default().feed(at_ms, value, odd.samples_min)
        } else {
            self.season = None;
            None
        };
        let score = hour.or_else(|| self.rolling(odd.samples_min)).map(|(mean, deviation)| {
            (value - mean) / deviation.max(mean.abs() * SPREAD_PART_MIN).max(SPREAD_MIN)
        });
        let score = score.filter(|score| score.is_finite());
        while self.values.len() >= odd.window_points.max(1) {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.score = score.unwrap_or_default();
        score
    }

    /// Mean and standard deviation of the window.
    fn rolling(&self, samples_min: usize) -> Option<(f64, f64)> {
        if self.values.len() < samples_min.max(1) {
            return None;
        }
        let count = self.values.len() as f64;
        // Anew each time: running sums drift, and a window is short.
        let mean = self.values.iter().sum::<f64>() / count;
        let variance = self.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        Some((mean, variance.sqrt()))
    }

    /// The series ended: what the hours of the day are like is still true.
    pub(super) fn ended(&mut self) -> bool {
        self.values.clear();
        self.season.is_some()
    }

    pub(super) fn score(&self) -> f64 {
        self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(window_points: usize, samples_min: usize, is_seasonal: bool) -> Odd {
        Odd { window_points, samples_min, sigma: 3.0, direction: Direction::Both, is_seasonal }
    }

    #[test]
    fn scores_are_of_the_values_before() {
        let mut normal = Normal::default();
        let scores: Vec<Option<f64>> = [1.0, 3.0, 1.0, 3.0, 5.0]
            .into_iter()
            .map(|value| normal.feed(0, value, &odd(4, 4, false)))
            .collect();
        assert_eq!(scores, [None, None, None, None, Some(3.0)]);
        assert_eq!(normal.values, [3.0, 1.0, 3.0, 5.0]);
        assert_eq!(normal.score(), 3.0);
    }

    #[test]
    fn a_flat_line_allows_a_thousandth() {
        let mut normal = Normal::default();
        let odd = odd(10, 5, false);
        for _ in 0..10 {
            normal.feed(0, 100.0, &odd);
        }
        assert_eq!(normal.clone().feed(0, 100.2, &odd).map(f64::round), Some(2.0));
        assert_eq!(normal.feed(0, 110.0, &odd).map(f64::round), Some(100.0));
    }

    #[test]
    fn an_hour_that_is_known_goes_before_the_window() {
        let (mut normal, odd) = (Normal::default(), odd(4, 4, true));
        let mut feed =
            |hour: u64, minute: u64, value: f64| normal.feed((hour * 60 + minute) * 60_000, value, &odd);
        // Busy at two, quiet at three.
        for (hour, base) in [(2, 80.0), (3, 10.0)] {
            for minute in 0..60 {
                feed(hour, minute, base + (minute % 2) as f64);
            }
        }
        // The second hour was judged by the window, the next day's by its own past.
        assert_eq!(feed(26, 0, 80.5), Some(0.0), "as at two yesterday, whatever three was like");
        assert_eq!(feed(27, 0, 80.5), Some(140.0), "not as at three yesterday");
        assert!(
            feed(28, 0, 80.5).is_some_and(|score| score.abs() < 10.0),
            "of four nothing is known: the window"
        );
        assert!(normal.ended());
        let after = normal.feed((50 * 60) * 60_000, 80.5, &odd);
        assert_eq!(after.map(f64::abs), Some(0.0), "also when the series was away");
    }

    #[test]
    fn sides() {
        for (direction, score, expected) in [
            (Direction::Both, -4.0, true),
            (Direction::Both, 3.0, false),
            (Direction::Above, 4.0, true),
            (Direction::Above, -4.0, false),
            (Direction::Below, -4.0, true),
            (Direction::Below, 4.0, false),
        ] {
            assert_eq!(direction.is_beyond(score, 3.0), expected, "{direction:?} {score}");
        }
    }
}
