//! Who is told when nobody acknowledges: levels, each with a delay since the alert fired. What was told is in the
//! alert ([`Alert::escalation_level`]), so that a restart goes on where it was.

use serde::{Deserialize, Serialize};

use super::entity::{Alert, State};
use super::field_error::FieldError;

/// Levels of a policy, targets of a level, bytes of a target, seconds of a delay: the most.
const LEVELS_MAX: usize = 16;
const TARGETS_MAX: usize = 32;
const TARGET_BYTES_MAX: usize = 256;
const DELAY_SECONDS_MAX: u64 = 7 * 86_400;

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EscalationLevel)]
pub struct Level {
    /// How long after the alert fired.
    pub delay_seconds: u64,
    /// Who is told.
    pub targets: Vec<String>,
}

/// A policy: its levels by delay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EscalationPolicy)]
pub struct Policy {
    /// What it is called.
    pub name: String,
    /// The levels, each later than the one before.
    pub levels: Vec<Level>,
}

impl Policy {
    /// Every bad field.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.name.is_empty() || self.name.len() > TARGET_BYTES_MAX {
            errors.push(FieldError::new("/name", format!("must have 1 to {TARGET_BYTES_MAX} bytes")));
        }
        if self.levels.is_empty() || self.levels.len() > LEVELS_MAX {
            errors.push(FieldError::new("/levels", format!("must be 1 to {LEVELS_MAX} levels")));
        }
        let mut before = None;
        for (at, Level { delay_seconds, targets }) in self.levels.iter().enumerate() {
            let mut refuse = |field: &str, message: String| {
                errors.push(FieldError::new(format!("/levels/{at}/{field}"), message));
            };
            if *delay_seconds > DELAY_SECONDS_MAX {
                refuse("delay_seconds", format!("must be at most {DELAY_SECONDS_MAX}, not {delay_seconds}"));
            }
            if before.is_some_and(|before| before >= *delay_seconds) {
                refuse("delay_seconds", "must be more than that of the level before".to_owned());
            }
            before = Some(*delay_seconds);
            let bad = |target: &String| target.is_empty() || target.len() > TARGET_BYTES_MAX;
            if targets.is_empty() || targets.len() > TARGETS_MAX || targets.iter().any(bad) {
                let wanted = format!("must be 1 to {TARGETS_MAX} texts of 1 to {TARGET_BYTES_MAX} bytes");
                refuse("targets", wanted);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The level to be told next, counted from 1, and when, Unix milliseconds. `None`: all were told, or the alert
    /// does not fire: acknowledged and resolved alerts do not escalate.
    pub fn next(&self, alert: &Alert) -> Option<(u32, u64)> {
        if alert.state != State::Firing {
            return None;
        }
        let level = self.levels.get(alert.escalation_level as usize)?;
        let due_ms = alert.fired_at_ms?.saturating_add(level.delay_seconds.saturating_mul(1_000));
        Some((alert.escalation_level + 1, due_ms))
    }

    /// The levels that are due, oldest first, each counted from 1: after a pause there may be several.
    pub fn due(&self, alert: &Alert, now_ms: u64) -> Vec<(u32, &Level)> {
        let (Some((first, _)), Some(fired_at_ms)) = (self.next(alert), alert.fired_at_ms) else {
            return Vec::new();
        };
        let levels = (first..).zip(&self.levels[first as usize - 1..]);
        let is_due =
            |level: &Level| fired_at_ms.saturating_add(level.delay_seconds.saturating_mul(1_000)) <= now_ms;
        levels.take_while(|(_, level)| is_due(level)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, HUB, Labels, NewAlert, Opening, Severity, apply, open};
    use super::*;

    fn policy() -> Policy {
        let level = |delay_seconds, target: &str| Level { delay_seconds, targets: vec![target.into()] };
        Policy {
            name: "on call".into(),
            levels: vec![level(0, "first"), level(300, "second"), level(900, "boss")],
        }
    }

    fn fired(at_ms: u64) -> Alert {
        let new = NewAlert {
            fingerprint: "f".into(),
            rule_id: None,
            rule_name: None,
            severity: Severity::Error,
            score: 0,
            service: None,
            title: "t".into(),
            message: "m".into(),
            labels: Labels::new(),
            annotations: Labels::new(),
            value: None,
            started_at_ms: at_ms,
            ends_at_ms: None,
        };
        open(new, Opening::Firing, HUB, "", at_ms).0
    }

    #[test]
    fn levels_come_one_after_the_other_until_somebody_acknowledges() {
        let (policy, alert) = (policy(), fired(1_000));
        let targets = |due: Vec<(u32, &Level)>| {
            due.into_iter().map(|(n, level)| (n, level.targets[0].clone())).collect::<Vec<_>>()
        };
        assert_eq!(policy.next(&alert), Some((1, 1_000)));
        assert_eq!(targets(policy.due(&alert, 1_000)), [(1, "first".into())]);
        let (alert, _) = apply(&alert, Event::Escalated { level: 1 }, 1_000).unwrap();
        assert_eq!(policy.next(&alert), Some((2, 301_000)));
        assert_eq!(policy.due(&alert, 300_999), []);
        assert_eq!(
            targets(policy.due(&alert, 901_000)),
            [(2, "second".into()), (3, "boss".into())],
            "after a pause"
        );
        let acknowledge = Event::Acknowledge { actor: "alice".into(), comment: None };
        let (acknowledged, _) = apply(&alert, acknowledge, 2_000).unwrap();
        assert_eq!((policy.next(&acknowledged), policy.due(&acknowledged, u64::MAX)), (None, vec![]));
        let (done, _) = apply(&alert, Event::Escalated { level: 3 }, 901_000).unwrap();
        assert_eq!(policy.next(&done), None);
    }

    #[test]
    fn every_bad_field_is_told() {
        let mut bad = policy();
        bad.name.clear();
        bad.levels[1].delay_seconds = 0;
        bad.levels[2].targets.clear();
        let told: Vec<_> = bad.check().unwrap_err().into_iter().map(|error| error.pointer).collect();
        assert_eq!(told, ["/name", "/levels/1/delay_seconds", "/levels/2/targets"]);
        assert_eq!(policy().check(), Ok(()));
        assert_eq!(Policy { levels: vec![], ..policy() }.check().unwrap_err()[0].pointer, "/levels");
    }
}
