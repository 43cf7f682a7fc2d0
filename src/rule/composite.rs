//! Several conditions on one label set. Pure.
//!
//! Samples of one moment come one after the other, so a moment is judged when those that are missing could change
//! nothing, when a later sample comes, or a second later at a tick: otherwise `a or b` would not hold for an instant while one takes
//! over from the other. A condition without a sample for five minutes is unknown.

use serde::{Deserialize, Serialize};

use super::checked::Rule;
use super::condition::{self, Known, LeafKind, Memory, Tree};
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
    /// Of which inputs of expressions this is.
    #[serde(default, skip_serializing_if = "is_zero")]
    inputs: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LeafState {
    /// Whether the condition is about these labels.
    is_wanted: bool,
    /// The newest sample; for an absence without any, when somebody began to wait.
    at_ms: Option<u64>,
    holds: Option<bool>,
    /// Of an input of an expression: its newest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    memory: Memory,
}

impl Leaves {
    pub(super) fn new(rule: &Rule, series: &Series, at_ms: u64) -> Self {
        let leaves = rule.leaves().iter().map(|leaf| LeafState {
            is_wanted: leaf.matches(series.labels()),
            at_ms: leaf.is_absence().then(|| at_ms.saturating_sub(1)),
            holds: None,
            value: None,
            memory: Memory::None,
        });
        Self { leaves: leaves.collect(), open_ms: None, judged_ms: 0, inputs: rule.inputs }
    }

    /// Whether it is of a rule with such conditions.
    pub(super) fn fits(&self, rule: &Rule) -> bool {
        self.leaves.len() == rule.leaves().len() && self.inputs == rule.inputs
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
            state.value = Some(value).filter(|value| leaf.is_input() && !value.is_nan());
            seen = Some(verdict.value);
        }
        seen
    }

    /// Something new is known of a moment; that moment, if what is not known of it yet could change nothing.
    pub(super) fn open(&mut self, rule: &Rule, at_ms: u64, floor_ms: u64) -> Option<u64> {
        let open_ms = at_ms.max(self.judged_ms).max(self.open_ms.unwrap_or_default());
        self.open_ms = Some(open_ms);
        let of_then = View { leaves: &self.leaves, rule, at_ms: open_ms, floor_ms, awaits: true };
        let is_complete = (0..self.leaves.len()).all(|leaf| !of_then.is_awaited(leaf));
        (is_complete || rule.tree.truth(&of_then).is_some()).then_some(open_ms)
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

    /// What is known at a time. Absence counts from `floor_ms` on.
    pub(super) fn view<'a>(&'a self, rule: &'a Rule, at_ms: u64, floor_ms: u64) -> View<'a> {
        View { leaves: &self.leaves, rule, at_ms, floor_ms, awaits: false }
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

/// What is known at one time.
pub(super) struct View<'a> {
    leaves: &'a [LeafState],
    rule: &'a Rule,
    at_ms: u64,
    floor_ms: u64,
    /// Whether what has no sample of this very time yet is unknown.
    awaits: bool,
}

impl View<'_> {
    /// What all say together.
    pub(super) fn truth(&self) -> Option<bool> {
        self.rule.tree.truth(self)
    }

    /// A bit for each condition that holds, the first one lowest, and how many there are.
    pub(super) fn holding(&self) -> (u16, u8) {
        let conditions = self.rule.tree.conditions();
        let holds = |condition: &&Tree| u16::from(condition.truth(self) == Some(true));
        let bits = conditions.iter().rev().fold(0_u16, |bits, condition| bits << 1 | holds(condition));
        (bits, u8::try_from(conditions.len()).unwrap_or(u8::MAX))
    }

    fn is_awaited(&self, leaf: usize) -> bool {
        let Some((state, leaf)) = self.leaves.get(leaf).zip(self.rule.leaves().get(leaf)) else {
            return false;
        };
        state.is_wanted && !leaf.is_absence() && state.at_ms != Some(self.at_ms)
    }

    /// The state of a leaf that has a sample, and when that was.
    fn seen(&self, leaf: usize) -> Option<(&LeafState, u64)> {
        let state = self.leaves.get(leaf).filter(|state| state.is_wanted)?;
        let is_unknown = self.awaits && self.is_awaited(leaf);
        state.at_ms.filter(|_| !is_unknown).map(|at_ms| (state, at_ms))
    }
}

impl Known for View<'_> {
    fn holds(&self, leaf: usize) -> Option<bool> {
        let (state, last_ms) = self.seen(leaf)?;
        match self.rule.leaves().get(leaf)?.kind {
            LeafKind::Absence { absent_ms } => {
                Some(last_ms.max(self.floor_ms).saturating_add(absent_ms) <= self.at_ms)
            }
            _ => state.holds.filter(|_| self.at_ms.saturating_sub(last_ms) <= FRESH_MS),
        }
    }

    fn number(&self, leaf: usize) -> Option<f64> {
        let (state, last_ms) = self.seen(leaf)?;
        match (self.rule.leaves().get(leaf)?.kind, &state.memory) {
            (LeafKind::Input { call: Some(call) }, Memory::Window(window)) => window.value(call, self.at_ms),
            (LeafKind::Input { call: None }, _) => {
                state.value.filter(|_| self.at_ms.saturating_sub(last_ms) <= FRESH_MS)
            }
            _ => None,
        }
    }
}
