//! What is normal at an hour of the day (UTC) for one series: the samples of the same hour of the last seven days that had
//! any, without those of the hour that runs. Pure.
//!
//! Of each hour of a day its count, mean and sum of squares are kept, which make the same mean and standard deviation as
//! its samples: at most 24 x 7 x 24 bytes, 4 KB a series.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Days that are remembered.
const DAYS_MAX: usize = 7;
const HOURS: u64 = 24;
const HOUR_MS: u64 = 3_600_000;

/// Count, mean, and sum of the squares of what lies between it and each sample.
type Moments = (u32, f64, f64);

/// The hours of the day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Season {
    /// The hour that runs, since 1970.
    hour: u64,
    now: Moments,
    /// Days of each hour, oldest first.
    past: [VecDeque<Moments>; HOURS as usize],
}

impl Season {
    /// Takes a sample; mean and standard deviation of this hour on earlier days. `None` while they have too few samples.
    pub(super) fn feed(&mut self, at_ms: u64, value: f64, samples_min: usize) -> Option<(f64, f64)> {
        let hour = at_ms / HOUR_MS;
        if hour != self.hour {
            let ended = std::mem::take(&mut self.now);
            if let Some(days) = self.past.get_mut((self.hour % HOURS) as usize).filter(|_| ended.0 > 0) {
                if days.len() == DAYS_MAX {
                    days.pop_front();
                }
                days.push_back(ended);
            }
            self.hour = hour;
        }
        let (count, mean, squares) = &mut self.now;
        *count = count.saturating_add(1);
        let off = value - *mean;
        *mean += off / f64::from(*count);
        *squares += off * (value - *mean);
        self.normal(hour, samples_min)
    }

    fn normal(&self, hour: u64, samples_min: usize) -> Option<(f64, f64)> {
        let days = self.past.get((hour % HOURS) as usize)?;
        let count: f64 = days.iter().map(|(count, ..)| f64::from(*count)).sum();
        if count < samples_min.max(1) as f64 {
            return None;
        }
        let mean = days.iter().map(|(n, mean, _)| f64::from(*n) * mean).sum::<f64>() / count;
        let squares = days.iter().map(|(n, own, squares)| squares + f64::from(*n) * (own - mean).powi(2));
        Some((mean, (squares.sum::<f64>() / count).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_hour_is_compared_with_the_same_hour_of_the_days_before() {
        let mut season = Season::default();
        let at = |day: u64, hour: u64, minute: u64| ((day * 24 + hour) * 60 + minute) * 60_000;
        for day in 0..9 {
            for hour in [3, 15] {
                for minute in 0..2 {
                    let value = if hour == 3 { day as f64 } else { 100.0 };
                    let normal = season.feed(at(day, hour, minute), value, 4);
                    let from = day.saturating_sub(7) as f64;
                    let mean = (from + day as f64 - 1.0) / 2.0;
                    match (day, hour) {
                        (0 | 1, _) => assert_eq!(normal, None, "two samples are too few"),
                        (_, 3) => assert_eq!(normal.map(|(mean, _)| mean), Some(mean), "day {day}"),
                        _ => assert_eq!(normal, Some((100.0, 0.0))),
                    }
                }
            }
        }
        assert!(season.past.iter().all(|days| days.len() <= DAYS_MAX));
    }

    proptest! {
        /// The same as when all samples are kept.
        #[test]
        fn it_says_what_all_samples_say(steps in prop::collection::vec((1_u64..40, 0_i32..50), 1..200)) {
            let (mut season, mut all, mut minute) = (Season::default(), Vec::<(u64, f64)>::new(), 0_u64);
            for (gap, value) in steps {
                minute += gap * gap;
                let (hour, value) = (minute / 60, f64::from(value));
                let same: Vec<u64> = all.iter().map(|(hour, _)| *hour).filter(|own| own % 24 == hour % 24 && *own < hour).collect();
                let mut days = same.clone();
                days.dedup();
                let days = &days[days.len().saturating_sub(7)..];
                let values: Vec<f64> = all.iter().filter(|(hour, _)| days.contains(hour)).map(|(_, value)| *value).collect();
                let naive = (values.len() >= 3).then(|| {
                    let count = values.len() as f64;
                    let mean = values.iter().sum::<f64>() / count;
                    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt())
                });
                let found = season.feed(minute * 60_000, value, 3);
                prop_assert_eq!(found.is_some(), naive.is_some());
                if let (Some(found), Some(naive)) = (found, naive) {
                    prop_assert!((found.0 - naive.0).abs() < 1e-9 && (found.1 - naive.1).abs() < 1e-9);
                }
                all.push((hour, value));
            }
        }
    }
}
