//! An alert and its steps as the store keeps them.

use serde::{Deserialize, Serialize};

use super::entity::{Alert, State, Transition};
use super::fingerprint::Labels;
use super::severity::Severity;
use crate::store::{AlertChange, AlertRecord, StoreError, TransitionRecord};

/// What the store does not search for.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Detail {
    annotations: Labels,
    value: Option<f64>,
    reason: String,
    acknowledged_by: Option<String>,
    notified_at_ms: Option<u64>,
    escalation_level: u32,
    suppressed_until_ms: Option<u64>,
    ends_at_ms: Option<u64>,
    count: u64,
    last_breach_at_ms: u64,
}

impl Severity {
    /// As the store sorts it: 0 info to 3 critical.
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The severity of a rank.
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.rank() == rank)
    }
}

impl Alert {
    /// As the store keeps it.
    pub fn to_record(&self) -> AlertRecord {
        let detail = Detail {
            annotations: self.annotations.clone(),
            value: self.value,
            reason: self.reason.clone(),
            acknowledged_by: self.acknowledged_by.clone(),
            notified_at_ms: self.notified_at_ms,
            escalation_level: self.escalation_level,
            suppressed_until_ms: self.suppressed_until_ms,
            ends_at_ms: self.ends_at_ms,
            count: self.count,
            last_breach_at_ms: self.last_breach_at_ms,
        };
        AlertRecord {
            id: self.id.clone(),
            version: self.version,
            fingerprint: self.fingerprint.clone(),
            rule_id: self.rule_id.clone(),
            rule_name: self.rule_name.clone(),
            state: self.state.as_str().to_owned(),
            severity: self.severity.rank(),
            score: self.score,
            service: self.service.clone(),
            title: self.title.clone(),
            message: self.message.clone(),
            labels: self.labels.clone(),
            started_at_ms: self.started_at_ms,
            fired_at_ms: self.fired_at_ms,
            acknowledged_at_ms: self.acknowledged_at_ms,
            resolved_at_ms: self.resolved_at_ms,
            resolved_by: self.resolved_by.clone(),
            // Texts and numbers: they can be written.
            detail: serde_json::to_string(&detail).unwrap_or_default(),
        }
    }

    /// Reads back what [`Alert::to_record`] wrote. [`StoreError::Corrupt`] when it did not.
    pub fn from_record(record: AlertRecord) -> Result<Self, StoreError> {
        let detail: Detail = serde_json::from_str(&record.detail)?;
        let state = read_state(&record.state)?;
        let severity = Severity::of_rank(record.severity)
            .ok_or_else(|| StoreError::Corrupt(format!("{} is no severity", record.severity)))?;
        Ok(Self {
            id: record.id,
            fingerprint: record.fingerprint,
            rule_id: record.rule_id,
            rule_name: record.rule_name,
            state,
            severity,
            score: record.score,
            service: record.service,
            title: record.title,
            message: record.message,
            labels: record.labels,
            annotations: detail.annotations,
            value: detail.value,
            reason: detail.reason,
            started_at_ms: record.started_at_ms,
            ends_at_ms: detail.ends_at_ms,
            fired_at_ms: record.fired_at_ms,
            acknowledged_by: detail.acknowledged_by,
            acknowledged_at_ms: record.acknowledged_at_ms,
            notified_at_ms: detail.notified_at_ms,
            escalation_level: detail.escalation_level,
            suppressed_until_ms: detail.suppressed_until_ms,
            resolved_at_ms: record.resolved_at_ms,
            resolved_by: record.resolved_by,
            count: detail.count,
            last_breach_at_ms: detail.last_breach_at_ms,
            version: record.version,
        })
    }

    /// What is to be kept of a change: this alert, and the step that made it so.
    pub fn to_change(&self, transition: Option<&Transition>) -> AlertChange {
        let transition = transition.map(|step| step.to_record(self.version));
        AlertChange { alert: self.to_record(), transition }
    }
}

impl Transition {
    /// As the store keeps it. `version`: the alert's, after the step.
    pub fn to_record(&self, version: u64) -> TransitionRecord {
        TransitionRecord {
            version,
            at_ms: self.at_ms,
            from: self.from.map(|state| state.as_str().to_owned()),
            to: self.to.as_str().to_owned(),
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            value: self.value,
            comment: self.comment.clone(),
        }
    }

    /// Reads back what [`Transition::to_record`] wrote. [`StoreError::Corrupt`] when it did not.
    pub fn from_record(record: TransitionRecord) -> Result<Self, StoreError> {
        Ok(Self {
            at_ms: record.at_ms,
            from: record.from.as_deref().map(read_state).transpose()?,
            to: read_state(&record.to)?,
            actor: record.actor,
            reason: record.reason,
            value: record.value,
            comment: record.comment,
        })
    }
}

fn read_state(name: &str) -> Result<State, StoreError> {
    State::parse(name).ok_or_else(|| StoreError::Corrupt(format!("{name:?} is no state of an alert")))
}

#[cfg(test)]
mod tests {
    use super::super::{Event, HUB, NewAlert, Opening, apply, open};
    use super::*;

    #[test]
    fn alerts_and_steps_are_read_as_they_were_written() {
        let new = NewAlert {
            fingerprint: "f".into(),
            rule_id: Some("cpu".into()),
            rule_name: Some("CPU".into()),
            severity: Severity::Critical,
            score: 70,
            service: Some("shop".into()),
            title: "CPU".into(),
            message: "cpu_percent is 91".into(),
            labels: [("node".to_owned(), "web-1".to_owned())].into(),
            annotations: [("runbook_url".to_owned(), "https://example.org".to_owned())].into(),
            value: Some(0.1 + 0.2),
            started_at_ms: 1_000,
            ends_at_ms: Some(7_000),
        };
        let opening = Opening::Suppressed { why: "window".into(), until_ms: Some(9_000) };
        let (alert, born) = open(new, opening, HUB, "", 2_000);
        let (alert, _) = apply(&alert, Event::Notified, 3_000).unwrap();
        let acknowledge = Event::Acknowledge { actor: "alice".into(), comment: Some("on it".into()) };
        let (acknowledged, taken) = apply(&alert, acknowledge, 4_000).unwrap();
        for alert in [alert, acknowledged] {
            assert_eq!(Alert::from_record(alert.to_record()).unwrap(), alert);
        }
        for step in [born, taken.unwrap()] {
            assert_eq!(Transition::from_record(step.to_record(7)).unwrap(), step);
        }
    }
}
