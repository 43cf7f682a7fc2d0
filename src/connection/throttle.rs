//! How often one subscription may get a frame. Pure.

/// Keeps frames at least an interval apart, so that no window sees more than the rate.
#[derive(Debug, Clone)]
pub struct Throttle {
    interval_ms: u64,
    next_ms: u64,
}

/// Rates that may be asked for, in frames a second.
pub const RATE_HZ_MIN: f64 = 0.01;
/// See [`RATE_HZ_MIN`].
pub const RATE_HZ_MAX: f64 = 1_000.0;

impl Throttle {
    /// At most `max_rate_hz` frames a second; `None` outside [`RATE_HZ_MIN`] to [`RATE_HZ_MAX`].
    pub fn new(max_rate_hz: f64) -> Option<Self> {
        let allowed = (RATE_HZ_MIN..=RATE_HZ_MAX).contains(&max_rate_hz);
        // Rounded up: rather a little slower than asked for than faster.
        allowed.then(|| Self { interval_ms: (1_000.0 / max_rate_hz).ceil() as u64, next_ms: 0 })
    }

    /// When the next frame may go.
    pub fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// Takes the right to send a frame at `now_ms`, if there is one.
    pub fn admit(&mut self, now_ms: u64) -> bool {
        if now_ms < self.next_ms {
            return false;
        }
        self.next_ms = now_ms.saturating_add(self.interval_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1_001.0] {
            assert!(Throttle::new(rate).is_none(), "{rate}");
        }
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_the_rate(
            rate_hz in 0.5f64..200.0, pauses in prop::collection::vec(0u64..400, 1..200), window_ms in 1u64..5_000,
        ) {
            let mut throttle = Throttle::new(rate_hz).unwrap();
            let mut now_ms = 0;
            let mut sent = Vec::new();
            for pause_ms in pauses {
                now_ms += pause_ms;
                if throttle.admit(now_ms) {
                    sent.push(now_ms);
                }
            }
            let most = (window_ms as f64 * rate_hz / 1_000.0).floor() as usize + 1;
            for from_ms in &sent {
                let seen = sent.iter().filter(|at| (*from_ms..*from_ms + window_ms).contains(at)).count();
                prop_assert!(seen <= most, "{seen} frames within {window_ms} ms at {rate_hz} Hz");
            }
        }

        #[test]
        fn whoever_waits_for_the_next_time_is_let_through(rate_hz in 0.5f64..200.0, steps in 1usize..50) {
            let mut throttle = Throttle::new(rate_hz).unwrap();
            for _ in 0..steps {
                let at_ms = throttle.next_ms();
                prop_assert!(throttle.admit(at_ms));
                prop_assert!(!throttle.admit(at_ms));
            }
        }
    }
}
