//! What is normal for one series: the mean and the standard deviation of a rolling window. Pure.
//!
//! The window has the values before the one that is judged, and every value enters it: a shift that lasts becomes
//! normal. An hour-of-day baseline is not there yet.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

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
}

impl Normal {
    /// Takes a value; how many standard deviations it is from the mean of those before. `None` while they are few.
    pub(super) fn feed(&mut self, value: f64, window_points: usize, samples_min: usize) -> Option<f64> {
        let score = (self.values.len() >= samples_min.max(1)).then(|| {
            let count = self.values.len() as f64;
            // Anew each time: running sums drift, and a window is short.
            let mean = self.values.iter().sum::<f64>() / count;
            let variance = self.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            let spread = variance.sqrt().max(mean.abs() * SPREAD_PART_MIN).max(SPREAD_MIN);
            (value - mean) / spread
        });
        let score = score.filter(|score| score.is_finite());
        while self.values.len() >= window_points.max(1) {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.score = score.unwrap_or_default();
        score
    }

    pub(super) fn score(&self) -> f64 {
        self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_of_the_values_before() {
        let mut normal = Normal::default();
        let scores: Vec<Option<f64>> =
            [1.0, 3.0, 1.0, 3.0, 5.0].into_iter().map(|value| normal.feed(value, 4, 4)).collect();
        assert_eq!(scores, [None, None, None, None, Some(3.0)]);
        assert_eq!(normal.values, [3.0, 1.0, 3.0, 5.0]);
        assert_eq!(normal.score(), 3.0);
    }

    #[test]
    fn a_flat_line_allows_a_thousandth() {
        let mut normal = Normal::default();
        for _ in 0..10 {
            normal.feed(100.0, 10, 5);
        }
        assert_eq!(normal.clone().feed(100.2, 10, 5).map(f64::round), Some(2.0));
        assert_eq!(normal.feed(110.0, 10, 5).map(f64::round), Some(100.0));
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
