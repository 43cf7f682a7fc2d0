//! The life of one breaker: closed, open, half-open. Pure.
//!
//! Closed it counts calls; when enough of them failed within the window it opens. After its time it lets a few
//! probes through: all good closes it, one bad opens it again. Forced open it stays so until it is reset.

use std::fmt;
use std::sync::Arc;

use super::window::{Tally, Window};
use crate::config::BreakerSection;

/// Where a breaker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Calls go through and are counted.
    Closed,
    /// A few calls go through to try.
    HalfOpen,
    /// Calls are refused, queued or spilled.
    Open,
}

impl State {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Why a breaker is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing happened yet.
    Start,
    /// Too many calls failed.
    Failures {
        /// What was counted.
        tally: Tally,
        /// Within so much time.
        window_ms: u64,
    },
    /// It has been open for its time.
    Trying,
    /// A probe failed.
    ProbeFailed,
    /// All probes were good.
    ProbesGood(u32),
    /// Somebody opened it.
    Degraded(Arc<str>),
    /// Somebody closed it.
    Recovered(Arc<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("closed since the start"),
            Self::Failures { tally: Tally { calls, failures }, window_ms } => {
                write!(f, "{failures} of {calls} calls failed within {} s", window_ms / 1_000)
            }
            Self::Trying => f.write_str("open for its time, now trying"),
            Self::ProbeFailed => f.write_str("a probe failed"),
            Self::ProbesGood(probes) => write!(f, "{probes} probes succeeded"),
            Self::Degraded(by) => write!(f, "degraded by {by}"),
            Self::Recovered(by) => write!(f, "recovered by {by}"),
        }
    }
}

/// A call that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The life that it belongs to: a verdict of a former one does not count.
    life: u32,
    is_probe: bool,
}

impl Pass {
    /// Whether its verdict decides if the breaker closes.
    pub fn is_probe(self) -> bool {
        self.is_probe
    }
}

/// The breaker does not let a call through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shut {
    /// When to try again; `None` when only a reset opens the way.
    pub retry_after_ms: Option<u64>,
}

/// One breaker. Times are monotonic milliseconds.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSection,
    phase: Phase,
    /// Raised by every change of state.
    life: u32,
    since_ms: u64,
    reason: Reason,
    window: Window,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    HalfOpen { admitted: u32, good: u64 },
    Open { forced: bool },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSection, now_ms: u64) -> Self {
        let window = Window::new(settings.window_ms);
        Self { settings, phase: Phase::Closed, life: 0, since_ms: now_ms, reason: Reason::Start, window }
    }

    /// The state.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    /// Whether it stays open until it is reset.
    pub fn is_forced(&self) -> bool {
        matches!(self.phase, Phase::Open { forced: true })
    }

    /// Since when it is in this state.
    pub fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Why it is in this state.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// What it has counted up to now.
    pub fn counted(&mut self, now_ms: u64) -> Tally {
        self.window.sum(now_ms)
    }

    /// How long a refused caller should wait; `None` when only a reset helps, or nothing is refused.
    pub fn retry_after_ms(&self, now_ms: u64) -> Option<u64> {
        match self.phase {
            Phase::Closed | Phase::Open { forced: true } => None,
            // Probes are under way; their verdict takes no longer than a call.
            Phase::HalfOpen { .. } => Some(1_000),
            Phase::Open { forced: false } => {
                Some((self.since_ms + self.settings.open_ms).saturating_sub(now_ms).max(1))
            }
        }
    }

    /// Time passes: an open one begins to try; one that tries and learns nothing lets further probes through.
    pub fn tick(&mut self, now_ms: u64) {
        let is_over = now_ms >= self.since_ms.saturating_add(self.settings.open_ms);
        match self.phase {
            Phase::Open { forced: false } | Phase::HalfOpen { .. } if is_over => {
                self.turn(Phase::HalfOpen { admitted: 0, good: 0 }, Reason::Trying, now_ms);
            }
            _ => {}
        }
    }

    /// Asks for a call to go through.
    pub fn enter(&mut self, now_ms: u64) -> Result<Pass, Shut> {
        self.tick(now_ms);
        let probes = self.settings.probes;
        match &mut self.phase {
            Phase::Closed => Ok(Pass { life: self.life, is_probe: false }),
            Phase::HalfOpen { admitted, .. } if *admitted < probes => {
                *admitted += 1;
                Ok(Pass { life: self.life, is_probe: true })
            }
            Phase::HalfOpen { .. } | Phase::Open { .. } => {
                Err(Shut { retry_after_ms: self.retry_after_ms(now_ms) })
            }
        }
    }

    /// The verdict of one call.
    pub fn verdict(&mut self, now_ms: u64, pass: Pass, is_good: bool) {
        if pass.life == self.life {
            self.observe(now_ms, u64::from(is_good), u64::from(!is_good));
        }
    }

    /// A call that went through has no verdict: its place as a probe is free again.
    pub fn give_back(&mut self, pass: Pass) {
        if let Phase::HalfOpen { admitted, .. } = &mut self.phase
            && pass.life == self.life
        {
            *admitted = admitted.saturating_sub(1);
        }
    }

    /// Verdicts that belong to no pass: of work that is always done. While open they say nothing.
    pub fn observe(&mut self, now_ms: u64, good: u64, bad: u64) {
        let probes = self.settings.probes;
        match &mut self.phase {
            Phase::Open { .. } => {}
            Phase::HalfOpen { good: so_far, .. } => {
                *so_far += good;
                if bad > 0 {
                    self.turn(Phase::Open { forced: false }, Reason::ProbeFailed, now_ms);
                } else if *so_far >= u64::from(probes) {
                    self.turn(Phase::Closed, Reason::ProbesGood(probes), now_ms);
                }
            }
            Phase::Closed => {
                self.window.add(now_ms, good + bad, bad);
                let tally = self.window.sum(now_ms);
                let is_enough = tally.calls >= u64::from(self.settings.calls_min);
                let is_bad = tally.failures * 100 >= tally.calls * u64::from(self.settings.error_percent);
                if bad > 0 && is_enough && is_bad {
                    let reason = Reason::Failures { tally, window_ms: self.settings.window_ms };
                    self.turn(Phase::Open { forced: false }, reason, now_ms);
                }
            }
        }
    }

    /// Opens it until it is reset.
    pub fn degrade(&mut self, now_ms: u64, by: Arc<str>) {
        self.turn(Phase::Open { forced: true }, Reason::Degraded(by), now_ms);
    }

    /// Closes it, whatever it was; false when it was closed.
    pub fn recover(&mut self, now_ms: u64, by: Arc<str>) -> bool {
        if matches!(self.phase, Phase::Closed) {
            return false;
        }
        self.turn(Phase::Closed, Reason::Recovered(by), now_ms);
        true
    }

    fn turn(&mut self, phase: Phase, reason: Reason, now_ms: u64) {
        if !matches!(phase, Phase::Open { .. }) {
            self.window.clear();
        }
        self.phase = phase;
        self.life = self.life.wrapping_add(1);
        self.since_ms = now_ms;
        self.reason = reason;
    }
}

#[cfg(test)]
mod tests;
