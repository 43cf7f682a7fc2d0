//! The phases of one series of a rule, and their clock in sample time. Pure.
//!
//! As in Prometheus: the first breach starts the clock of `for`, the rule fires when its age reaches the duration, and
//! one miss while pending drops it. `keep_firing_for` runs from the first miss while firing; any breach ends it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::checked::Times;
use super::definition::NoData;

/// Further breaches while firing are told this far apart, in milliseconds of sample time.
pub const TOLD_APART_MS: u64 = 1_000;

/// Where a series is with a rule.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = RulePhase)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The condition does not hold.
    #[default]
    Ok,
    /// It holds, but not for long enough.
    Pending,
    /// It holds for long enough.
    Firing,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
        })
    }
}

/// A change of phase, or a further breach while firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: Phase,
    pub(super) to: Phase,
    /// When; never before the phase that it ends began, however late a sample comes.
    pub(super) at_ms: u64,
    /// How long the series was in `from` while the condition held.
    pub(super) held_ms: u64,
}

/// What happens when nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lapse {
    /// The series was silent for too long.
    NoData,
    /// The last breach was long ago.
    AutoResolve,
    /// The silence began long ago.
    SilenceResolve,
}

/// What the end of a series changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// Of its condition.
    pub(super) condition: Option<Change>,
    /// Of its silence, which is an alert of its own.
    pub(super) silence: Option<Change>,
}

/// Phase and clock of one series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clock {
    pub(super) phase: Phase,
    /// The silence of the series was acted upon; the next sample ends it.
    pub(super) is_silent: bool,
    /// When the phase began.
    pub(super) since_ms: u64,
    /// The last breach.
    hit_ms: u64,
    /// The first miss while firing.
    miss_since_ms: Option<u64>,
    /// When firing was told last.
    told_ms: u64,
    /// Since when the silence of the series is an alert of its own.
    #[serde(default)]
    pub(super) silent_since_ms: Option<u64>,
}

impl Clock {
    /// What the condition says at a time; `None` when it cannot be judged.
    pub(super) fn judge(&mut self, at_ms: u64, holds: Option<bool>, times: &Times) -> Option<Change> {
        self.is_silent = false;
        match (holds, self.phase) {
            (Some(true), _) => self.hit(at_ms, times),
            (Some(false), Phase::Firing) => {
                let since_ms = *self.miss_since_ms.get_or_insert(at_ms);
                let is_over = at_ms.saturating_sub(since_ms) >= times.keep_firing_ms;
                is_over.then(|| self.go(Phase::Ok, at_ms))
            }
            (_, Phase::Pending) => Some(self.go(Phase::Ok, at_ms)),
            (Some(false) | None, Phase::Ok) | (None, Phase::Firing) => None,
        }
    }

    fn hit(&mut self, at_ms: u64, times: &Times) -> Option<Change> {
        self.miss_since_ms = None;
        self.hit_ms = at_ms;
        match self.phase {
            Phase::Ok if times.for_ms == 0 => Some(self.go(Phase::Firing, at_ms)),
            Phase::Ok => Some(self.go(Phase::Pending, at_ms)),
            Phase::Pending => {
                let is_due = self.held_ms(times).is_some_and(|held_ms| at_ms >= held_ms);
                is_due.then(|| self.go(Phase::Firing, at_ms))
            }
            Phase::Firing if at_ms.saturating_sub(self.told_ms) >= TOLD_APART_MS => {
                self.told_ms = at_ms;
                let held_ms = at_ms.saturating_sub(self.since_ms);
                Some(Change { from: Phase::Firing, to: Phase::Firing, at_ms, held_ms })
            }
            Phase::Firing => None,
        }
    }

    /// While pending: from when on the condition has held for long enough. A breach then or later fires, always.
    pub(super) fn held_ms(&self, times: &Times) -> Option<u64> {
        (self.phase == Phase::Pending).then(|| self.since_ms.saturating_add(times.for_ms))
    }

    fn go(&mut self, to: Phase, at_ms: u64) -> Change {
        let at_ms = at_ms.max(self.since_ms);
        let from = std::mem::replace(&mut self.phase, to);
        let held_ms = if from == Phase::Ok { 0 } else { at_ms.saturating_sub(self.since_ms) };
        (self.since_ms, self.told_ms, self.miss_since_ms) = (at_ms, at_ms, None);
        Change { from, to, at_ms, held_ms }
    }

    /// What happens next, and when, if no sample comes. Silence counts from `floor_ms` on: nobody listened before.
    pub(super) fn next_lapse(
        &self,
        seen_ms: u64,
        floor_ms: u64,
        times: &Times,
        may_end: bool,
    ) -> Option<(u64, Lapse)> {
        let acts = match self.phase {
            Phase::Pending => true,
            // With `alert` it goes on, beside the silence.
            Phase::Firing => times.no_data != NoData::Keep,
            Phase::Ok => times.no_data == NoData::Alert,
        };
        let is_ending = acts && may_end && !self.is_silent;
        let end = is_ending.then(|| (seen_ms.max(floor_ms).saturating_add(times.no_data_ms), Lapse::NoData));
        let auto_ms = times.auto_resolve_ms.filter(|_| self.phase == Phase::Firing);
        let auto = auto_ms.map(|ms| (self.hit_ms.max(floor_ms).saturating_add(ms), Lapse::AutoResolve));
        let silent = times.auto_resolve_ms.zip(self.silent_since_ms);
        let silent =
            silent.map(|(ms, since_ms)| (since_ms.max(floor_ms).saturating_add(ms), Lapse::SilenceResolve));
        [end, auto, silent].into_iter().flatten().min_by_key(|(at_ms, _)| *at_ms)
    }

    /// The lapse happens.
    pub(super) fn lapse(&mut self, at_ms: u64, lapse: Lapse, times: &Times) -> Ending {
        match lapse {
            Lapse::NoData => self.end(at_ms, times),
            Lapse::AutoResolve => Ending { condition: self.stop(at_ms), silence: None },
            Lapse::SilenceResolve => Ending { condition: None, silence: self.hear(at_ms) },
        }
    }

    /// The series ends. With `alert` that is an alert of its own, once for each silence.
    pub(super) fn end(&mut self, at_ms: u64, times: &Times) -> Ending {
        let was_silent = std::mem::replace(&mut self.is_silent, true);
        let is_over = match self.phase {
            Phase::Ok => false,
            Phase::Pending => true,
            Phase::Firing => times.no_data == NoData::Ok,
        };
        let condition = is_over.then(|| self.go(Phase::Ok, at_ms));
        let is_told = times.no_data == NoData::Alert && !was_silent;
        let silence = is_told.then(|| {
            self.silent_since_ms = Some(at_ms);
            Change { from: Phase::Ok, to: Phase::Firing, at_ms, held_ms: 0 }
        });
        Ending { condition, silence }
    }

    /// The silence is an alert no more: the series was heard, or it is silent for too long.
    pub(super) fn hear(&mut self, at_ms: u64) -> Option<Change> {
        let since_ms = self.silent_since_ms.take()?;
        let at_ms = at_ms.max(since_ms);
        Some(Change { from: Phase::Firing, to: Phase::Ok, at_ms, held_ms: at_ms - since_ms })
    }

    /// Whether an alert may be open: of the condition, or of the silence.
    pub(super) fn is_told(&self) -> bool {
        self.phase != Phase::Ok || self.silent_since_ms.is_some()
    }

    /// Goes on from where it was found elsewhere.
    pub(super) fn resume(&mut self, phase: Phase, since_ms: u64) {
        let silent_since_ms = self.silent_since_ms;
        *self = Self {
            phase,
            is_silent: silent_since_ms.is_some(),
            since_ms,
            hit_ms: since_ms,
            miss_since_ms: None,
            told_ms: since_ms,
            silent_since_ms,
        };
    }

    /// Is silent, as was found elsewhere.
    pub(super) fn resume_silence(&mut self, since_ms: u64) {
        self.is_silent = true;
        self.silent_since_ms.get_or_insert(since_ms);
    }

    /// Stops whatever it is.
    pub(super) fn stop(&mut self, at_ms: u64) -> Option<Change> {
        (self.phase != Phase::Ok).then(|| self.go(Phase::Ok, at_ms))
    }
}
