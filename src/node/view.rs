//! A node as others see it: what its actor is asked for, and what the API shows.

use std::collections::BTreeMap;

use actix::Message;
use serde::Serialize;

use super::liveness::State;
use super::report::Source;

/// The state of the node.
#[derive(Message)]
#[rtype(result = "Snapshot")]
pub struct NodeSnapshot;

/// The answer.
#[derive(Debug, actix::MessageResponse)]
pub struct Snapshot {
    /// The node as it is known here.
    pub view: NodeView,
    /// Whether this hub hears it, and not another one.
    pub is_held: bool,
}

/// A node as the API shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct NodeView {
    /// The node's name.
    pub id: String,
    /// Where it is in its life.
    pub state: State,
    /// Where its samples come from.
    pub source: Source,
    /// When it was last heard, RFC 3339; null when never.
    pub last_seen: Option<String>,
    /// How long ago that was.
    pub age_ms: Option<u64>,
    /// The promised time between reports.
    pub interval_ms: u64,
    /// The silence after which it is offline.
    pub ttl_ms: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether its samples were made up, as its label `synthetic` says.
    pub synthetic: bool,
    /// What the machine is.
    #[schema(value_type = Option<Object>)]
    pub inventory: Option<serde_json::Value>,
    /// When the newest snapshot was taken, RFC 3339.
    pub sampled_at: Option<String>,
    /// The newest snapshot of the host's flat metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The latest changes of state, oldest first.
    #[schema(value_type = Vec<Object>)]
    pub transitions: Vec<serde_json::Value>,
}
