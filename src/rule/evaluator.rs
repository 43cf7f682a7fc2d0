//! One rule at work: the state of all its series. Pure.
//!
//! Times are milliseconds since 1970 from outside: `at_ms` of samples, `now_ms` of ticks. Silence is measured from the
//! newest sample, but not from before the first tick: after a start of the hub everybody gets time to be heard. An
//! agent whose clock is behind by more than `absent_seconds` counts as absent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::adoption::Adopted;
use super::cell::{Cell, Context};
use super::checked::Rule;
use super::condition::{LeafKind, Memory};
use super::reason::{Cause, Reason, duration, number};
use super::series::{Joined, Precomputed, Series};
use super::step::{Explanation, Saved, Step};
use super::timer::Phase;
use crate::alert::Matcher;

/// Most series of one rule. When there are more, the quarter of those that are ok and were silent for longest is
/// forgotten; what is pending or firing stays, and new ones are turned away.
pub const SERIES_MAX: usize = 10_000;

type Cells = HashMap<Joined, Box<Cell>, BuildHasherDefault<Precomputed>>;

/// All state of one rule.
#[derive(Debug)]
pub struct Evaluator {
    pub(super) rule: Arc<Rule>,
    pub(super) cells: Cells,
    pub(super) series_max: usize,
    /// Of an absence: stands for a series that nobody has seen.
    implied: Option<Joined>,
    /// The first tick.
    floor_ms: Option<u64>,
    /// The newest tick.
    now_ms: u64,
    /// No tick is worth it before.
    pub(super) due_ms: Option<u64>,
    /// Open alerts whose series did not come yet, by fingerprint.
    pub(super) awaited: HashMap<String, Adopted>,
    turned_away: u64,
}

impl Evaluator {
    /// A rule that has seen nothing.
    pub fn new(rule: Arc<Rule>) -> Self {
        Self {
            rule,
            cells: Cells::default(),
            series_max: SERIES_MAX,
            implied: None,
            floor_ms: None,
            now_ms: 0,
            due_ms: Some(0),
            awaited: HashMap::new(),
            turned_away: 0,
        }
    }

    /// The rule.
    pub fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// Takes a sample of a series that the index resolved for this rule. NaN ends the series; infinite values, and samples
    /// that are not newer than the newest of their series, are ignored.
    pub fn observe(&mut self, series: &Arc<Series>, at_ms: u64, value: f64, out: &mut Vec<Step>) {
        if value.is_infinite() {
            return;
        }
        // What nobody knows cannot end.
        if self.feed(series, at_ms, value, out) || value.is_nan() || !self.rule.wants(series) {
            return;
        }
        if self.admit(series, at_ms, out) {
            self.feed(series, at_ms, value, out);
        }
    }

    /// `false`: the series is new.
    fn feed(&mut self, series: &Arc<Series>, at_ms: u64, value: f64, out: &mut Vec<Step>) -> bool {
        let Entry::Occupied(mut entry) = self.cells.entry(Joined(series.clone())) else { return false };
        let joined = self.rule.is_composite().then(|| entry.key().0.clone());
        let cx = Context {
            rule: &self.rule,
            series: joined.as_ref().unwrap_or(series),
            floor_ms: self.floor_ms.unwrap_or_default(),
            now_ms: self.now_ms,
        };
        let cell = entry.get_mut();
        cell.observe(&cx, series.metric(), at_ms, value, out);
        self.due_ms = earlier(self.due_ms, cell.due_ms(&cx));
        true
    }

    /// Makes room for a series. `false`: there is none.
    fn admit(&mut self, series: &Arc<Series>, at_ms: u64, out: &mut Vec<Step>) -> bool {
        if let Some(implied) = self.implied.take()
            && let Some(mut cell) = self.cells.remove(&implied)
        {
            let (floor_ms, now_ms) = (self.floor_ms.unwrap_or_default(), self.now_ms);
            cell.stop(&Context { rule: &self.rule, series: &implied.0, floor_ms, now_ms }, at_ms, out);
        }
        if self.cells.len() >= self.series_max {
            self.forget_quiet();
        }
        if self.cells.len() >= self.series_max {
            self.turned_away += 1;
            return false;
        }
        let key = Joined(self.rule.joined_series(series));
        let mut cell = Cell::new(&self.rule, series, at_ms);
        self.resume(&key.0, &mut cell);
        self.cells.insert(key, Box::new(cell));
        true
    }

    fn forget_quiet(&mut self) {
        let quiet = |cell: &Cell| !cell.clock.is_told();
        let mut seen: Vec<Option<u64>> =
            self.cells.values().filter(|cell| quiet(cell)).map(|cell| cell.seen_ms).collect();
        if seen.is_empty() {
            return;
        }
        let last = (seen.len() / 4).min(seen.len() - 1);
        let bound_ms = *seen.select_nth_unstable(last).1;
        let mut left = last + 1;
        self.cells.retain(|_, cell| {
            let leaves = left > 0 && quiet(cell) && cell.seen_ms <= bound_ms;
            left -= usize::from(leaves);
            !leaves
        });
    }

    /// Lets happen what happens without samples: absence, no data, auto-resolve. The first tick says from when on
    /// somebody listens.
    pub fn tick(&mut self, now_ms: u64, out: &mut Vec<Step>) {
        self.now_ms = self.now_ms.max(now_ms);
        let is_first = self.floor_ms.is_none();
        let floor_ms = *self.floor_ms.get_or_insert(now_ms);
        if is_first {
            self.imply(now_ms);
        }
        if self.due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return;
        }
        self.due_ms = None;
        for (key, cell) in &mut self.cells {
            let cx = Context { rule: &self.rule, series: &key.0, floor_ms, now_ms: self.now_ms };
            cell.advance(&cx, now_ms, true, out);
            self.due_ms = earlier(self.due_ms, cell.due_ms(&cx));
        }
    }

    /// Nobody listened before that time: silence counts from then on. Earlier than before changes nothing.
    pub fn hear_from(&mut self, from_ms: u64) {
        self.floor_ms = self.floor_ms.map(|floor_ms| floor_ms.max(from_ms));
    }

    /// An absence that knows of no series waits for one with the labels that its matchers name; not one that only says
    /// which series it is about, as `node=~.+` does.
    fn imply(&mut self, now_ms: u64) {
        let [leaf] = self.rule.leaves() else { return };
        if self.rule.is_composite()
            || !matches!(leaf.kind, LeafKind::Absence { .. })
            || !(leaf.matchers.is_empty() || leaf.matchers.iter().any(names_a_value))
            || !self.cells.is_empty()
        {
            return;
        }
        let labels = leaf.matchers.iter().filter_map(|matcher| {
            let value = matcher.equal_to().filter(|value| !value.is_empty())?;
            Some((matcher.name().to_owned(), value.to_owned()))
        });
        let series = Arc::new(Series::new(leaf.metric.clone(), labels.collect()));
        let mut cell = Cell::new(&self.rule, &series, now_ms);
        cell.seen_ms = Some(now_ms);
        self.implied = Some(Joined(series.clone()));
        self.cells.insert(Joined(series), Box::new(cell));
    }

    /// When a tick is worth it, at the earliest: 0 is at once, `None` is not before another sample.
    pub fn next_tick_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// The state that a new evaluator of this rule needs to go on. Series that are ok and need no memory are left out.
    pub fn saved(&self) -> Vec<Saved> {
        let kept = self.cells.iter().filter(|(_, cell)| !cell.is_plain(&self.rule));
        kept.map(|(key, cell)| Saved {
            metric: key.0.metric().to_owned(),
            labels: key.0.labels().clone(),
            is_implied: self.implied.as_ref() == Some(key),
            cell: Cell::clone(cell),
        })
        .collect()
    }

    /// Goes on from saved state, also that of a former version of the rule: what its conditions remember is kept where it
    /// fits, and series that it no longer wants are left out.
    pub fn restore(&mut self, saved: Vec<Saved>) {
        for Saved { metric, labels, is_implied, mut cell } in saved {
            let series = Arc::new(Series::new(metric, labels));
            let is_wanted = if self.rule.is_composite() {
                self.rule.leaves().iter().any(|leaf| leaf.matches(series.labels()))
            } else {
                self.rule.wants(&series)
            };
            if !(is_wanted || is_implied) || self.cells.len() >= self.series_max {
                continue;
            }
            let fits = match &cell.memory {
                Memory::Leaves(leaves) => self.rule.is_composite() && leaves.fits(&self.rule),
                _ => !self.rule.is_composite(),
            };
            if !fits {
                cell.memory = Cell::new(&self.rule, &series, cell.seen_ms.unwrap_or_default()).memory;
            }
            if !self.rule.alerts_on_silence() {
                cell.clock.silent_since_ms = None;
            }
            if is_implied {
                self.implied = Some(Joined(series.clone()));
            }
            self.cells.insert(Joined(series), Box::new(cell));
        }
        self.due_ms = Some(0);
    }

    /// Where the series with these labels is, and why. `None` for one that is not known.
    pub fn explain(&self, series: &Arc<Series>) -> Option<Explanation> {
        let (key, cell) = self.cells.get_key_value(&Joined(series.clone()))?;
        Some(self.explanation(&key.0, cell))
    }

    /// Where all its series are, in no order; one that is silent, and told as such, twice.
    pub fn explanations(&self) -> impl Iterator<Item = Explanation> {
        self.cells.iter().flat_map(|(key, cell)| {
            let silence = cell.clock.silent_since_ms.map(|since_ms| self.silence(&key.0, cell, since_ms));
            [Some(self.explanation(&key.0, cell)), silence].into_iter().flatten()
        })
    }

    fn silence(&self, series: &Series, cell: &Cell, since_ms: u64) -> Explanation {
        let silent_ms = self.now_ms.max(since_ms) - cell.seen_ms.unwrap_or(since_ms).min(since_ms);
        let reason = Reason { cause: Cause::NoData { silent_ms }, holds: true, held_ms: 0 };
        Explanation {
            is_silence: true,
            metric: series.metric().to_owned(),
            labels: series.labels().clone(),
            phase: Phase::Firing,
            since_ms: Some(since_ms),
            held_ms: None,
            needed_ms: None,
            seen_ms: cell.seen_ms,
            value: None,
            text: format!("{}, {reason}", Phase::Firing),
            reason: Some(reason),
        }
    }

    fn explanation(&self, series: &Arc<Series>, cell: &Cell) -> Explanation {
        let at_ms = cell.seen_ms.unwrap_or_default().max(cell.clock.since_ms);
        let floor_ms = self.floor_ms.unwrap_or_default();
        let cx = Context { rule: &self.rule, series, floor_ms, now_ms: self.now_ms };
        let reason = cell.reason(&cx, at_ms);
        let phase = cell.clock.phase;
        let needed_ms = (phase == Phase::Pending).then_some(self.rule.times.for_ms);
        let until_ms = if self.rule.has_absence { at_ms.max(self.now_ms) } else { at_ms };
        let held_ms = needed_ms.map(|_| until_ms.saturating_sub(cell.clock.since_ms));
        let mut text = phase.to_string();
        if let (Some(held_ms), Some(needed_ms)) = (held_ms, needed_ms) {
            text = format!("{text}: {} of {}", number(held_ms as f64 / 1_000.0), duration(needed_ms));
        }
        let why = reason.map_or_else(|| "not judged yet".to_owned(), |reason| self.rule.words(&reason));
        Explanation {
            is_silence: false,
            metric: series.metric().to_owned(),
            labels: series.labels().clone(),
            phase,
            since_ms: (cell.clock.since_ms > 0).then_some(cell.clock.since_ms),
            held_ms,
            needed_ms,
            seen_ms: cell.seen_ms,
            value: cell.holds.map(|_| cell.value),
            text: format!("{text}, {why}"),
            reason,
        }
    }

    /// How many series are pending, and how many fire or are silent, if that is an alert.
    pub fn held(&self) -> (usize, usize) {
        self.cells.values().fold((0, 0), |(pending, firing), cell| match cell.clock.phase {
            _ if cell.clock.silent_since_ms.is_some() => (pending, firing + 1),
            Phase::Ok => (pending, firing),
            Phase::Pending => (pending + 1, firing),
            Phase::Firing => (pending, firing + 1),
        })
    }

    /// How many series it knows.
    pub fn series_count(&self) -> usize {
        self.cells.len()
    }

    /// Samples of new series that found no room.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }
}

fn names_a_value(matcher: &Matcher) -> bool {
    matcher.equal_to().is_some_and(|value| !value.is_empty())
}

fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
