//! The book of alerts: all that are open, and what becomes of them. Pure: it is told what happened and what time it is,
//! and tells what is to be kept and published.
//!
//! - here: signals of rules, alerts from outside, what people do
//! - `holding`: what holds an alert back, and when it does no more
//! - `passing`: what happens because time passes; `past`: what another owner saw the end of
//! - [`decisions`]: who is to be notified of what

pub mod decisions;
mod entries;
mod holding;
mod passing;
mod past;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entity::{Alert, HUB, State, Transition};
use super::escalation::Policy;
use super::fingerprint;
use super::flap::Flapping;
use super::grouping::{GroupKey, Groups, Timing};
use super::inhibition::Inhibitions;
use super::lifecycle::{Event, Refused, reopens};
use super::signal::{News, Origin, Posted, Signal, Text};
use super::suppression::Window;

use decisions::Brief;
use holding::Hold;
use past::Past;

/// The label with the name of the node, by which breadth is counted.
const NODE: &str = "node";

/// Where alerts that no rule makes are grouped.
const OUTSIDE: &str = "outside";

/// How the book is kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Alerts that may be open at once.
    pub open_max: usize,
    /// How long groups wait.
    pub timing: Timing,
    /// What a service counts, by its name.
    pub weights: HashMap<String, f64>,
}

/// An alert as it is now, to be kept; with the step that made it so, if it was one.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The alert.
    pub alert: Alert,
    /// The step.
    pub transition: Option<Transition>,
    /// Whether subscribers are told: of every step, and when the severity changed.
    pub is_told: bool,
}

/// Why the book does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookError {
    /// No open alert has this id.
    NotOpen,
    /// Its state does not allow it.
    Refused(Refused),
}

#[derive(Debug)]
struct Entry {
    alert: Alert,
    /// What holds it back, while it is suppressed.
    hold: Option<Hold>,
    /// Counted on since it was kept.
    is_dirty: bool,
    /// The group that it is told in.
    group: Option<GroupKey>,
}

/// The book.
#[derive(Debug)]
pub struct Book {
    terms: Terms,
    /// By fingerprint.
    open: HashMap<String, Entry>,
    /// Fingerprints by id.
    ids: HashMap<String, String>,
    /// Fingerprints by rule.
    by_rule: HashMap<String, HashSet<String>>,
    /// What was resolved by hand while its condition held on, by fingerprint.
    closed_by_hand: HashMap<String, Alert>,
    past: Past,
    origins: HashMap<String, Arc<Origin>>,
    flapping: HashMap<String, Flapping>,
    windows: Vec<Window>,
    inhibitions: Inhibitions,
    escalations: HashMap<String, Policy>,
    groups: Groups,
    /// Those that are over and that somebody is still to be told of.
    over: HashMap<String, Brief>,
    /// What happened that nobody asked for, to be notified.
    noted: Vec<decisions::Decision>,
    /// Sources of inhibitions changed: targets may be free or held.
    is_recheck_due: bool,
    scored_ms: u64,
    flushed_ms: u64,
}

impl Book {
    /// An empty book.
    pub fn new(terms: Terms) -> Self {
        Self {
            groups: Groups::new(terms.timing),
            terms,
            open: HashMap::new(),
            ids: HashMap::new(),
            by_rule: HashMap::new(),
            closed_by_hand: HashMap::new(),
            past: Past::default(),
            origins: HashMap::new(),
            flapping: HashMap::new(),
            windows: Vec::new(),
            inhibitions: Inhibitions::default(),
            escalations: HashMap::new(),
            over: HashMap::new(),
            noted: Vec::new(),
            is_recheck_due: false,
            scored_ms: 0,
            flushed_ms: 0,
        }
    }

    /// Takes up an alert that was open when the hub ended. One of a rule joins its group when the rule is known.
    pub fn resume(&mut self, alert: Alert) {
        let fingerprint = alert.fingerprint.clone();
        let is_outside = alert.rule_id.is_none();
        self.insert(alert, None);
        if is_outside {
            self.join_again(&fingerprint);
        }
    }

    /// Takes up an alert that somebody resolved by hand a while ago: its condition may hold on.
    pub fn resume_closed(&mut self, alert: Alert) {
        self.closed_by_hand.insert(alert.fingerprint.clone(), alert);
    }

    /// Takes up alerts of rules that ended a moment ago, when another owner kept the book: samples that it had come again.
    pub fn resume_over(&mut self, alerts: Vec<Alert>, now_ms: u64) {
        self.past = Past::of(alerts, now_ms);
    }

    /// Alerts that are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// An open alert.
    pub fn one(&self, id: &str) -> Option<&Alert> {
        self.ids.get(id).and_then(|fingerprint| self.open.get(fingerprint)).map(|entry| &entry.alert)
    }

    /// The open alerts of a rule, which is known from now on.
    pub fn of_rule(&mut self, origin: &Arc<Origin>) -> Vec<Alert> {
        self.origins.insert(origin.rule_id.clone(), origin.clone());
        let fingerprints = self.by_rule.get(&origin.rule_id).cloned().unwrap_or_default();
        let mut alerts = Vec::with_capacity(fingerprints.len());
        for fingerprint in fingerprints {
            self.join_again(&fingerprint);
            alerts.extend(self.open.get(&fingerprint).map(|entry| entry.alert.clone()));
        }
        alerts
    }

    /// Takes a signal; one of a rule that is gone, was replaced or is not known yet changes nothing. `false`: it would open
    /// an alert, and as many are open as may be.
    pub fn signal(&mut self, signal: Signal, now_ms: u64, out: &mut Vec<Change>) -> bool {
        let Signal { origin, fingerprint, news, since_ms, value, reason } = signal;
        if self.origins.get(&origin.rule_id).is_none_or(|known| !Arc::ptr_eq(known, &origin)) {
            return true;
        }
        let state = self.open.get(&fingerprint).map(|entry| entry.alert.state);
        if state.is_none() && news != News::Over && self.past.has(&fingerprint, since_ms, now_ms) {
            return true;
        }
        match (news, state) {
            (News::Over, state) => {
                self.closed_by_hand.remove(&fingerprint);
                match state {
                    Some(State::Pending) => self.happen(&fingerprint, Event::Drop { value }, now_ms, out),
                    Some(_) => {
                        self.comes_or_goes(&origin, &fingerprint, now_ms);
                        self.happen(&fingerprint, Event::Clear { value, reason }, now_ms, out);
                    }
                    None => {}
                }
                true
            }
            (News::Firing(text), Some(State::Pending)) => {
                self.comes_or_goes(&origin, &fingerprint, now_ms);
                self.happen(&fingerprint, breach(value, *text), now_ms, out);
                let event = match self.hold_of(&fingerprint, now_ms) {
                    Some(hold) => self.held(&fingerprint, hold),
                    None => Event::Fire { value, reason },
                };
                self.happen(&fingerprint, event, now_ms, out);
                true
            }
            (News::Pending(text) | News::Firing(text), Some(_)) => {
                self.happen(&fingerprint, breach(value, *text), now_ms, out);
                true
            }
            (News::Pending(text), None) => {
                let new = self.new_alert(Some(&origin), fingerprint, None, *text, value, since_ms);
                self.open(new, false, (HUB, &reason), now_ms, out)
            }
            (News::Firing(text), None) => {
                let repeat_ms = self.terms.timing.repeat_interval_ms;
                let lasts = |last: &Alert| {
                    // A breach that began later is another one: its end before that was not heard in a crash.
                    let good_since = since_ms > last.started_at_ms;
                    !reopens(last, good_since, now_ms, repeat_ms)
                };
                if self.closed_by_hand.get(&fingerprint).is_some_and(lasts) {
                    return true;
                }
                self.comes_or_goes(&origin, &fingerprint, now_ms);
                let new = self.new_alert(Some(&origin), fingerprint, None, *text, value, since_ms);
                self.open(new, true, (HUB, &reason), now_ms, out)
            }
        }
    }

    /// Takes an alert from outside; as it is then, and whether it is new. `None`: as many are open as may be.
    pub fn post(
        &mut self,
        posted: Posted,
        by: &str,
        now_ms: u64,
        out: &mut Vec<Change>,
    ) -> Option<(Alert, bool)> {
        let Posted { service, text, ends_at_ms } = posted;
        let labels = text.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fingerprint = fingerprint::of_outside(service.as_deref(), &text.title, labels);
        if let Some(entry) = self.open.get_mut(&fingerprint) {
            entry.alert.ends_at_ms = ends_at_ms.or(entry.alert.ends_at_ms);
            self.happen(&fingerprint, breach(None, text), now_ms, out);
            self.flush_one(&fingerprint, out);
            return self.open.get(&fingerprint).map(|entry| (entry.alert.clone(), false));
        }
        let mut new = self.new_alert(None, fingerprint.clone(), service, text, None, now_ms);
        new.ends_at_ms = ends_at_ms;
        self.open(new, true, (by, &format!("posted by {by}")), now_ms, out);
        self.open.get(&fingerprint).map(|entry| (entry.alert.clone(), true))
    }

    /// Somebody does something to an open alert, which is returned as it is then.
    pub fn by_hand(
        &mut self,
        id: &str,
        event: Event,
        now_ms: u64,
        out: &mut Vec<Change>,
    ) -> Result<Alert, BookError> {
        let fingerprint = self.ids.get(id).cloned().ok_or(BookError::NotOpen)?;
        self.change(&fingerprint, event, now_ms, out).map_err(BookError::Refused)?.ok_or(BookError::NotOpen)
    }

    /// A rule is gone, or is not evaluated any more: so are its alerts.
    pub fn rule_gone(&mut self, rule_id: &str, reason: &str, now_ms: u64, out: &mut Vec<Change>) {
        let fingerprints = self.by_rule.get(rule_id).cloned().unwrap_or_default();
        for fingerprint in fingerprints {
            let clear = Event::Clear { value: None, reason: reason.to_owned() };
            self.happen(&fingerprint, clear, now_ms, out);
            self.flapping.remove(&fingerprint);
        }
        self.closed_by_hand.retain(|_, alert| alert.rule_id.as_deref() != Some(rule_id));
        self.origins.remove(rule_id);
    }

    /// Ends the alerts of all rules but these.
    pub fn only_rules(&mut self, rules: &HashSet<String>, now_ms: u64, out: &mut Vec<Change>) {
        let gone: Vec<String> = self.by_rule.keys().filter(|id| !rules.contains(*id)).cloned().collect();
        for rule_id in gone {
            self.rule_gone(&rule_id, "the rule is not evaluated any more", now_ms, out);
        }
    }
}

fn breach(value: Option<f64>, text: Text) -> Event {
    Event::Breach { value, severity: Some(text.severity), message: Some(text.message) }
}
