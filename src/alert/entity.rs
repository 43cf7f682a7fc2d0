//! An alert, and one step of its life, as they are kept and shown.

use serde::{Serialize, Serializer};

use super::fingerprint::Labels;
use super::severity::Severity;
use crate::clock::rfc3339;

/// The actor of what nobody did by hand.
pub const HUB: &str = "infrawatch";

/// Where an alert is in its life. That there is none is "ok".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AlertState)]
pub enum State {
    /// Its condition holds, not long enough yet.
    Pending,
    /// It wants somebody.
    Firing,
    /// Somebody has it in hand.
    Acknowledged,
    /// It would fire, if it were not held back.
    Suppressed,
    /// Over, for good: the next breach is another alert.
    Resolved,
}

impl State {
    /// In the order of a life.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Firing, Self::Acknowledged, Self::Suppressed, Self::Resolved];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::Suppressed => "suppressed",
            Self::Resolved => "resolved",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether it is not over.
    pub fn is_open(self) -> bool {
        self != Self::Resolved
    }
}

/// An alert. Times are Unix milliseconds, and RFC 3339 on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Alert {
    /// UUID version 7.
    pub id: String,
    /// What makes a further breach the same alert, see [`super::fingerprint`].
    pub fingerprint: String,
    /// The rule that it comes from; null when it was posted.
    pub rule_id: Option<String>,
    /// What that rule is called.
    pub rule_name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// How urgent it is, 0 to 100, see [`super::score`].
    pub score: u8,
    /// What it is about.
    pub service: Option<String>,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it is told apart by.
    #[schema(value_type = Object)]
    pub labels: Labels,
    /// What helps whoever looks at it.
    #[schema(value_type = Object)]
    pub annotations: Labels,
    /// The newest breaching value.
    pub value: Option<f64>,
    /// Why it is in its state.
    pub reason: String,
    /// The first breach.
    #[serde(rename = "started_at", serialize_with = "moment")]
    #[schema(value_type = String)]
    pub started_at_ms: u64,
    /// When it ends unless it is posted again; null: when somebody or its rule ends it.
    #[serde(rename = "ends_at", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub ends_at_ms: Option<u64>,
    /// When its condition had held for long enough. When it was suppressed since: when it fired after that.
    #[serde(rename = "fired_at", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub fired_at_ms: Option<u64>,
    /// Who has it in hand.
    pub acknowledged_by: Option<String>,
    /// Since when.
    #[serde(rename = "acknowledged_at", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub acknowledged_at_ms: Option<u64>,
    /// When somebody was notified last.
    #[serde(rename = "notified_at", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub notified_at_ms: Option<u64>,
    /// Levels of escalation that were notified.
    pub escalation_level: u32,
    /// While it is suppressed: until when, if that is known.
    #[serde(rename = "suppressed_until", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub suppressed_until_ms: Option<u64>,
    /// When it was over.
    #[serde(rename = "resolved_at", serialize_with = "moment_or_null")]
    #[schema(value_type = Option<String>)]
    pub resolved_at_ms: Option<u64>,
    /// Who resolved it; [`HUB`] when its condition ended.
    pub resolved_by: Option<String>,
    /// Breaches so far.
    pub count: u64,
    /// The newest of them.
    #[serde(rename = "last_breach_at", serialize_with = "moment")]
    #[schema(value_type = String)]
    pub last_breach_at_ms: u64,
    /// Changes so far, its opening included.
    pub version: u64,
}

impl Alert {
    /// Whether it never came to more than pending: of no interest to operators but for its history.
    pub fn was_dropped(&self) -> bool {
        self.state == State::Resolved && self.fired_at_ms.is_none()
    }

    /// Whether somebody resolved it by hand, so that its condition may hold on.
    pub fn was_resolved_by_hand(&self) -> bool {
        self.resolved_by.as_deref().is_some_and(|by| by != HUB)
    }
}

/// One step of an alert's life: a row of its audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = AlertTransition)]
pub struct Transition {
    /// When.
    #[serde(rename = "at", serialize_with = "moment")]
    #[schema(value_type = String)]
    pub at_ms: u64,
    /// Where it was; null: it was opened.
    pub from: Option<State>,
    /// Where it is since.
    pub to: State,
    /// Who did it; [`HUB`] when nobody did by hand.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The value that it was decided on.
    pub value: Option<f64>,
    /// What the actor had to say.
    pub comment: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn moment<S: Serializer>(at_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at_ms))
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn moment_or_null<S: Serializer>(at_ms: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match at_ms {
        Some(at_ms) => moment(at_ms, serializer),
        None => serializer.serialize_none(),
    }
}
