//! Several conditions on one label set. Pure.
//!
//! Samples of one moment come one after the other, so a moment is judged when those that are missing could change
//! nothing, when a later sample comes, or a second later at a tick: otherwise `a or b` would not hold for an instant while one takes
//! over from the other. A condition without a sample for five minutes is unknown.

use serde::{Deserialize, Serialize};

use super::checked::Rule;
use super::condition::{self, LeafKind, Memory};
use super::series::Series;

/// A verdict is believed for so long, as Prometheus looks back.
const FRESH_MS: u64 = 300_000;
/// How long a moment waits for the samples that are missing.
const SETTLE_MS: u64 = 1_000;

/// What is known of each condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Leaves {
    leaves: Vec<LeafState>,
    /// The moment that is not judged yet.
    open_ms: Option<u64>,
    /// The newest that is.
    judged_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LeafState {
    /// Whether the condition is about these labels.
    is_wanted: bool,
    /// The newest sample; for an absence without any, when somebody began to wait.
    at_ms: Option<u64>,
    holds: Option<bool>,
    memory: Memory,
}

impl Leaves {
    pub(super) fn new(rule: &Rule, series: &Series, at_ms: u64) -> Self {
        let leaves = rule.leaves().iter().map(|leaf| LeafState {
            is_wanted: leaf.matches(series.labels()),
            at_ms: leaf.is_absence().then(|| at_ms.saturating_sub(1)),
            holds: None,
            memory: Memory::None,
        });
        Self { leaves: leaves.collect(), open_ms: None, judged_ms: 0 }
    }

    /// Whether it is of a rule with such conditions.
    pub(super) fn fits(&self, rule: &Rule) -> bool {
        self.leaves.len() == rule.leaves().len()
    }

    /// Takes a sample for the conditions that it is about; what the last of them looked at. `None`: it is about none.
    pub(super) fn feed(&mut self, rule: &Rule, metric: &str, at_ms: u64, value: f64) -> Option<f64> {
        let mut seen = None;
        for (state, leaf) in self.leaves.iter_mut().zip(rule.leaves()) {
            let is_lost = value.is_nan() && leaf.is_absence();
            let is_old = state.at_ms.is_some_and(|last_ms| at_ms <= last_ms);
            if !state.is_wanted || is_lost || is_old || !leaf.is_about(metric) {
                continue;
            }
            let verdict = condition::feed(&leaf.kind, &mut state.memory, at_ms, value);
            (state.at_ms, state.holds) = (Some(at_ms), verdict.holds);
            seen = Some(verdict.value);
        }
        seen
    }

    /// Something new is known of a moment; that moment, if what is not known of it yet could change nothing.
    pub(super) fn open(&mut self, rule: &Rule, at_ms: u64, floor_ms: u64) -> Option<u64> {
        let open_ms = at_ms.max(self.judged_ms).max(self.open_ms.unwrap_or_default());
        self.open_ms = Some(open_ms);
        let is_awaited = |(state, leaf): (&LeafState, &condition::Leaf)| {
            state.is_wanted && !leaf.is_absence() && state.at_ms != Some(open_ms)
        };
        let is_complete = !self.leaves.iter().zip(rule.leaves()).any(is_awaited);
        let known = |number: usize| {
            let is_awaited = is_awaited((self.leaves.get(number)?, rule.leaves().get(number)?));
            self.truth_of(rule, number, open_ms, floor_ms).filter(|_| !is_awaited)
        };
        (is_complete || rule.tree.truth(&known).is_some()).then_some(open_ms)
    }

    pub(super) fn open_ms(&self) -> Option<u64> {
        self.open_ms
    }

    /// When a moment waits no longer.
    pub(super) fn settled_ms(open_ms: u64) -> u64 {
        open_ms.saturating_add(SETTLE_MS)
    }

    /// A moment is judged: this one, or the newest so far.
    pub(super) fn close(&mut self, at_ms: u64) -> u64 {
        self.open_ms = None;
        self.judged_ms = self.judged_ms.max(at_ms);
        self.judged_ms
    }

    /// What all say together at a time, and which of them hold. Absence counts from `floor_ms` on.
    pub(super) fn truth(&self, rule: &Rule, at_ms: u64, floor_ms: u64) -> (Option<bool>, u16) {
        let truth_of = |number: usize| self.truth_of(rule, number, at_ms, floor_ms);
        let bits = (0..self.leaves.len()).filter(|number| truth_of(*number) == Some(true));
        let holding = bits.fold(0_u16, |bits, number| bits | 1_u16.checked_shl(number as u32).unwrap_or(0));
        (rule.tree.truth(&truth_of), holding)
    }

    fn truth_of(&self, rule: &Rule, number: usize, at_ms: u64, floor_ms: u64) -> Option<bool> {
        let (state, leaf) = (self.leaves.get(number)?, rule.leaves().get(number)?);
        let last_ms = state.at_ms.filter(|_| state.is_wanted)?;
        match leaf.kind {
            LeafKind::Absence { absent_ms } => Some(last_ms.max(floor_ms).saturating_add(absent_ms) <= at_ms),
            _ => state.holds.filter(|_| at_ms.saturating_sub(last_ms) <= FRESH_MS),
        }
    }

    /// When the next condition begins to hold because samples stay away.
    pub(super) fn next_absence_ms(&self, rule: &Rule, floor_ms: u64) -> Option<u64> {
        let absences = self.leaves.iter().zip(rule.leaves()).filter_map(|(state, leaf)| match leaf.kind {
            LeafKind::Absence { absent_ms } if state.is_wanted => {
                Some(state.at_ms?.max(floor_ms).saturating_add(absent_ms))
            }
            _ => None,
        });
        absences.filter(|at_ms| *at_ms > self.judged_ms).min()
    }
}
