//! What happens in the book because time passes.

use super::super::entity::State;
use super::super::inhibition::Inhibitions;
use super::super::lifecycle::Event;
use super::super::policies::Policies;
use super::super::score::score;
use super::super::subject::Subject;
use super::{Book, Change, NODE};

/// Time between two looks at how urgent alerts are, in milliseconds.
const SCORED_APART_MS: u64 = 60_000;

/// Counts and values of alerts that fire on are kept this far apart, in milliseconds; a crash of the hub loses what was
/// counted since.
const FLUSHED_APART_MS: u64 = 5_000;

impl Book {
    /// Operators laid down something else.
    pub fn lay_down(&mut self, policies: Policies, now_ms: u64, out: &mut Vec<Change>) {
        let Policies { windows, inhibitions, escalations } = policies;
        self.windows = windows;
        self.escalations = escalations;
        self.inhibitions = Inhibitions::new(inhibitions);
        for entry in self.open.values().filter(|entry| entry.alert.state != State::Pending) {
            let metric = entry.alert.rule_id.as_ref().and_then(|id| self.origins.get(id));
            let metric = metric.and_then(|origin| origin.metric.as_deref());
            self.inhibitions.fires(&Subject::of(&entry.alert, metric));
        }
        self.is_recheck_due = false;
        self.hold_and_let_go(true, now_ms, out);
    }

    /// Time passed.
    pub fn tick(&mut self, now_ms: u64, out: &mut Vec<Change>) {
        self.end_what_is_not_posted_again(now_ms, out);
        let origins = &self.origins;
        let (open, flapping) = (&self.open, &mut self.flapping);
        flapping.retain(|fingerprint, flapping| {
            let rule_id = open.get(fingerprint).and_then(|entry| entry.alert.rule_id.as_ref());
            let limit = rule_id.and_then(|id| origins.get(id)).map(|origin| origin.flap).unwrap_or_default();
            // What it lets go is seen by whoever looks at what is held.
            let _released = flapping.tick(&limit, now_ms);
            !flapping.is_quiet()
        });
        // A window may have begun: those are few, and asked once a second.
        let with_firing = std::mem::take(&mut self.is_recheck_due) || self.has_open_window(now_ms);
        self.hold_and_let_go(with_firing, now_ms, out);
        let repeat_ms = self.terms.timing.repeat_interval_ms;
        self.closed_by_hand.retain(|_, alert| {
            alert.resolved_at_ms.is_some_and(|at_ms| now_ms < at_ms.saturating_add(repeat_ms))
        });
        self.escalate(now_ms, out);
        if now_ms.saturating_sub(self.scored_ms) >= SCORED_APART_MS {
            self.scored_ms = now_ms;
            self.score_all(now_ms, out);
        }
        if now_ms.saturating_sub(self.flushed_ms) >= FLUSHED_APART_MS {
            self.flushed_ms = now_ms;
            self.flush(out);
        }
    }

    fn has_open_window(&self, now_ms: u64) -> bool {
        self.windows.iter().any(|window| window.schedule.active_until_ms(now_ms).is_some())
    }

    fn end_what_is_not_posted_again(&mut self, now_ms: u64, out: &mut Vec<Change>) {
        let is_over = |ends_at_ms: Option<u64>| ends_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let over: Vec<String> = self
            .open
            .iter()
            .filter(|(_, entry)| is_over(entry.alert.ends_at_ms))
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        for fingerprint in over {
            let clear =
                Event::Clear { value: None, reason: "it was not posted again before its end".to_owned() };
            self.happen(&fingerprint, clear, now_ms, out);
        }
    }

    fn score_all(&mut self, now_ms: u64, out: &mut Vec<Change>) {
        let mut scores = Vec::new();
        for (fingerprint, entry) in &self.open {
            let alert = &entry.alert;
            if !matches!(alert.state, State::Firing | State::Acknowledged) {
                continue;
            }
            let nodes = alert.rule_id.as_deref().map_or(1, |id| self.breadth(id, alert.labels.get(NODE)));
            let duration_ms = now_ms.saturating_sub(alert.started_at_ms);
            let score = score(alert.severity, duration_ms, nodes, self.weight(alert.service.as_deref()));
            if score != alert.score {
                scores.push((fingerprint.clone(), score));
            }
        }
        for (fingerprint, score) in scores {
            self.happen(&fingerprint, Event::Scored { score }, now_ms, out);
        }
    }

    /// Everything that was counted on since it was kept.
    pub fn flush(&mut self, out: &mut Vec<Change>) {
        for entry in self.open.values_mut().filter(|entry| entry.is_dirty) {
            entry.is_dirty = false;
            out.push(Change { alert: entry.alert.clone(), transition: None, is_told: false });
        }
    }

    /// The same of one alert.
    pub(super) fn flush_one(&mut self, fingerprint: &str, out: &mut Vec<Change>) {
        if let Some(entry) = self.open.get_mut(fingerprint).filter(|entry| entry.is_dirty) {
            entry.is_dirty = false;
            out.push(Change { alert: entry.alert.clone(), transition: None, is_told: false });
        }
    }
}
