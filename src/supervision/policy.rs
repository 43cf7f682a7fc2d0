//! The restart decision, pure: sliding window, maximum, back-off with jitter. Time and randomness are inputs.

use std::collections::VecDeque;

use super::spec::{Backoff, Intensity};

/// What to do with a child that crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start it again after this many milliseconds.
    RestartAfter(u64),
    /// It crashed too often.
    GiveUp,
}

/// What is remembered of one child's crashes. Holds at most `restarts_max` times.
#[derive(Debug, Default)]
pub struct History {
    /// Times of the crashes that led to a restart and are still within the window, oldest first.
    crashes_ms: VecDeque<u64>,
    /// Restarts since the last quiet window.
    attempt: u32,
    /// When the last restart was due. The back-off itself is no quiet time.
    resumed_ms: u64,
}

/// Decides about a crash at `now_ms` and remembers it. `random` is in `[0, 1)`; `now_ms` never goes back.
pub fn decide(
    intensity: Intensity,
    backoff: Backoff,
    history: &mut History,
    now_ms: u64,
    random: f64,
) -> Decision {
    while history.crashes_ms.front().is_some_and(|at| now_ms.saturating_sub(*at) >= intensity.window_ms) {
        history.crashes_ms.pop_front();
    }
    if history.crashes_ms.len() >= intensity.restarts_max as usize {
        return Decision::GiveUp;
    }
    history.crashes_ms.push_back(now_ms);
    if now_ms.saturating_sub(history.resumed_ms) >= intensity.window_ms {
        history.attempt = 0;
    }
    let delay_ms = full_jitter(ceiling_ms(backoff, history.attempt), random);
    history.attempt = history.attempt.saturating_add(1);
    history.resumed_ms = now_ms.saturating_add(delay_ms);
    Decision::RestartAfter(delay_ms)
}

/// `min_ms` doubled `attempt` times, at most `max_ms`.
fn ceiling_ms(backoff: Backoff, attempt: u32) -> u64 {
    let factor = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX);
    backoff.min_ms.saturating_mul(factor).min(backoff.max_ms)
}

/// Evenly spread over `0..=ceiling_ms`.
fn full_jitter(ceiling_ms: u64, random: f64) -> u64 {
    (((ceiling_ms as f64 + 1.0) * random) as u64).min(ceiling_ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { min_ms: 100, max_ms: 1_000 };
    const CALM: Intensity = Intensity { restarts_max: 100, window_ms: 10_000 };
    const LARGEST: f64 = 1.0 - f64::EPSILON;

    fn delays(gaps_ms: &[u64], random: f64) -> Vec<u64> {
        let mut history = History::default();
        let mut now_ms = 50_000;
        gaps_ms
            .iter()
            .map(|gap| {
                now_ms += gap;
                match decide(CALM, BACKOFF, &mut history, now_ms, random) {
                    Decision::RestartAfter(ms) => {
                        now_ms += ms;
                        ms
                    }
                    Decision::GiveUp => panic!("gave up"),
                }
            })
            .collect()
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        assert_eq!(delays(&[1; 7], LARGEST), [100, 200, 400, 800, 1_000, 1_000, 1_000]);
        assert_eq!(delays(&[1; 3], 0.0), [0, 0, 0]);
        assert_eq!(delays(&[1; 3], 0.5), [50, 100, 200]);
    }

    #[test]
    fn a_quiet_window_resets_the_back_off_and_the_back_off_is_not_quiet_time() {
        assert_eq!(delays(&[1, 1, 9_999, 10_000], LARGEST), [100, 200, 400, 100]);
    }

    #[test]
    fn no_restarts_allowed_gives_up_at_once() {
        let none = Intensity { restarts_max: 0, window_ms: 1_000 };
        assert_eq!(decide(none, BACKOFF, &mut History::default(), 0, 0.5), Decision::GiveUp);
    }

    #[test]
    fn a_crash_loop_of_years_does_not_overflow() {
        let mut history = History { attempt: u32::MAX, ..History::default() };
        let backoff = Backoff { min_ms: u64::MAX / 2, max_ms: u64::MAX };
        let decision = decide(CALM, backoff, &mut history, u64::MAX - 1, LARGEST);
        assert!(matches!(decision, Decision::RestartAfter(_)));
    }

    proptest! {
        /// Against a list of all restarts ever, counted from scratch at each crash.
        #[test]
        fn gives_up_exactly_when_the_window_is_full(
            restarts_max in 0_u32..6,
            window_ms in 1_u64..500,
            gaps_ms in prop::collection::vec(0_u64..200, 1..60),
            random in 0.0_f64..1.0,
        ) {
            let intensity = Intensity { restarts_max, window_ms };
            let mut history = History::default();
            let mut restarted_at: Vec<u64> = Vec::new();
            let mut now_ms = 0;
            for gap in gaps_ms {
                now_ms += gap;
                let within = restarted_at.iter().filter(|at| now_ms - **at < window_ms).count();
                let decision = decide(intensity, BACKOFF, &mut history, now_ms, random);
                if within >= restarts_max as usize {
                    prop_assert_eq!(decision, Decision::GiveUp);
                } else {
                    prop_assert!(matches!(decision, Decision::RestartAfter(ms) if ms <= BACKOFF.max_ms));
                    restarted_at.push(now_ms);
                }
                prop_assert!(history.crashes_ms.len() <= restarts_max as usize);
            }
        }

        /// Jitter reaches both ends of its range and never leaves it.
        #[test]
        fn jitter_stays_under_its_ceiling(ceiling in 0_u64..10_000_000, random in 0.0_f64..1.0) {
            prop_assert!(full_jitter(ceiling, random) <= ceiling);
            prop_assert_eq!(full_jitter(ceiling, LARGEST), ceiling);
            prop_assert_eq!(full_jitter(ceiling, 0.0), 0);
        }
    }
}
