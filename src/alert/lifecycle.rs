//! The life of an alert: what may happen to it, and what becomes of it. Pure.
//!
//! ```text
//! (ok) ─▶ pending ─▶ firing ─▶ acknowledged ─▶ resolved
//!            │  ▲       │ ▲          ▲             ▲
//!            │  never   ▼ │          │             │  from every state
//!            └──────▶ suppressed ────┘─────────────┘
//! ```
//!
//! A resolved alert stays as it is; the next breach opens another one. What repeats is fine and changes nothing:
//! whoever acknowledges twice, or resolves what is resolved, is told the state.

use super::entity::{Alert, HUB, State, Transition};
use super::fingerprint::Labels;
use super::severity::Severity;
use crate::ids::MessageId;
use crate::protocol::codes::Code;

mod replay;

pub use replay::{Replayed, replay};

/// What an alert is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlert {
    /// See [`super::fingerprint`].
    pub fingerprint: String,
    /// The rule that it comes from.
    pub rule_id: Option<String>,
    /// What that rule is called.
    pub rule_name: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// How urgent, 0 to 100.
    pub score: u8,
    /// What it is about.
    pub service: Option<String>,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it is told apart by.
    pub labels: Labels,
    /// What helps whoever looks at it.
    pub annotations: Labels,
    /// The breaching value.
    pub value: Option<f64>,
    /// When its condition began to hold, Unix milliseconds.
    pub started_at_ms: u64,
    /// When it ends unless it is posted again, Unix milliseconds.
    pub ends_at_ms: Option<u64>,
}

/// How an alert begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// Its condition does not hold for long enough yet.
    Pending,
    /// It fires at once.
    Firing,
    /// It would fire, and is held back.
    Suppressed {
        /// By what.
        why: String,
        /// Until when, Unix milliseconds, if that is known.
        until_ms: Option<u64>,
    },
}

/// What happens to an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Its condition has held for long enough.
    Fire {
        /// The newest value.
        value: Option<f64>,
        /// What held.
        reason: String,
    },
    /// Its condition holds on. Counted; no step.
    Breach {
        /// The newest value.
        value: Option<f64>,
        /// How bad that value is, when it changes.
        severity: Option<Severity>,
        /// What happened, when the text changes.
        message: Option<String>,
    },
    /// One good value while it is pending.
    Drop {
        /// That value.
        value: Option<f64>,
    },
    /// Its condition does not hold any more.
    Clear {
        /// The good value, if that was it.
        value: Option<f64>,
        /// What is good.
        reason: String,
    },
    /// Somebody takes it in hand.
    Acknowledge {
        /// Who.
        actor: String,
        /// What they say.
        comment: Option<String>,
    },
    /// Somebody ends it by hand.
    Resolve {
        /// Who.
        actor: String,
        /// What they say.
        comment: Option<String>,
    },
    /// It is held back from now on: a window, an inhibition, flapping. One that is acknowledged stays so. In place of
    /// [`Event::Fire`] when a pending alert becomes due meanwhile.
    Suppress {
        /// By what.
        why: String,
        /// Until when, Unix milliseconds, if that is known.
        until_ms: Option<u64>,
    },
    /// It is not held back any more, and its condition still holds. (If it does not: [`Event::Clear`].)
    Unsuppress {
        /// What ended.
        why: String,
    },
    /// Somebody was notified. No step.
    Notified,
    /// A level of escalation was notified; only while it fires. No step.
    Escalated {
        /// Levels so far.
        level: u32,
    },
    /// Its urgency was computed anew. No step.
    Scored {
        /// 0 to 100.
        score: u8,
    },
}

/// Why an event does not take effect. The alert is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another was quicker.
    #[error("the alert is acknowledged by {by} already")]
    AcknowledgedBy {
        /// Who has it in hand.
        by: String,
    },
    /// The state does not allow it.
    #[error("an alert that is {} cannot be {event}", .state.as_str())]
    State {
        /// The current state.
        state: State,
        /// What was asked.
        event: &'static str,
    },
}

impl Refused {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        Code::Conflict
    }

    /// The state that the alert is in.
    pub fn state(&self) -> State {
        match self {
            Self::AcknowledgedBy { .. } => State::Acknowledged,
            Self::State { state, .. } => *state,
        }
    }
}

/// Whether a life has this step.
pub fn may_step(from: Option<State>, to: State) -> bool {
    use State::{Acknowledged, Firing, Pending, Resolved, Suppressed};
    match from {
        None => matches!(to, Pending | Firing | Suppressed),
        Some(Pending) => matches!(to, Firing | Suppressed | Resolved),
        Some(Firing) => matches!(to, Acknowledged | Suppressed | Resolved),
        Some(Acknowledged) => to == Resolved,
        Some(Suppressed) => matches!(to, Firing | Acknowledged | Resolved),
        Some(Resolved) => false,
    }
}

/// Opens an alert. `actor`: who posted it; [`HUB`] for a rule.
pub fn open(new: NewAlert, opening: Opening, actor: &str, reason: &str, at_ms: u64) -> (Alert, Transition) {
    let (to, reason, suppressed_until_ms) = match opening {
        Opening::Pending => (State::Pending, reason.to_owned(), None),
        Opening::Firing => (State::Firing, reason.to_owned(), None),
        Opening::Suppressed { why, until_ms } => (State::Suppressed, why, until_ms),
    };
    let alert = Alert {
        id: MessageId::at(at_ms).to_string(),
        fingerprint: new.fingerprint,
        rule_id: new.rule_id,
        rule_name: new.rule_name,
        state: to,
        severity: new.severity,
        score: new.score.min(100),
        service: new.service,
        title: new.title,
        message: new.message,
        labels: new.labels,
        annotations: new.annotations,
        value: new.value,
        reason: reason.clone(),
        started_at_ms: new.started_at_ms,
        ends_at_ms: new.ends_at_ms,
        fired_at_ms: (to != State::Pending).then_some(at_ms),
        acknowledged_by: None,
        acknowledged_at_ms: None,
        notified_at_ms: None,
        escalation_level: 0,
        suppressed_until_ms,
        resolved_at_ms: None,
        resolved_by: None,
        count: 1,
        last_breach_at_ms: at_ms,
        version: 1,
    };
    let actor = actor.to_owned();
    let transition = Transition { at_ms, from: None, to, actor, reason, value: alert.value, comment: None };
    (alert, transition)
}

/// What becomes of an alert. `None`: no step, though counters, texts or times of it may have changed (then its version
/// has).
pub fn apply(alert: &Alert, event: Event, at_ms: u64) -> Result<(Alert, Option<Transition>), Refused> {
    let mut next = alert.clone();
    let step = change(&mut next, event, at_ms)?;
    let transition = step.map(|step| take(&mut next, step, at_ms));
    if next != *alert {
        next.version += 1;
    }
    Ok((next, transition))
}

/// A step that is to be taken.
struct Step {
    to: State,
    actor: String,
    reason: String,
    value: Option<f64>,
    comment: Option<String>,
}

impl Step {
    fn of_hub(to: State, reason: String, value: Option<f64>) -> Self {
        Self { to, actor: HUB.to_owned(), reason, value, comment: None }
    }

    fn by_hand(to: State, actor: String, comment: Option<String>, value: Option<f64>) -> Self {
        let reason = comment.clone().unwrap_or_else(|| format!("{} by {actor}", to.as_str()));
        Self { to, actor, reason, value, comment }
    }
}

/// What the event changes beside the state, and the step that it is.
fn change(alert: &mut Alert, event: Event, at_ms: u64) -> Result<Option<Step>, Refused> {
    use State::{Acknowledged, Firing, Pending, Resolved, Suppressed};
    let refused = |state, event| Err(Refused::State { state, event });
    let held = alert.value;
    let step = match (event, alert.state) {
        (Event::Fire { value, reason }, Pending) => {
            alert.value = value.or(held);
            Some(Step::of_hub(Firing, reason, alert.value))
        }
        (Event::Fire { .. }, Resolved) => return refused(Resolved, "fired"),
        (Event::Fire { .. }, Firing | Acknowledged | Suppressed) => None,
        (Event::Breach { .. }, Resolved) => return refused(Resolved, "counted on"),
        (Event::Breach { value, severity, message }, _) => {
            alert.count = alert.count.saturating_add(1);
            alert.last_breach_at_ms = alert.last_breach_at_ms.max(at_ms);
            alert.value = value.or(held);
            alert.severity = severity.unwrap_or(alert.severity);
            if let Some(message) = message {
                alert.message = message;
            }
            None
        }
        (Event::Drop { value }, Pending) => {
            Some(Step::of_hub(Resolved, "a good value before it was due".to_owned(), value))
        }
        (Event::Drop { .. } | Event::Clear { .. } | Event::Resolve { .. }, Resolved) => None,
        (Event::Drop { .. }, state) => return refused(state, "dropped"),
        (Event::Clear { value, reason }, _) => Some(Step::of_hub(Resolved, reason, value)),
        (Event::Acknowledge { actor, .. }, Acknowledged) => match alert.acknowledged_by.as_ref() {
            Some(by) if *by != actor => return Err(Refused::AcknowledgedBy { by: by.clone() }),
            _ => None,
        },
        (Event::Acknowledge { actor, comment }, Firing | Suppressed) => {
            Some(Step::by_hand(Acknowledged, actor, comment, held))
        }
        (Event::Acknowledge { .. }, state) => return refused(state, "acknowledged"),
        (Event::Resolve { actor, comment }, _) => Some(Step::by_hand(Resolved, actor, comment, held)),
        (Event::Suppress { .. }, Resolved) => return refused(Resolved, "suppressed"),
        (Event::Suppress { .. }, Acknowledged) => None,
        (Event::Suppress { why, until_ms }, state) => {
            alert.suppressed_until_ms = until_ms;
            if state == Suppressed {
                // Held back as before, by something else.
                alert.reason = why;
                return Ok(None);
            }
            Some(Step::of_hub(Suppressed, why, held))
        }
        (Event::Unsuppress { why }, Suppressed) => Some(Step::of_hub(Firing, why, held)),
        (Event::Unsuppress { .. }, Resolved) => return refused(Resolved, "unsuppressed"),
        (Event::Unsuppress { .. }, _) => None,
        (Event::Notified, _) => {
            alert.notified_at_ms = Some(at_ms);
            None
        }
        (Event::Escalated { level }, Firing) => {
            alert.escalation_level = alert.escalation_level.max(level);
            None
        }
        (Event::Escalated { .. }, state) => return refused(state, "escalated"),
        (Event::Scored { score }, _) => {
            alert.score = score.min(100);
            None
        }
    };
    Ok(step)
}

fn take(alert: &mut Alert, step: Step, at_ms: u64) -> Transition {
    let Step { to, actor, reason, value, comment } = step;
    debug_assert!(may_step(Some(alert.state), to), "{:?} to {to:?}", alert.state);
    let from = Some(alert.state);
    alert.state = to;
    alert.reason.clone_from(&reason);
    if to != State::Suppressed {
        alert.suppressed_until_ms = None;
    }
    match to {
        State::Pending => {}
        State::Firing => alert.fired_at_ms = Some(at_ms),
        State::Suppressed => alert.fired_at_ms = alert.fired_at_ms.or(Some(at_ms)),
        State::Acknowledged => {
            alert.acknowledged_by = Some(actor.clone());
            alert.acknowledged_at_ms = Some(at_ms);
        }
        State::Resolved => {
            alert.resolved_by = Some(actor.clone());
            alert.resolved_at_ms = Some(at_ms);
        }
    }
    Transition { at_ms, from, to, actor, reason, value, comment }
}

/// Whether a breach opens a new alert although the last one of its fingerprint is over: at once when its condition
/// had ended; after one good value or `repeat_interval_ms` when it was resolved by hand while the breach lasted.
pub fn reopens(last: &Alert, good_since: bool, now_ms: u64, repeat_interval_ms: u64) -> bool {
    let Some(resolved_at_ms) = last.resolved_at_ms else { return false };
    !last.was_resolved_by_hand() || good_since || now_ms >= resolved_at_ms.saturating_add(repeat_interval_ms)
}

#[cfg(test)]
mod tests;
