//! When and whether to come back after a connection ended. Pure: randomness and time are inputs.

use std::fmt;

use super::AgentError;
use crate::protocol::codes::Close;

const BACKOFF_MIN_MS: u64 = 500;
const BACKOFF_MAX_MS: u64 = 30_000;
/// A connection that lived this long was healthy: the next failure starts at the beginning.
const HEALTHY_AFTER_MS: u64 = 60_000;
/// After a refused token: somebody has to do something first.
const REFUSED_RETRY_MS: u64 = 30_000;

/// Why there is no connection any more, or none came about.
#[derive(Debug)]
pub(super) enum Ending {
    /// The hub's machine cannot be reached, or the connection broke.
    Network(std::io::Error),
    /// The hub answered the upgrade with another status.
    Refused { status: u16, detail: String },
    /// What came back is not the protocol.
    Protocol(String),
    /// The hub sent a close frame.
    Closed { code: u16, reason: String },
    /// No answer to the upgrade or no `connected` in time.
    NoAnswer,
    /// No frame for longer than its pings are apart.
    Silent,
    /// Frames were sent and never acknowledged.
    Unacknowledged,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => write!(f, "{error}"),
            Self::Refused { status, detail } if detail.is_empty() => {
                write!(f, "the hub refused with HTTP {status}")
            }
            Self::Refused { status, detail } => write!(f, "the hub refused with HTTP {status}: {detail}"),
            Self::Protocol(problem) => write!(f, "not the protocol of a hub: {problem}"),
            Self::Closed { code, reason } if reason.is_empty() => write!(f, "the hub closed with {code}"),
            Self::Closed { code, reason } => write!(f, "the hub closed with {code} {reason}"),
            Self::NoAnswer => f.write_str("the hub did not answer in time"),
            Self::Silent => f.write_str("the hub went silent"),
            Self::Unacknowledged => f.write_str("the hub stopped acknowledging"),
        }
    }
}

/// What to do after an ending.
#[derive(Debug)]
pub(super) enum Verdict {
    Stop(AgentError),
    RetryAfterMs(u64),
}

/// Exponential back-off with full jitter: the wait is anything between nothing and a ceiling that doubles.
#[derive(Debug, Default)]
pub(super) struct Reconnect {
    failures: u32,
}

impl Reconnect {
    /// `lived_ms` is how long the connection was up, `hint_ms` what the hub asked for before it closed,
    /// `random` evenly spread over 0 to 1.
    pub(super) fn verdict(
        &mut self,
        ending: &Ending,
        lived_ms: u64,
        hint_ms: Option<u64>,
        random: f64,
    ) -> Verdict {
        if let Some(error) = final_error(ending) {
            return Verdict::Stop(error);
        }
        if lived_ms >= HEALTHY_AFTER_MS {
            self.failures = 0;
        }
        let jitter = |ceiling_ms: u64| (random.clamp(0.0, 1.0) * ceiling_ms as f64) as u64;
        let ceiling_ms = ceiling_ms(self.failures);
        self.failures = self.failures.saturating_add(1);
        Verdict::RetryAfterMs(match (ending, hint_ms) {
            (ending, _) if needs_somebody(ending) => REFUSED_RETRY_MS + jitter(REFUSED_RETRY_MS),
            (_, Some(hint_ms)) => hint_ms.min(BACKOFF_MAX_MS) + jitter(ceiling_ms),
            _ => jitter(ceiling_ms),
        })
    }
}

fn ceiling_ms(failures: u32) -> u64 {
    BACKOFF_MIN_MS.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX_MS)
}

/// A close after which the hub does not want this agent back.
fn final_error(ending: &Ending) -> Option<AgentError> {
    let Ending::Closed { code, .. } = ending else {
        return None;
    };
    let close = Close::ALL.iter().copied().find(|close| close.code() == *code && !close.reconnect())?;
    let advice = match close {
        Close::Replaced => "another agent runs for this node; stop one of them, or give it a node of its own",
        Close::Forbidden => "the token no longer allows this node; get a new one",
        _ => "the hub does not understand this agent; check that both have the same version",
    };
    Some(AgentError::Closed { close, advice })
}

/// Endings that do not go away by waiting: the token, or an address that is no hub.
fn needs_somebody(ending: &Ending) -> bool {
    match ending {
        Ending::Refused { status, .. } => matches!(status, 400..=428),
        Ending::Closed { code, .. } => {
            [Close::TokenExpired.code(), Close::TooManyRequests.code()].contains(code)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Ending {
        Ending::Network(std::io::ErrorKind::ConnectionReset.into())
    }

    fn closed(code: u16) -> Ending {
        Ending::Closed { code, reason: String::new() }
    }

    fn wait_ms(reconnect: &mut Reconnect, ending: &Ending, lived_ms: u64, random: f64) -> u64 {
        match reconnect.verdict(ending, lived_ms, None, random) {
            Verdict::RetryAfterMs(ms) => ms,
            Verdict::Stop(error) => panic!("stopped: {error}"),
        }
    }

    #[test]
    fn the_ceiling_doubles_from_half_a_second_to_thirty() {
        let mut reconnect = Reconnect::default();
        let ceilings: Vec<_> = (0..9).map(|_| wait_ms(&mut reconnect, &broken(), 0, 1.0)).collect();
        assert_eq!(ceilings, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn the_wait_is_spread_over_all_of_it() {
        for random in [0.0, 0.25, 0.5, 0.999] {
            let mut reconnect = Reconnect { failures: 2 };
            assert_eq!(wait_ms(&mut reconnect, &broken(), 0, random), (random * 2_000.0) as u64);
        }
        let mut forever = Reconnect { failures: u32::MAX };
        assert_eq!(wait_ms(&mut forever, &broken(), 0, 1.0), 30_000);
    }

    #[test]
    fn a_healthy_connection_starts_the_back_off_anew() {
        let mut reconnect = Reconnect { failures: 10 };
        assert_eq!(wait_ms(&mut reconnect, &broken(), 59_999, 1.0), 30_000);
        assert_eq!(wait_ms(&mut reconnect, &broken(), 60_000, 1.0), 500);
        assert_eq!(wait_ms(&mut reconnect, &broken(), 0, 1.0), 1_000);
    }

    #[test]
    fn what_waiting_does_not_heal_is_retried_slowly() {
        let refused = |status| Ending::Refused { status, detail: String::new() };
        for ending in [refused(401), refused(403), refused(404), closed(4009), closed(4029)] {
            for (random, expected) in [(0.0, 30_000), (1.0, 60_000)] {
                assert_eq!(wait_ms(&mut Reconnect::default(), &ending, 0, random), expected, "{ending}");
            }
        }
        for ending in [refused(503), closed(1012), closed(4008), closed(4010), closed(1009), Ending::Silent] {
            assert_eq!(wait_ms(&mut Reconnect::default(), &ending, 0, 1.0), 500, "{ending}");
        }
    }

    #[test]
    fn the_hubs_hint_is_waited_for() {
        let mut reconnect = Reconnect::default();
        for (hint, expected) in [(1_500, 2_000), (10_000_000, 31_000)] {
            let verdict = reconnect.verdict(&closed(1012), 0, Some(hint), 1.0);
            assert!(matches!(verdict, Verdict::RetryAfterMs(ms) if ms == expected), "{verdict:?}");
        }
    }

    #[test]
    fn closes_that_are_final_stop_with_their_own_status() {
        for (code, status) in [(4001, 5), (4003, 3), (4400, 6)] {
            match Reconnect::default().verdict(&closed(code), 0, None, 0.5) {
                Verdict::Stop(error) => {
                    assert_eq!(error.exit_status(), status);
                    assert!(error.to_string().contains(&code.to_string()), "{error}");
                }
                Verdict::RetryAfterMs(_) => panic!("{code} must stop"),
            }
        }
    }
}
