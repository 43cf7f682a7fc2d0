//! Who is to be notified of what: groups that are due, levels of escalation, silences that ended.

use serde::Serialize;

use super::super::entity::{Alert, State};
use super::super::fingerprint::Labels;
use super::super::grouping::Due;
use super::super::lifecycle::Event;
use super::super::severity::Severity;
use super::{Book, Change};

/// An alert in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Brief {
    /// Its identity.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is in its life.
    pub state: State,
}

impl Brief {
    pub(super) fn of(alert: &Alert) -> Self {
        let Alert { id, title, severity, state, .. } = alert;
        Self { id: id.clone(), title: title.clone(), severity: *severity, state: *state }
    }
}

/// Something that people are to be notified of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Decision {
    /// Alerts that are told together.
    Group {
        /// The rule that they come from, or `outside`.
        origin: String,
        /// What they have alike.
        group: Labels,
        /// Those that fire.
        firing: Vec<Brief>,
        /// Those that were told as firing, and do not any more.
        ended: Vec<Brief>,
        /// Whether nothing changed since the notification before.
        repeats: bool,
    },
    /// Nobody acknowledged.
    Escalation {
        /// What.
        alert: Brief,
        /// The policy.
        policy_id: String,
        /// The level, from 1.
        level: u32,
        /// Who is told.
        targets: Vec<String>,
    },
    /// A window is over, and an alert that it held back still holds.
    SilenceEnded {
        /// What.
        alert: Brief,
        /// What the window is called.
        window: String,
    },
}

impl Book {
    /// Whether somebody is to be notified by now.
    pub fn has_due(&self, now_ms: u64) -> bool {
        !self.noted.is_empty() || self.groups.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms)
    }

    /// What is due by now. The alerts note it.
    pub fn decide(&mut self, now_ms: u64, out: &mut Vec<Change>) -> Vec<Decision> {
        let mut decisions = std::mem::take(&mut self.noted);
        for Due { key, firing, resolved, repeats } in self.groups.take_due(now_ms) {
            let ended = resolved.iter().filter_map(|id| self.brief(id)).collect();
            resolved.iter().for_each(|id| drop(self.over.remove(id)));
            let told: Vec<Brief> = firing.iter().filter_map(|id| self.brief(id)).collect();
            for id in &firing {
                if let Some(fingerprint) = self.ids.get(id).cloned() {
                    self.happen(&fingerprint, Event::Notified, now_ms, out);
                    self.flush_one(&fingerprint, out);
                }
            }
            decisions.push(Decision::Group {
                origin: key.origin,
                group: key.labels,
                firing: told,
                ended,
                repeats,
            });
        }
        decisions
    }

    fn brief(&self, id: &str) -> Option<Brief> {
        self.one(id).map(Brief::of).or_else(|| self.over.get(id).cloned())
    }

    /// Notes the levels that are due.
    pub(super) fn escalate(&mut self, now_ms: u64, out: &mut Vec<Change>) {
        let mut due = Vec::new();
        for (fingerprint, entry) in &self.open {
            let origin = entry.alert.rule_id.as_ref().and_then(|id| self.origins.get(id));
            let policy_id = origin.and_then(|origin| origin.escalation_policy_id.as_ref());
            let Some((policy_id, policy)) = policy_id.and_then(|id| Some((id, self.escalations.get(id)?)))
            else {
                continue;
            };
            for (level, step) in policy.due(&entry.alert, now_ms) {
                self.noted.push(Decision::Escalation {
                    alert: Brief::of(&entry.alert),
                    policy_id: policy_id.clone(),
                    level,
                    targets: step.targets.clone(),
                });
                due.push((fingerprint.clone(), level));
            }
        }
        for (fingerprint, level) in due {
            self.happen(&fingerprint, Event::Escalated { level }, now_ms, out);
            self.flush_one(&fingerprint, out);
        }
    }
}
