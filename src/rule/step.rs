//! What a rule says: steps of its series, and explanations for whoever asks. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::reason::Reason;
use super::series::Series;
use super::timer::Phase;

/// A series changed its phase; or, from firing to firing, breached again.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whether it is about the silence of the series, which has a life beside that of the condition.
    pub is_silence: bool,
    /// Which series; of a composite, one with the labels that join it.
    pub series: Arc<Series>,
    /// When, in sample time.
    pub at_ms: u64,
    /// The phase before.
    pub from: Phase,
    /// The phase from now on.
    pub to: Phase,
    /// What the condition looked at: the sample's value, or the change of a rate. `None` for absence and silence.
    pub value: Option<f64>,
    /// Why.
    pub reason: Reason,
}

/// Where a series is with a rule, and why.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RuleExplanation)]
pub struct Explanation {
    /// Whether it is about the silence of the series, which is an alert of its own.
    pub is_silence: bool,
    /// The metric; of a composite those that are joined.
    pub metric: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The phase.
    pub phase: Phase,
    /// Since when, in milliseconds since 1970. `None` while nothing ever happened.
    pub since_ms: Option<u64>,
    /// While pending: how long the condition has held, in milliseconds.
    pub held_ms: Option<u64>,
    /// While pending: how long it must hold.
    pub needed_ms: Option<u64>,
    /// The newest sample, in milliseconds since 1970.
    pub seen_ms: Option<u64>,
    /// What the condition looked at last.
    pub value: Option<f64>,
    /// All of it in words: `pending: 12 of 30 s, value 93.1 > 80`.
    pub text: String,
    /// What the condition says of it.
    #[serde(skip)]
    pub reason: Option<Reason>,
}

/// State of one series, as it survives the actor and the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The metric; of a composite those that are joined.
    pub metric: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Stands for a series that nobody has seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_implied: bool,
    pub(super) cell: Cell,
}

impl Saved {
    /// Whether an alert may be open because of it: of its condition, or of its silence.
    pub fn is_told(&self) -> bool {
        self.cell.clock.is_told()
    }
}
