//! What the owner of alerts is told: where a series of a rule is, and what somebody outside posts.

use std::sync::Arc;

use super::fingerprint::Labels;
use super::flap::FlapLimit;
use super::severity::Severity;

/// The rule that alerts come from, as far as alerts are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its identity.
    pub rule_id: String,
    /// What it is called.
    pub rule_name: String,
    /// What it measures; `None` for several metrics.
    pub metric: Option<String>,
    /// Labels by which notifications of its alerts are grouped.
    pub group_by: Vec<String>,
    /// When its alerts flap.
    pub flap: FlapLimit,
    /// Who hears of alerts that nobody acknowledges.
    pub escalation_policy_id: Option<String>,
}

/// Where a series is with its rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The rule.
    pub origin: Arc<Origin>,
    /// See [`super::fingerprint`].
    pub fingerprint: String,
    /// What happened.
    pub news: News,
    /// Since when the condition holds, or did, Unix milliseconds of sample time.
    pub since_ms: u64,
    /// What the condition looked at.
    pub value: Option<f64>,
    /// Why, in words.
    pub reason: String,
}

/// What happened to a series.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Its condition holds, not for long enough yet.
    Pending(Box<Text>),
    /// Its condition holds for long enough, or still.
    Firing(Box<Text>),
    /// Its condition does not hold.
    Over,
}

/// What an alert says.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// How bad it is.
    pub severity: Severity,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it is told apart by.
    pub labels: Labels,
    /// What helps whoever looks at it.
    pub annotations: Labels,
}

/// An alert from outside. One with the same service, title and labels that is open already is counted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// What it is about.
    pub service: Option<String>,
    /// What it says.
    pub text: Text,
    /// When it ends unless it is posted again, Unix milliseconds.
    pub ends_at_ms: Option<u64>,
}
