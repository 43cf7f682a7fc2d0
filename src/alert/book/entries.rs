//! The entries of the book: how they are opened, changed and closed, and what hangs on each.

use super::super::entity::{Alert, State};
use super::super::flap::Flap;
use super::super::grouping::GroupKey;
use super::super::lifecycle::{Event, NewAlert, Opening, Refused, apply, open};
use super::super::score::{WEIGHT_DEFAULT, score};
use super::super::signal::{Origin, Text};
use super::super::subject::{SERVICE, Subject};
use super::decisions::Brief;
use super::holding::Hold;
use super::{Book, Change, Entry, NODE, OUTSIDE};
use std::collections::HashSet;

impl Book {
    pub(super) fn new_alert(
        &self,
        origin: Option<&Origin>,
        fingerprint: String,
        service: Option<String>,
        text: Text,
        value: Option<f64>,
        started_at_ms: u64,
    ) -> NewAlert {
        let Text { severity, title, message, labels, annotations } = text;
        let service = service.or_else(|| labels.get(SERVICE).cloned());
        let rule_id = origin.map(|origin| origin.rule_id.clone());
        let nodes = rule_id.as_deref().map_or(1, |id| self.breadth(id, labels.get(NODE)));
        let score = score(severity, 0, nodes, self.weight(service.as_deref()));
        let rule_name = origin.map(|origin| origin.rule_name.clone());
        NewAlert {
            fingerprint,
            rule_id,
            rule_name,
            severity,
            score,
            service,
            title,
            message,
            labels,
            annotations,
            value,
            started_at_ms,
            ends_at_ms: None,
        }
    }

    /// Opens an alert: `false` when as many are open as may be. One that is due fires, unless it is held back.
    pub(super) fn open(
        &mut self,
        new: NewAlert,
        is_due: bool,
        by: (&str, &str),
        now_ms: u64,
        out: &mut Vec<Change>,
    ) -> bool {
        if self.open.len() >= self.terms.open_max {
            return false;
        }
        let (actor, reason) = by;
        let subject = Subject {
            fingerprint: &new.fingerprint,
            metric: self.metric_of(new.rule_id.as_deref()),
            service: new.service.as_deref(),
            severity: new.severity.as_str(),
            labels: &new.labels,
        };
        let hold = if is_due { self.hold(&subject, now_ms) } else { None };
        let opening = match &hold {
            Some(Hold { why, until_ms, .. }) => Opening::Suppressed { why: why.clone(), until_ms: *until_ms },
            None if is_due => Opening::Firing,
            None => Opening::Pending,
        };
        let (alert, transition) = open(new, opening, actor, reason, now_ms);
        let fingerprint = alert.fingerprint.clone();
        out.push(Change { alert: alert.clone(), transition: Some(transition), is_told: true });
        self.insert(alert, hold);
        self.note(&fingerprint, now_ms);
        true
    }

    pub(super) fn insert(&mut self, alert: Alert, hold: Option<Hold>) {
        let fingerprint = alert.fingerprint.clone();
        self.ids.insert(alert.id.clone(), fingerprint.clone());
        if let Some(rule_id) = &alert.rule_id {
            self.by_rule.entry(rule_id.clone()).or_default().insert(fingerprint.clone());
        }
        self.open.insert(fingerprint, Entry { alert, hold, is_dirty: false, group: None });
    }

    /// Lets an event happen that cannot be refused, or whose refusal changes nothing.
    pub(super) fn happen(&mut self, fingerprint: &str, event: Event, now_ms: u64, out: &mut Vec<Change>) {
        if let Err(refused) = self.change(fingerprint, event, now_ms, out) {
            tracing::debug!(fingerprint, %refused, "nothing happens to the alert");
        }
    }

    pub(super) fn change(
        &mut self,
        fingerprint: &str,
        event: Event,
        now_ms: u64,
        out: &mut Vec<Change>,
    ) -> Result<Option<Alert>, Refused> {
        let Some(entry) = self.open.get_mut(fingerprint) else { return Ok(None) };
        let (next, transition) = apply(&entry.alert, event, now_ms)?;
        let is_told = transition.is_some() || next.severity != entry.alert.severity;
        let is_changed = next.version != entry.alert.version;
        entry.alert = next.clone();
        if is_told {
            entry.is_dirty = false;
            out.push(Change { alert: next.clone(), transition, is_told });
            self.note(fingerprint, now_ms);
        } else {
            entry.is_dirty |= is_changed;
        }
        Ok(Some(next))
    }

    /// An alert of a former life of the hub, or of a rule that groups otherwise now: it takes its place.
    pub(super) fn join_again(&mut self, fingerprint: &str) {
        let Some(Entry { alert, group, .. }) = self.open.get(fingerprint) else { return };
        if let (State::Firing, Some(notified_ms), None) = (alert.state, alert.notified_at_ms, group) {
            let key = self.group_of(alert);
            self.groups.resume(&key, &alert.id, notified_ms);
        }
        let fired_ms = alert.fired_at_ms.unwrap_or(alert.started_at_ms);
        self.note(fingerprint, fired_ms);
    }

    /// An alert is not what it was: whoever depends on it is told.
    pub(super) fn note(&mut self, fingerprint: &str, now_ms: u64) {
        let Some(Entry { alert, group, .. }) = self.open.get(fingerprint) else { return };
        let (alert, before) = (alert.clone(), group.clone());
        let key = self.group_of(&alert);
        if let Some(before) = before.filter(|before| *before != key) {
            self.groups.ends(&before, &alert.id);
        }
        match alert.state {
            State::Firing => self.groups.fires(&key, &alert.id, alert.severity, now_ms),
            _ => self.groups.ends(&key, &alert.id),
        }
        if let Some(entry) = self.open.get_mut(fingerprint) {
            entry.group = Some(key);
        }
        self.is_recheck_due |= match alert.state {
            State::Pending => false,
            State::Firing | State::Acknowledged | State::Suppressed => {
                let origin = alert.rule_id.as_ref().and_then(|id| self.origins.get(id));
                let metric = origin.and_then(|origin| origin.metric.as_deref());
                self.inhibitions.fires(&Subject::of(&alert, metric))
            }
            State::Resolved => self.inhibitions.ends(fingerprint),
        };
        if alert.state == State::Resolved {
            self.close(alert);
        }
    }

    fn close(&mut self, alert: Alert) {
        self.open.remove(&alert.fingerprint);
        self.ids.remove(&alert.id);
        if let Some(rule_id) = &alert.rule_id
            && let Some(fingerprints) = self.by_rule.get_mut(rule_id)
        {
            fingerprints.remove(&alert.fingerprint);
            if fingerprints.is_empty() {
                self.by_rule.remove(rule_id);
            }
        }
        if alert.notified_at_ms.is_some() {
            self.over.insert(alert.id.clone(), Brief::of(&alert));
        }
        let may_hold_on = alert.rule_id.is_some() || alert.ends_at_ms.is_some();
        if alert.was_resolved_by_hand() && may_hold_on {
            self.closed_by_hand.insert(alert.fingerprint.clone(), alert);
        }
    }

    pub(super) fn group_of(&self, alert: &Alert) -> GroupKey {
        let origin = alert.rule_id.as_ref().and_then(|id| self.origins.get(id));
        let group_by = origin.map_or(&[][..], |origin| &origin.group_by);
        GroupKey::of(alert.rule_id.as_deref().unwrap_or(OUTSIDE), group_by, &alert.labels)
    }

    /// Its condition began or ceased to hold.
    pub(super) fn comes_or_goes(&mut self, origin: &Origin, fingerprint: &str, now_ms: u64) {
        let flapping = self.flapping.entry(fingerprint.to_owned()).or_default();
        // Whether it is held is asked when it matters.
        let _held: Option<Flap> = flapping.step(&origin.flap, now_ms);
    }

    /// How many nodes have an open alert of the rule, one with `node` included.
    pub(super) fn breadth(&self, rule_id: &str, node: Option<&String>) -> usize {
        let fingerprints = self.by_rule.get(rule_id).into_iter().flatten();
        let open = fingerprints.filter_map(|fingerprint| self.open.get(fingerprint));
        let mut nodes: HashSet<&String> = open.filter_map(|entry| entry.alert.labels.get(NODE)).collect();
        nodes.extend(node);
        nodes.len().max(1)
    }

    pub(super) fn weight(&self, service: Option<&str>) -> f64 {
        service.and_then(|service| self.terms.weights.get(service)).copied().unwrap_or(WEIGHT_DEFAULT)
    }

    /// What the rule of an alert measures.
    pub(super) fn metric_of(&self, rule_id: Option<&str>) -> Option<&str> {
        rule_id.and_then(|id| self.origins.get(id)).and_then(|origin| origin.metric.as_deref())
    }
}
