//! What a receiver's answer means, and when to try again. Pure.

/// Requests for one event; then it is a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;

/// Ceiling of the pause after the first failure, and of all pauses, in milliseconds.
const PAUSE_FIRST_MS: u64 = 1_000;
const PAUSE_MS_MAX: u64 = 300_000;

/// No attempt follows another sooner, in milliseconds.
const PAUSE_MS_MIN: u64 = 100;

/// Longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status, and the time that its `Retry-After` names.
    Status(u16, Option<u64>),
    /// None: no connection, no answer in time, or one that is no HTTP.
    None(String),
}

/// What becomes of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// Try again after this many milliseconds.
    Again(u64, String),
    /// No other attempt would go better.
    Never(String),
}

/// Judges the answer to the how many-eth attempt; `random` is evenly spread from 0 to 1.
pub fn judge(answer: &Answer, attempt: u32, random: f64) -> Verdict {
    let again = |wanted_ms: u64, reason: String| {
        let pause_ms = pause_ms(attempt, random).max(wanted_ms.min(PAUSE_MS_MAX));
        Verdict::Again(pause_ms, reason.chars().take(REASON_CHARS_MAX).collect())
    };
    match answer {
        Answer::Status(200..=299, _) => Verdict::Delivered,
        Answer::Status(status @ (408 | 425 | 429 | 500..=599), retry_after_s) => {
            again(retry_after_s.map_or(0, |s| s.saturating_mul(1_000)), format!("status {status}"))
        }
        Answer::Status(status, _) => Verdict::Never(format!("status {status}")),
        Answer::None(reason) => again(0, reason.clone()),
    }
}

/// Full jitter below a ceiling that doubles: receivers that were down together are not asked together.
fn pause_ms(attempt: u32, random: f64) -> u64 {
    let doublings = attempt.saturating_sub(1).min(20);
    let ceiling_ms = (PAUSE_FIRST_MS << doublings).min(PAUSE_MS_MAX);
    ((ceiling_ms as f64 * random) as u64).max(PAUSE_MS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_better_is_tried_again_and_nothing_else() {
        for status in [200, 204, 299] {
            assert_eq!(judge(&Answer::Status(status, None), 1, 0.5), Verdict::Delivered);
        }
        for status in [408, 429, 500, 503, 599] {
            let reason = format!("status {status}");
            assert_eq!(judge(&Answer::Status(status, None), 1, 0.5), Verdict::Again(500, reason));
        }
        for status in [301, 400, 401, 404, 410] {
            let reason = format!("status {status}");
            assert_eq!(judge(&Answer::Status(status, None), 1, 0.5), Verdict::Never(reason));
        }
        let long = Answer::None("é".repeat(500));
        assert_eq!(judge(&long, 1, 0.5), Verdict::Again(500, "é".repeat(REASON_CHARS_MAX)));
    }

    #[test]
    fn pauses_grow_are_spread_and_have_bounds() {
        let pause = |attempt, random| pause_ms(attempt, random);
        assert_eq!([1, 2, 3, 4].map(|attempt| pause(attempt, 1.0)), [1_000, 2_000, 4_000, 8_000]);
        assert_eq!([0.0, 0.25, 0.75].map(|random| pause(3, random)), [PAUSE_MS_MIN, 1_000, 3_000]);
        assert_eq!(pause(u32::MAX, 1.0), PAUSE_MS_MAX);
    }

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        let wait = |seconds| match judge(&Answer::Status(429, Some(seconds)), 1, 0.1) {
            Verdict::Again(ms, _) => ms,
            other => panic!("{other:?}"),
        };
        assert_eq!((wait(30), wait(0), wait(u64::MAX)), (30_000, 100, PAUSE_MS_MAX));
    }
}
