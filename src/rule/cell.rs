//! All that one rule knows of one series. Pure.
//!
//! What happens without a sample happens at its exact time, however rarely ticks come: before a sample is judged,
//! the cell is brought forward to just before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checked::Rule;
use super::composite::{Leaves, View};
use super::condition::{self, Known, Leaf, LeafKind, Memory, Tree};
use super::reason::{Cause, Parts, Reason};
use super::series::Series;
use super::step::Step;
use super::timer::{Change, Clock, Ending, Lapse, Phase};

/// Most events of one series between two samples or ticks. A composite has at most 16 absences, of which each may begin
/// to hold, hold for long enough and be resolved; what is beyond waits for the next tick.
const EVENTS_MAX: usize = 64;

/// What a cell is judged by.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) rule: &'a Rule,
    pub(super) series: &'a Arc<Series>,
    /// Nobody listened before.
    pub(super) floor_ms: u64,
    /// The newest tick.
    pub(super) now_ms: u64,
}

/// State of one series of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) clock: Clock,
    /// The newest sample.
    pub(super) seen_ms: Option<u64>,
    /// What the condition looked at last, always finite.
    pub(super) value: f64,
    /// What it said of it.
    pub(super) holds: Option<bool>,
    pub(super) memory: Memory,
}

/// What comes next if no sample does.
#[derive(Clone, Copy)]
enum Event {
    /// A condition starts to hold, because samples stay away.
    Absent,
    /// What holds without samples has held for long enough.
    Held,
    Lapse(Lapse),
}

impl Cell {
    pub(super) fn new(rule: &Rule, series: &Series, at_ms: u64) -> Self {
        let memory = if rule.is_composite() {
            Memory::Leaves(Box::new(Leaves::new(rule, series, at_ms)))
        } else {
            Memory::None
        };
        Self { clock: Clock::default(), seen_ms: None, value: 0.0, holds: None, memory }
    }

    /// Whether it is worth to be kept over a restart: what a new cell would know anyway is not.
    pub(super) fn is_plain(&self, rule: &Rule) -> bool {
        !rule.remembers() && !self.clock.is_told() && self.memory == Memory::None
    }

    /// Takes a sample. Those that are not newer than the newest are ignored.
    pub(super) fn observe(
        &mut self,
        cx: &Context<'_>,
        metric: &str,
        at_ms: u64,
        value: f64,
        out: &mut Vec<Step>,
    ) {
        if self.seen_ms.is_some() {
            self.advance(cx, at_ms.saturating_sub(1), false, out);
        }
        if cx.rule.is_composite() {
            return self.observe_joined(cx, metric, at_ms, value, out);
        }
        let Some(Leaf { kind, .. }) = cx.rule.leaves().first() else { return };
        let is_lost = value.is_nan() && cx.rule.has_absence;
        if is_lost || self.seen_ms.is_some_and(|seen_ms| at_ms <= seen_ms) {
            return;
        }
        self.seen_ms = Some(at_ms);
        let verdict = condition::feed(kind, &mut self.memory, at_ms, value);
        self.holds = verdict.holds;
        let times = &cx.rule.times;
        if value.is_nan() {
            let ending = self.clock.end(at_ms, times);
            return self.tell_ending(cx, ending, Cause::Ended, out);
        }
        self.value = verdict.value;
        if self.is_of_the_past(cx, at_ms) {
            return;
        }
        hear(&mut self.clock, cx, at_ms, out);
        if let Some(change) = self.clock.judge(at_ms, verdict.holds, times) {
            let cause = match verdict.holds {
                Some(holds) => condition::cause(kind, &self.memory, holds, verdict.value),
                None => Cause::Ended,
            };
            self.tell(cx, Some(change), cause, out);
        }
    }

    /// A sample that comes so late that the silence goes on in spite of it.
    fn is_of_the_past(&self, cx: &Context<'_>, at_ms: u64) -> bool {
        let silence_ms = match cx.rule.leaves().first() {
            Some(Leaf { kind: LeafKind::Absence { absent_ms }, .. }) => *absent_ms,
            _ => cx.rule.times.no_data_ms,
        };
        self.clock.is_silent && at_ms.saturating_add(silence_ms) <= cx.now_ms
    }

    fn observe_joined(
        &mut self,
        cx: &Context<'_>,
        metric: &str,
        at_ms: u64,
        value: f64,
        out: &mut Vec<Step>,
    ) {
        let is_past = !cx.rule.has_absence && self.is_of_the_past(cx, at_ms);
        let Memory::Leaves(leaves) = &mut self.memory else { return };
        let Some(seen) = leaves.feed(cx.rule, metric, at_ms, value) else { return };
        self.seen_ms = self.seen_ms.max(Some(at_ms));
        let is_told_at_once = !seen.is_nan() && !matches!(cx.rule.tree, Tree::Expression(_));
        self.value = if is_told_at_once { seen } else { self.value };
        if !is_past && let Some(complete_ms) = leaves.open(cx.rule, at_ms, cx.floor_ms) {
            self.judge_joined(cx, complete_ms, out);
        }
    }

    /// What all conditions together say at a time.
    fn judge_joined(&mut self, cx: &Context<'_>, at_ms: u64, out: &mut Vec<Step>) {
        let Memory::Leaves(leaves) = &mut self.memory else { return };
        let at_ms = leaves.close(at_ms);
        let view = leaves.view(cx.rule, at_ms, cx.floor_ms);
        let holds = view.truth();
        if let Tree::Expression(expression) = &cx.rule.tree {
            let value = expression.looked_at(&|leaf| view.number(*leaf), holds == Some(true));
            self.value = value.unwrap_or(self.value);
        }
        self.holds = holds;
        hear(&mut self.clock, cx, at_ms, out);
        if let Some(change) = self.clock.judge(at_ms, holds, &cx.rule.times) {
            let cause = if holds.is_some() { joined_cause(cx.rule, &view) } else { Cause::Ended };
            self.tell(cx, Some(change), cause, out);
        }
    }

    /// Lets happen what happens up to a time without a sample.
    pub(super) fn advance(&mut self, cx: &Context<'_>, to_ms: u64, is_tick: bool, out: &mut Vec<Step>) {
        if let Memory::Leaves(leaves) = &self.memory
            && let Some(open_ms) = leaves.open_ms()
        {
            let due_ms = if is_tick { Leaves::settled_ms(open_ms) } else { open_ms };
            if due_ms > to_ms {
                return;
            }
            self.judge_joined(cx, open_ms, out);
        }
        for _ in 0..EVENTS_MAX {
            let Some((at_ms, event)) = self.next(cx).filter(|(at_ms, _)| *at_ms <= to_ms) else { return };
            self.happen(cx, at_ms, event, out);
        }
        debug_assert!(false, "an event of {:?} comes again and again", cx.rule.definition().name);
    }

    /// Every event ends what it came of: [`Self::next`] does not find it again.
    fn happen(&mut self, cx: &Context<'_>, at_ms: u64, event: Event, out: &mut Vec<Step>) {
        match event {
            Event::Lapse(lapse) => {
                let ending = self.clock.lapse(at_ms, lapse, &cx.rule.times);
                let after_ms = cx.rule.times.auto_resolve_ms.unwrap_or_default();
                let cause = match lapse {
                    Lapse::NoData => Cause::NoData { silent_ms: cx.rule.times.no_data_ms },
                    Lapse::AutoResolve => Cause::AutoResolved { after_ms },
                    Lapse::SilenceResolve => Cause::StillSilent { after_ms },
                };
                self.tell_ending(cx, ending, cause, out);
            }
            Event::Absent | Event::Held if cx.rule.is_composite() => self.judge_joined(cx, at_ms, out),
            Event::Absent | Event::Held => {
                let change = self.clock.judge(at_ms, Some(true), &cx.rule.times);
                self.clock.is_silent = true;
                self.holds = Some(true);
                let cause = Cause::Absence { absent_ms: at_ms - self.seen_ms.unwrap_or(at_ms).min(at_ms) };
                self.tell(cx, change, cause, out);
            }
        }
    }

    fn next(&self, cx: &Context<'_>) -> Option<(u64, Event)> {
        let times = &cx.rule.times;
        let seen_ms = self.seen_ms.unwrap_or(cx.floor_ms);
        let lapse = self.clock.next_lapse(seen_ms, cx.floor_ms, times, !cx.rule.has_absence);
        let lapse = lapse.map(|(at_ms, lapse)| (at_ms, Event::Lapse(lapse)));
        if !cx.rule.has_absence {
            return lapse;
        }
        let absent_ms = match (&self.memory, cx.rule.leaves().first()) {
            (Memory::Leaves(leaves), _) => leaves.next_absence_ms(cx.rule, cx.floor_ms),
            (_, Some(Leaf { kind: LeafKind::Absence { absent_ms }, .. })) if !self.clock.is_silent => {
                Some(seen_ms.max(cx.floor_ms).saturating_add(*absent_ms))
            }
            _ => None,
        };
        let held_ms = self.clock.held_ms(times).map(|held_ms| {
            let grace_ms = match cx.rule.leaves().first() {
                // After a restart the samples get as long to come as ever.
                Some(Leaf { kind: LeafKind::Absence { absent_ms }, .. })
                    if cx.floor_ms > self.clock.since_ms =>
                {
                    cx.floor_ms.saturating_add(*absent_ms)
                }
                _ => 0,
            };
            held_ms.max(grace_ms)
        });
        let events =
            [absent_ms.map(|at_ms| (at_ms, Event::Absent)), held_ms.map(|at_ms| (at_ms, Event::Held)), lapse];
        events.into_iter().flatten().min_by_key(|(at_ms, _)| *at_ms)
    }

    /// When a tick is worth it, at the earliest.
    pub(super) fn due_ms(&self, cx: &Context<'_>) -> Option<u64> {
        if let Memory::Leaves(leaves) = &self.memory
            && let Some(open_ms) = leaves.open_ms()
        {
            return Some(Leaves::settled_ms(open_ms));
        }
        self.next(cx).map(|(at_ms, _)| at_ms)
    }

    /// Stops, because it stood for others that are there now.
    pub(super) fn stop(&mut self, cx: &Context<'_>, at_ms: u64, out: &mut Vec<Step>) {
        let change = self.clock.stop(at_ms);
        self.tell(cx, change, Cause::Seen, out);
    }

    /// The newest reason, for whoever asks.
    pub(super) fn reason(&self, cx: &Context<'_>, at_ms: u64) -> Option<Reason> {
        let holds = self.holds?;
        let cause = match (&self.memory, cx.rule.leaves()) {
            (Memory::Leaves(leaves), _) => joined_cause(cx.rule, &leaves.view(cx.rule, at_ms, cx.floor_ms)),
            (memory, [leaf, ..]) => condition::cause(&leaf.kind, memory, holds, self.value),
            (_, []) => return None,
        };
        Some(Reason { cause, holds, held_ms: 0 })
    }

    fn tell_ending(&self, cx: &Context<'_>, ending: Ending, cause: Cause, out: &mut Vec<Step>) {
        self.tell(cx, ending.condition, cause, out);
        tell_silence(cx, ending.silence, cause, out);
    }

    fn tell(&self, cx: &Context<'_>, change: Option<Change>, cause: Cause, out: &mut Vec<Step>) {
        let Some(Change { from, to, at_ms, held_ms }) = change else { return };
        let holds = to != Phase::Ok;
        let held_ms =
            if holds && !matches!(cause, Cause::NoData { .. } | Cause::Ended) { held_ms } else { 0 };
        let has_value = !matches!(cause, Cause::Absence { .. } | Cause::Seen);
        out.push(Step {
            is_silence: false,
            series: cx.series.clone(),
            at_ms,
            from,
            to,
            value: has_value.then_some(self.value),
            reason: Reason { cause, holds, held_ms },
        });
    }
}

/// There is a sample: the silence is over.
fn hear(clock: &mut Clock, cx: &Context<'_>, at_ms: u64, out: &mut Vec<Step>) {
    tell_silence(cx, clock.hear(at_ms), Cause::Heard, out);
}

fn tell_silence(cx: &Context<'_>, change: Option<Change>, cause: Cause, out: &mut Vec<Step>) {
    let Some(Change { from, to, at_ms, held_ms: _ }) = change else { return };
    let reason = Reason { cause, holds: to != Phase::Ok, held_ms: 0 };
    out.push(Step { is_silence: true, series: cx.series.clone(), at_ms, from, to, value: None, reason });
}

/// What several conditions, or an expression, look at.
fn joined_cause(rule: &Rule, view: &View<'_>) -> Cause {
    if let Tree::Expression(expression) = &rule.tree {
        return Cause::Expression { parts: Parts::of(expression, &|leaf| view.number(*leaf)) };
    }
    let (holding, of) = view.holding();
    Cause::Composite { holding, of }
}
