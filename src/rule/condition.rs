//! The checked conditions of a rule, and the memory that one of them needs for one series. Pure.

mod anomaly;
mod rate;
mod season;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use anomaly::{Direction, Odd};

use super::catalogue::canonical;
use super::expression::{Call, Expression, input_text};
use super::reason::{Cause, Comparison, RateUnit};
use crate::alert::Matcher;

/// Most points of the rolling window of an anomaly.
pub(super) const WINDOW_POINTS_MAX: u32 = 1_000;

/// A condition on the series of one metric.
#[derive(Debug, PartialEq)]
pub(super) struct Leaf {
    /// The metric by its canonical name.
    pub(super) metric: String,
    /// All must match.
    pub(super) matchers: Vec<Matcher>,
    pub(super) kind: LeafKind,
}

impl Leaf {
    /// Whether it is about series of this metric, by either of its names.
    pub(super) fn is_about(&self, metric: &str) -> bool {
        self.metric == canonical(metric)
    }

    /// Whether it is about series with these labels.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    pub(super) fn is_input(&self) -> bool {
        matches!(self.kind, LeafKind::Input { .. })
    }

    /// As it is written in an expression.
    pub(super) fn text(&self) -> String {
        let call = if let LeafKind::Input { call } = self.kind { call } else { None };
        input_text(&self.metric, &self.matchers, call)
    }

    pub(super) fn is_absence(&self) -> bool {
        matches!(self.kind, LeafKind::Absence { .. })
    }
}

/// What a leaf looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LeafKind {
    Threshold {
        comparison: Comparison,
        limit: f64,
        recovery: Option<f64>,
    },
    Rate {
        comparison: Comparison,
        limit: f64,
        unit: RateUnit,
        window_ms: u64,
    },
    Anomaly(Odd),
    Absence {
        absent_ms: u64,
    },
    /// An input of an expression: the newest value, or a function over a window. It does not hold by itself.
    Input {
        call: Option<Call>,
    },
}

/// How leaves are joined; numbers are those of [`super::Rule::leaves`].
#[derive(Debug)]
pub(super) enum Tree {
    Leaf(usize),
    Expression(Expression<usize>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

/// What is known of leaves.
pub(super) trait Known {
    /// What a condition says.
    fn holds(&self, leaf: usize) -> Option<bool>;
    /// The number that an input of an expression is.
    fn number(&self, leaf: usize) -> Option<f64>;
}

impl Tree {
    /// Three-valued: what nobody knows decides only where it could change nothing.
    pub(super) fn truth(&self, known: &impl Known) -> Option<bool> {
        match self {
            Self::Leaf(number) => known.holds(*number),
            Self::Expression(expression) => expression.truth(&|leaf| known.number(*leaf)),
            Self::And(all) => decided(all, known, false),
            Self::Or(any) => decided(any, known, true),
            Self::Not(one) => one.truth(known).map(|truth| !truth),
        }
    }

    /// Its conditions, from left to right: those that are joined, none that joins.
    pub(super) fn conditions(&self) -> Vec<&Self> {
        match self {
            Self::Leaf(_) | Self::Expression(_) => vec![self],
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::conditions).collect(),
            Self::Not(one) => one.conditions(),
        }
    }
}

/// One `deciding` decides; without it one unknown leaves it open.
fn decided(parts: &[Tree], known: &impl Known, deciding: bool) -> Option<bool> {
    let mut outcome = Some(!deciding);
    for part in parts {
        match part.truth(known) {
            Some(truth) if truth == deciding => return Some(deciding),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

/// What a leaf remembers of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Memory {
    /// Nothing.
    None,
    /// A breach that lasts until the recovery value.
    Breach,
    /// Where changes are measured from.
    Rate(Box<rate::Points>),
    /// What is normal.
    Anomaly(Box<anomaly::Normal>),
    /// A window of an expression.
    Window(Box<window::Window>),
    /// One for each leaf of a composite.
    Leaves(Box<super::composite::Leaves>),
}

/// What a leaf says of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    /// `None`: it cannot be judged.
    pub(super) holds: Option<bool>,
    /// What was looked at: the value, the change. Not the score of an anomaly.
    pub(super) value: f64,
}

/// Judges a sample. Times grow from call to call; NaN ends the series.
pub(super) fn feed(kind: &LeafKind, memory: &mut Memory, at_ms: u64, value: f64) -> Verdict {
    if value.is_nan() {
        let stays = if let Memory::Anomaly(normal) = memory { normal.ended() } else { false };
        if !stays {
            *memory = Memory::None;
        }
        return Verdict { holds: None, value };
    }
    let (holds, value) = match *kind {
        LeafKind::Threshold { comparison, limit, recovery: None } => {
            (Some(comparison.holds(value, limit)), value)
        }
        LeafKind::Threshold { comparison, limit, recovery: Some(recovery) } => {
            let limit = if *memory == Memory::Breach { recovery } else { limit };
            let holds = comparison.holds(value, limit);
            *memory = if holds { Memory::Breach } else { Memory::None };
            (Some(holds), value)
        }
        LeafKind::Rate { comparison, limit, unit, window_ms } => {
            if !matches!(memory, Memory::Rate(_)) {
                *memory = Memory::Rate(Box::default());
            }
            let Memory::Rate(points) = memory else { return Verdict { holds: None, value } };
            let change = points.feed(at_ms, value, window_ms, unit);
            (change.map(|change| comparison.holds(change, limit)), change.unwrap_or(value))
        }
        LeafKind::Anomaly(odd) => {
            if !matches!(memory, Memory::Anomaly(_)) {
                *memory = Memory::Anomaly(Box::default());
            }
            let Memory::Anomaly(normal) = memory else { return Verdict { holds: None, value } };
            let score = normal.feed(at_ms, value, &odd);
            (score.map(|score| odd.direction.is_beyond(score, odd.sigma)), value)
        }
        LeafKind::Absence { .. } => (Some(false), value),
        LeafKind::Input { call } => {
            if let Some(call) = call {
                if !matches!(memory, Memory::Window(_)) {
                    *memory = Memory::Window(Box::default());
                }
                let Memory::Window(window) = memory else { return Verdict { holds: None, value } };
                window.feed(call, at_ms, value);
            }
            (None, value)
        }
    };
    Verdict { holds, value }
}

/// What the newest verdict was about. `value` is that of the verdict.
pub(super) fn cause(kind: &LeafKind, memory: &Memory, holds: bool, value: f64) -> Cause {
    match *kind {
        LeafKind::Threshold { comparison, limit, recovery } => {
            // What breaches the limit is told of the limit; what does not, of what it would have to reach.
            let is_over = comparison.holds(value, limit);
            let limit = recovery.filter(|_| !is_over && holds).unwrap_or(limit);
            Cause::Threshold { value, comparison, limit }
        }
        LeafKind::Rate { comparison, limit, unit, window_ms } => {
            Cause::Rate { change: value, unit, comparison, limit, window_ms }
        }
        LeafKind::Anomaly(Odd { sigma, .. }) => {
            let score = if let Memory::Anomaly(normal) = memory { normal.score() } else { 0.0 };
            Cause::Anomaly { value, score, sigma }
        }
        LeafKind::Absence { absent_ms } => Cause::Absence { absent_ms },
        // Its expression is told of.
        LeafKind::Input { .. } => Cause::Ended,
    }
}
