//! A rule that was checked: what its evaluation works with. Pure.

use std::sync::Arc;

use super::check;
use super::condition::{Leaf, LeafKind, Tree};
use super::definition::{Definition, NoData};
use super::reason::{Cause, Comparison, Part, Reason, held, number};
use super::series::Series;
use super::template::Template;
use crate::alert::{FieldError, Severity};

/// The times of a rule, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How long the condition must hold before the rule fires.
    pub for_ms: u64,
    /// How long it goes on firing after the condition held for the last time.
    pub keep_firing_ms: u64,
    /// What the end of a series means.
    pub no_data: NoData,
    /// How long a series must be silent to count as ended.
    pub no_data_ms: u64,
    /// Stops firing this long after the last breach.
    pub auto_resolve_ms: Option<u64>,
}

/// When an alert changes too often to be told each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flap {
    /// So many transitions within the window are too many.
    pub transitions: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
}

/// One severity, or one by value: the bounds by rising severity.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SeverityChoice {
    One(Severity),
    ByValue { comparison: Comparison, bounds: Vec<(Severity, f64)> },
}

/// A rule that was checked.
#[derive(Debug)]
pub struct Rule {
    pub(super) definition: Definition,
    pub(super) tree: Tree,
    pub(super) leaves: Vec<Leaf>,
    pub(super) has_absence: bool,
    /// Which inputs its expressions have; 0 without any. What is remembered of others is of no use.
    pub(super) inputs: u32,
    pub(super) times: Times,
    pub(super) severity: SeverityChoice,
    pub(super) labels: Vec<(String, Template)>,
    pub(super) annotations: Vec<(String, Template)>,
    pub(super) flap: Option<Flap>,
}

impl Rule {
    /// Checks every field of a definition.
    ///
    /// # Errors
    /// All fields that are not as they should be.
    pub fn check(definition: Definition) -> Result<Self, Vec<FieldError>> {
        check::check(definition)
    }

    /// The definition that it was made of: name, id, enabled, grouping, run book, escalation policy.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Its times.
    pub fn times(&self) -> Times {
        self.times
    }

    /// When its alerts change too often.
    pub fn flap(&self) -> Option<Flap> {
        self.flap
    }

    /// The severity of a breach at this value (that of a [`Step`](super::Step)).
    pub fn severity(&self, value: Option<f64>) -> Severity {
        match &self.severity {
            SeverityChoice::One(severity) => *severity,
            SeverityChoice::ByValue { comparison, bounds } => {
                let mildest = bounds.first().map_or(Severity::Warning, |(severity, _)| *severity);
                let reached = |bound: f64| value.is_some_and(|value| comparison.holds(value, bound));
                bounds
                    .iter()
                    .rev()
                    .find(|(_, bound)| reached(*bound))
                    .map_or(mildest, |(severity, _)| *severity)
            }
        }
    }

    /// The labels that alerts get beside those of the series, with their templates.
    pub fn labels(&self) -> &[(String, Template)] {
        &self.labels
    }

    /// The texts for people, with their templates.
    pub fn annotations(&self) -> &[(String, Template)] {
        &self.annotations
    }

    /// The conditions on one metric each; their numbers are those in [`Tree`].
    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Whether its series have state that is worth to be kept while they are ok.
    pub(super) fn remembers(&self) -> bool {
        let is_threshold = matches!(self.leaves.first(), Some(Leaf { kind: LeafKind::Threshold { .. }, .. }));
        self.is_composite() || !is_threshold || self.times.no_data == NoData::Alert
    }

    /// Whether the silence of a series is an alert of its own. What is about silence anyway has none beside it.
    pub(super) fn alerts_on_silence(&self) -> bool {
        self.times.no_data == NoData::Alert && !self.has_absence
    }

    /// A reason of this rule in words: as [`Reason`] says it, and the sides of comparisons of an expression by their names.
    pub fn words(&self, reason: &Reason) -> String {
        let (Tree::Expression(expression), Cause::Expression { parts }) = (&self.tree, reason.cause) else {
            return reason.to_string();
        };
        let comparisons = expression.comparisons();
        let name = |leaf: &usize| self.leaves.get(*leaf).map_or_else(String::new, Leaf::text);
        let side = |part: &Part, is_left: bool, value: f64| {
            let comparison = comparisons.get(usize::from(part.number));
            let side = comparison.map(|(_, left, right)| if is_left { *left } else { *right });
            match side.filter(|side| !side.is_constant()) {
                Some(side) => format!("{} {}", side.text(&name), number(value)),
                None => number(value),
            }
        };
        parts.text(&side) + &held(reason.held_ms)
    }

    /// Whether one of its conditions is about this series.
    pub fn wants(&self, series: &Series) -> bool {
        self.leaves.iter().any(|leaf| leaf.is_about(series.metric()) && leaf.matches(series.labels()))
    }

    pub(super) fn is_composite(&self) -> bool {
        !matches!(self.tree, Tree::Leaf(_))
    }

    /// The series of what a composite says: its metric names those that are joined.
    pub(super) fn joined_series(&self, one: &Arc<Series>) -> Arc<Series> {
        if !self.is_composite() {
            return one.clone();
        }
        let mut metrics: Vec<&str> = Vec::new();
        for leaf in &self.leaves {
            if !metrics.contains(&leaf.metric.as_str()) {
                metrics.push(&leaf.metric);
            }
        }
        Arc::new(Series::new(metrics.join(","), one.labels().clone()))
    }
}
