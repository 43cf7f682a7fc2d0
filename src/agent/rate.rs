//! Counters to rates.

/// Turns one growing counter into a rate. Missing (not zero) while there is nothing to compare with,
/// after a gap, and when the counter went backwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate(Option<(u64, u64)>);

impl Rate {
    /// The rate per second between the former reading and this one.
    ///
    /// `count` is `None` when the counter cannot be read now; `monotonic_ms` is when it was read.
    pub(super) fn next(&mut self, count: Option<u64>, monotonic_ms: u64) -> Option<f64> {
        let former = std::mem::replace(&mut self.0, count.map(|count| (count, monotonic_ms)));
        let ((former_count, former_ms), count) = (former?, count?);
        let elapsed_ms = monotonic_ms.checked_sub(former_ms).filter(|ms| *ms > 0)?;
        let grown = count.checked_sub(former_count)?;
        Some(grown as f64 * 1_000.0 / elapsed_ms as f64)
    }
}

/// The sum of what is known; missing when nothing is.
pub(super) fn sum_known(rates: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    rates.into_iter().flatten().fold(None, |sum, rate| Some(sum.unwrap_or(0.0) + rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_growth_over_the_measured_time() {
        let mut rate = Rate::default();
        assert_eq!(rate.next(Some(1_000), 10_000), None, "nothing to compare with");
        assert_eq!(rate.next(Some(4_000), 12_000), Some(1_500.0));
        assert_eq!(rate.next(Some(4_000), 12_500), Some(0.0));
    }

    #[test]
    fn a_counter_that_goes_backwards_or_away_is_missing_once() {
        let mut rate = Rate::default();
        rate.next(Some(5_000), 1_000);
        assert_eq!(rate.next(Some(100), 2_000), None, "backwards");
        assert_eq!(rate.next(Some(300), 3_000), Some(200.0));
        assert_eq!(rate.next(None, 4_000), None, "gone");
        assert_eq!(rate.next(Some(900), 5_000), None, "back after a gap");
        assert_eq!(rate.next(Some(950), 5_000), None, "no time went by");
    }

    #[test]
    fn a_sum_of_nothing_is_missing() {
        assert_eq!(sum_known([None, None]), None);
        assert_eq!(sum_known([None, Some(2.0), Some(3.0)]), Some(5.0));
    }
}
