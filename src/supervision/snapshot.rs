//! What operators see of the tree: the items `kinds` of `GET /api/v1/supervision`, and totals.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::spec::{Placement, RestartPolicy, WhenFull};
use crate::clock;

/// Where in its life a child failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailurePhase {
    /// In `started`, or in a future of it that ran at once.
    Started,
    /// While it handled a message of its inbox.
    Handler,
    /// In a timer, an interval or another spawned future.
    Timer,
    /// While it was rebuilt from its arguments.
    Restarting,
    /// In `stopping` or `stopped`, or it stopped although it is permanent.
    Stopping,
    /// A child below it was given up.
    Escalated,
}

impl FailurePhase {
    /// Its name on the wire and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Handler => "handler",
            Self::Timer => "timer",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Escalated => "escalated",
        }
    }
}

/// The most recent failure of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LastFailure {
    /// Wall time, milliseconds since 1970; RFC 3339 when serialized.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
    /// Which child.
    #[schema(value_type = String)]
    pub instance: Arc<str>,
    /// Where in its life.
    pub phase: FailurePhase,
    /// The panic's message, or what else went wrong.
    pub reason: String,
}

fn rfc3339<S: Serializer>(unix_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::rfc3339(*unix_ms))
}

/// How a kind is doing, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindState {
    /// A child was given up and none of the kind was started since.
    Failed,
    /// A child waits out its back-off.
    Restarting,
    /// At least one child runs.
    Running,
    /// No child runs, and none has to.
    Idle,
}

/// One row of the table as it stands now.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct KindSnapshot {
    /// Name of the kind.
    pub kind: &'static str,
    /// Kind above it.
    pub parent: Option<&'static str>,
    /// Heading.
    pub group: &'static str,
    /// After which end it is started again.
    pub policy: RestartPolicy,
    /// Restarts allowed within the window.
    pub intensity_max: u32,
    /// The window.
    pub intensity_window_ms: u64,
    /// Ceiling of the first restart delay.
    pub backoff_min_ms: u64,
    /// Ceiling of all restart delays.
    pub backoff_max_ms: u64,
    /// `caller` or `arbiter:NAME`.
    #[schema(value_type = String)]
    pub placement: Placement,
    /// Messages that may wait in one child's inbox.
    pub queue_bound: usize,
    /// What senders do when it is full.
    pub when_full: WhenFull,
    /// Children alive, those in their back-off included.
    pub instances: usize,
    /// Restarts since the tree was made.
    pub restarts: u64,
    /// Messages waiting in all inboxes of the kind.
    pub mailbox_depth: usize,
    /// How the kind is doing.
    pub state: KindState,
    /// Its most recent failure.
    pub last_failure: Option<LastFailure>,
    /// Children given up. For the metrics, not for the page.
    #[serde(skip)]
    pub given_up: u64,
    /// Messages refused because an inbox was full. For the metrics, not for the page.
    #[serde(skip)]
    pub refused: u64,
}

/// Sums over all kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Children alive.
    pub actors: usize,
    /// Restarts since the tree was made.
    pub restarts: u64,
    /// Children given up.
    pub given_up: u64,
    /// Messages refused because an inbox was full.
    pub refused: u64,
    /// Messages waiting.
    pub mailbox_depth: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_to_the_shape_of_the_http_api() {
        let row = KindSnapshot {
            kind: "topic",
            parent: Some("broker"),
            group: "fan-out",
            policy: RestartPolicy::Transient,
            intensity_max: 5,
            intensity_window_ms: 60_000,
            backoff_min_ms: 100,
            backoff_max_ms: 5_000,
            placement: Placement::Arbiter("broker"),
            queue_bound: 1_024,
            when_full: WhenFull::DropAndCount,
            instances: 2,
            restarts: 1,
            mailbox_depth: 0,
            state: KindState::Running,
            last_failure: Some(LastFailure {
                at: 1_795_223_722_042,
                instance: "metrics_update".into(),
                phase: FailurePhase::Handler,
                reason: "index out of bounds".into(),
            }),
            given_up: 7,
            refused: 9,
        };
        let expected = serde_json::json!({
            "kind": "topic", "parent": "broker", "group": "fan-out", "policy": "transient",
            "intensity_max": 5, "intensity_window_ms": 60_000,
            "backoff_min_ms": 100, "backoff_max_ms": 5_000,
            "placement": "arbiter:broker", "queue_bound": 1_024, "when_full": "drop_and_count",
            "instances": 2, "restarts": 1, "mailbox_depth": 0, "state": "running",
            "last_failure": {
                "at": "2026-11-21T01:15:22.042Z", "instance": "metrics_update",
                "phase": "handler", "reason": "index out of bounds",
            },
        });
        assert_eq!(serde_json::to_value(&row).unwrap(), expected);
    }

    #[test]
    fn phases_have_one_name_on_the_wire_and_in_the_log() {
        use FailurePhase::{Escalated, Handler, Restarting, Started, Stopping, Timer};
        for phase in [Started, Handler, Timer, Restarting, Stopping, Escalated] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
