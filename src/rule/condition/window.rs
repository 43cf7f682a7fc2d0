//! The samples of one window of an expression. Pure.
//!
//! Samples that lie close together become one point, so that a window has at most [`POINTS_MAX`] of them, 14 KB: its
//! begin is exact to a 599th of it. A mean, an extreme, a sum, a count and an increase lose nothing by that; a quantile and
//! a line are those of the newest sample of each point.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::rule::expression::{Call, Function};

/// Most points of a window.
pub(in super::super) const POINTS_MAX: usize = 600;

/// When its newest sample came, what was made of its samples, how many there were.
type Point = (u64, f64, u32);

/// The points of a window, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Window {
    points: VecDeque<Point>,
    /// Of a counter: its newest value, and what it had counted before it began anew.
    counter: Option<(f64, f64)>,
}

impl Window {
    /// Takes a sample.
    pub(super) fn feed(&mut self, call: Call, at_ms: u64, value: f64) {
        let Call { function, window_ms } = call;
        while self.points.front().is_some_and(|(then_ms, ..)| then_ms.saturating_add(window_ms) <= at_ms) {
            self.points.pop_front();
        }
        let value = if matches!(function, Function::Rate | Function::Increase) {
            let (last, before) = self.counter.unwrap_or((value, 0.0));
            let before = if value < last { before + last } else { before };
            self.counter = Some((value, before));
            before + value
        } else {
            value
        };
        let width_ms = window_ms.div_ceil(POINTS_MAX as u64 - 1).max(1);
        match self.points.back_mut().filter(|(then_ms, ..)| *then_ms / width_ms == at_ms / width_ms) {
            Some((then_ms, all, count)) => {
                *all = match function {
                    Function::Avg | Function::Sum => *all + value,
                    Function::Min => all.min(value),
                    Function::Max => all.max(value),
                    _ => value,
                };
                (*then_ms, *count) = (at_ms, count.saturating_add(1));
            }
            None => self.points.push_back((at_ms, value, 1)),
        }
    }

    /// What the function makes of the window that ends at a moment. `None`: it has no sample, or of a change too few: they
    /// must span half of the window.
    pub(in super::super) fn value(&self, call: Call, at_ms: u64) -> Option<f64> {
        let Call { function, window_ms } = call;
        let inside = || self.points.iter().filter(|(then_ms, ..)| then_ms.saturating_add(window_ms) > at_ms);
        let values = || inside().map(|(_, value, _)| *value);
        let count = || inside().map(|(.., count)| f64::from(*count)).sum::<f64>();
        let (oldest, newest) = (inside().next()?, inside().next_back()?);
        let span_ms = newest.0 - oldest.0;
        let is_known = span_ms > 0 && span_ms.saturating_mul(2) >= window_ms;
        let change = newest.1 - oldest.1;
        let value = match function {
            Function::Avg => values().sum::<f64>() / count(),
            Function::Sum => values().sum(),
            Function::Count => count(),
            Function::Min => values().fold(f64::INFINITY, f64::min),
            Function::Max => values().fold(f64::NEG_INFINITY, f64::max),
            Function::Quantile(part) => quantile(values().collect(), part)?,
            Function::Rate if is_known => change / (span_ms as f64 / 1_000.0),
            Function::Increase | Function::Delta if is_known => change,
            Function::PredictLinear(ahead_ms) if is_known => {
                predicted(inside().map(|(then_ms, value, _)| (*then_ms, *value)), at_ms, ahead_ms)?
            }
            Function::Rate | Function::Increase | Function::Delta | Function::PredictLinear(_) => {
                return None;
            }
        };
        Some(value).filter(|value| value.is_finite())
    }
}

/// In proportion between the two samples that it lies between.
fn quantile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    let rank = part * (values.len().checked_sub(1)?) as f64;
    let below = rank.floor();
    let (_, low, above) = values.select_nth_unstable_by(below as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    Some(if rank > below { low + (high - low) * (rank - below) } else { low })
}

/// The straight line of least squares, so much after a moment.
fn predicted(points: impl Iterator<Item = (u64, f64)> + Clone, at_ms: u64, ahead_ms: u64) -> Option<f64> {
    // Seconds before the moment: small numbers, whose squares lose nothing.
    let points = points.map(|(then_ms, value)| (-(at_ms.saturating_sub(then_ms) as f64) / 1_000.0, value));
    let count = points.clone().count() as f64;
    let (mean_x, mean_y) =
        points.clone().fold((0.0, 0.0), |(x, y), (px, py)| (x + px / count, y + py / count));
    let (squares, products) = points.fold((0.0, 0.0), |(squares, products), (x, y)| {
        let off = x - mean_x;
        (squares + off * off, products + off * (y - mean_y))
    });
    (squares > 0.0).then(|| mean_y + products / squares * (ahead_ms as f64 / 1_000.0 - mean_x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(function: Function, window: u64, samples: &[(u64, f64)], at: u64) -> Option<f64> {
        let call = Call { function, window_ms: window * 1_000 };
        let mut memory = Window::default();
        samples.iter().for_each(|(at, value)| memory.feed(call, at * 1_000, *value));
        memory.value(call, at * 1_000)
    }

    #[test]
    fn functions_of_a_window() {
        let samples = [(0, 9.0), (10, 1.0), (20, 4.0), (30, 2.0), (40, 5.0)];
        for (function, expected) in [
            (Function::Avg, 3.0),
            (Function::Min, 1.0),
            (Function::Max, 5.0),
            (Function::Sum, 12.0),
            (Function::Count, 4.0),
            (Function::Quantile(0.0), 1.0),
            (Function::Quantile(0.5), 3.0),
            (Function::Quantile(0.75), 4.25),
            (Function::Quantile(1.0), 5.0),
            (Function::Delta, 4.0),
            // From 1 to 4, from 0 to 2, from 2 to 5: it began anew once.
            (Function::Increase, 8.0),
            (Function::Rate, 8.0 / 30.0),
        ] {
            assert_eq!(value(function, 40, &samples, 40), Some(expected), "{function:?}");
        }
    }

    #[test]
    fn the_begin_of_a_window_is_outside_and_its_end_inside() {
        let samples = [(0, 9.0), (10, 1.0), (20, 4.0)];
        assert_eq!(value(Function::Count, 10, &samples, 20), Some(1.0));
        assert_eq!(value(Function::Count, 11, &samples, 20), Some(2.0));
        assert_eq!(value(Function::Count, 10, &samples, 29), Some(1.0));
        assert_eq!(value(Function::Count, 10, &samples, 30), None, "no sample");
    }

    #[test]
    fn a_line_is_followed() {
        let falling: Vec<(u64, f64)> = (0..=6).map(|step| (step * 10, 100.0 - step as f64)).collect();
        let ahead = |seconds: u64| value(Function::PredictLinear(seconds * 1_000), 60, &falling, 60);
        assert_eq!(ahead(0).map(f64::round), Some(94.0));
        assert_eq!(ahead(600).map(f64::round), Some(34.0));
        // The line does not move because nobody has heard anything for a while.
        let later = value(Function::PredictLinear(590_000), 60, &falling, 70);
        assert_eq!(later.map(f64::round), Some(34.0));
    }

    #[test]
    fn half_of_the_window_must_be_known_for_a_change() {
        for function in [Function::Delta, Function::Rate, Function::Increase, Function::PredictLinear(0)] {
            assert_eq!(value(function, 60, &[(0, 1.0), (29, 2.0)], 29), None, "{function:?}");
            assert!(value(function, 60, &[(0, 1.0), (30, 2.0)], 30).is_some(), "{function:?}");
        }
        assert_eq!(value(Function::Delta, 1, &[(5, 1.0)], 5), None);
    }

    #[test]
    fn what_lies_between_others_counts() {
        for (function, odd, expected) in [
            (Function::Max, 50.0, 50.0),
            (Function::Min, -50.0, -50.0),
            (Function::Sum, 50.0, 149.0),
            (Function::Increase, 50.0, 50.0),
        ] {
            let call = Call { function, window_ms: 1_200 };
            let mut window = Window::default();
            for step in 0..100 {
                let call_of_many = Call { window_ms: 60_000, ..call };
                window.feed(call_of_many, step * 10, if step == 55 { odd } else { 1.0 });
            }
            assert!(window.points.len() < 20);
            assert_eq!(window.value(call, 990), Some(expected), "{function:?}");
        }
    }

    #[test]
    fn points_are_bounded_and_what_lies_close_together_is_not_lost() {
        for window_ms in [1_000, 60_000, 600_001, 86_400_000] {
            for function in [Function::Count, Function::Max, Function::Avg] {
                let call = Call { function, window_ms };
                let mut window = Window::default();
                let step_ms = window_ms / 3_000 + 1;
                for step in 0..10_000 {
                    window.feed(call, step * step_ms, (step % 100) as f64);
                    assert!(window.points.len() <= POINTS_MAX, "{window_ms} {}", window.points.len());
                }
                let now_ms = 9_999 * step_ms;
                let exact = window_ms.div_ceil(step_ms) as f64;
                let value = window.value(call, now_ms).unwrap();
                match function {
                    Function::Count => assert!(
                        (exact..=exact * (1.0 + 2.0 / 599.0) + 2.0).contains(&value),
                        "{exact} {value}"
                    ),
                    Function::Max => assert_eq!(value, 99.0),
                    _ => assert!((48.0..51.0).contains(&value), "{value}"),
                }
            }
        }
    }
}
