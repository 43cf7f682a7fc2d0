//! What a machine reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Message;
use serde::Serialize;

use crate::store::Column;

/// The label of nodes whose samples nothing measured: demonstrations and checks.
pub const SYNTHETIC: &str = "synthetic";

/// Where a node's samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The hub's own sampler.
    Sampler,
    /// An agent.
    Agent,
}

impl Source {
    /// What the store has it as.
    pub(super) fn of(text: &str) -> Self {
        if text == "sampler" { Self::Sampler } else { Self::Agent }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sampler => "sampler",
            Self::Agent => "agent",
        }
    }
}

/// Samples of one moment: as many values as columns, NaN for what is missing.
#[derive(Debug, Clone)]
pub struct Batch {
    /// When it was sampled, unix milliseconds.
    pub unix_ms: u64,
    /// What each position is.
    pub columns: Arc<[Column]>,
    /// The values.
    pub values: Vec<f64>,
}

impl Batch {
    /// The metrics of the host as a whole: finite values without labels, by name.
    pub(super) fn flat(&self) -> BTreeMap<String, f64> {
        let pairs = self.columns.iter().zip(&self.values);
        pairs
            .filter(|(column, value)| column.labels.is_empty() && value.is_finite())
            .map(|(column, value)| (column.name.clone(), *value))
            .collect()
    }
}

/// Checked samples of one node. Refused when the mailbox is full: the sender answers `overloaded`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Report {
    /// Where from.
    pub source: Source,
    /// Oldest first.
    pub batches: Vec<Batch>,
    /// The node's labels, when they were told.
    pub labels: Option<BTreeMap<String, String>>,
    /// What the machine is, when it was told.
    pub inventory: Option<serde_json::Value>,
    /// The promised time between reports, when it was told.
    pub interval_ms: Option<u64>,
    /// The silence after which it is offline, when it was told.
    pub ttl_ms: Option<u64>,
}
