//! One row of the supervision table: how a kind of actor is run, restarted and bounded.
//! The table itself is in `hub.rs`; here is what a row can say and what makes a table wrong.

use std::fmt;

use serde::{Serialize, Serializer};

/// After which end a child is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RestartPolicy {
    /// After a crash and after it stopped by itself. Lives until it is told to stop, whoever holds its inbox.
    Permanent,
    /// After a crash. Stops by itself, also when its last inbox is dropped.
    Transient,
    /// Never.
    Never,
}

/// How a child came to its end, when nobody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A panic.
    Crashed,
    /// `ctx.stop()`.
    Stopped,
}

impl RestartPolicy {
    /// Whether a child that ended this way is started again.
    pub const fn restarts_after(self, ended: Ended) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => matches!(ended, Ended::Crashed),
            Self::Never => false,
        }
    }
}

/// At most `restarts_max` restarts within any `window_ms`; one more crash and the child is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts allowed within the window; 0 gives up at the first crash.
    pub restarts_max: u32,
    /// Length of the sliding window; a window without a crash also resets the back-off.
    pub window_ms: u64,
}

/// Delay before a restart: exponential with full jitter, that is evenly spread between 0 and a ceiling
/// which starts at `min_ms` and doubles with each crash up to `max_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first delay.
    pub min_ms: u64,
    /// Ceiling of all delays.
    pub max_ms: u64,
}

/// Which arbiter (thread) runs the children of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The arbiter of whoever starts the child.
    Caller,
    /// The arbiter of this name, made when the first child needs it.
    Arbiter(&'static str),
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("caller"),
            Self::Arbiter(name) => write!(f, "arbiter:{name}"),
        }
    }
}

impl Serialize for Placement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What senders do when the inbox refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The sender answers `overloaded` to whoever asked.
    Refuse,
    /// The message is lost and counted.
    DropAndCount,
    /// The connection that it was for is closed.
    CloseClient,
    /// The message goes to the disk spool.
    Spill,
}

/// What a child that was given up means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnGiveUp {
    /// Its parent is restarted in its turn.
    Escalate,
    /// Nothing: whoever started it is told, and it is the only one who loses.
    Contain,
}

/// One row of the table: a kind of child.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// Name of the kind, unique in the table; [`super::Restart::KIND`] refers to it.
    pub kind: &'static str,
    /// Kind that a give-up escalates to; stands above this row.
    pub parent: Option<&'static str>,
    /// Heading under which operators see the row.
    pub group: &'static str,
    /// After which end it is started again.
    pub policy: RestartPolicy,
    /// How many restarts are too many.
    pub intensity: Intensity,
    /// How long to wait before each.
    pub backoff: Backoff,
    /// What follows when there were too many restarts.
    pub on_give_up: OnGiveUp,
    /// Where it runs.
    pub placement: Placement,
    /// Messages that may wait in one child's inbox, the one being handled included; at least 1.
    pub queue_bound: usize,
    /// What its senders do when that is reached.
    pub when_full: WhenFull,
    /// One line for the reader of the table.
    pub purpose: &'static str,
}

/// Why a table cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two rows of one name.
    #[error("kind {0:?} has two rows")]
    Twice(&'static str),
    /// The parent has no row above.
    #[error("kind {0:?} names a parent that is not above it")]
    ParentNotAbove(&'static str),
    /// An inbox that refuses everything.
    #[error("kind {0:?} has no queue")]
    NoQueue(&'static str),
    /// The back-off ends before it begins.
    #[error("kind {0:?} has a back-off whose minimum is above its maximum")]
    Backoff(&'static str),
}

/// Checks a table: kinds unique, parents above their children, queues and back-offs that work.
pub fn check_table(rows: &[ChildSpec]) -> Result<(), TableError> {
    for (index, row) in rows.iter().enumerate() {
        let above = rows.get(..index).unwrap_or_default();
        if above.iter().any(|other| other.kind == row.kind) {
            return Err(TableError::Twice(row.kind));
        }
        if row.parent.is_some_and(|parent| above.iter().all(|other| other.kind != parent)) {
            return Err(TableError::ParentNotAbove(row.kind));
        }
        if row.queue_bound == 0 {
            return Err(TableError::NoQueue(row.kind));
        }
        if row.backoff.min_ms > row.backoff.max_ms {
            return Err(TableError::Backoff(row.kind));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &'static str, parent: Option<&'static str>) -> ChildSpec {
        ChildSpec {
            kind,
            parent,
            group: "test",
            policy: RestartPolicy::Transient,
            intensity: Intensity { restarts_max: 3, window_ms: 1_000 },
            backoff: Backoff { min_ms: 10, max_ms: 100 },
            on_give_up: OnGiveUp::Escalate,
            placement: Placement::Caller,
            queue_bound: 4,
            when_full: WhenFull::Refuse,
            purpose: "a test",
        }
    }

    #[test]
    fn a_wrong_table_is_named_by_its_wrong_row() {
        assert_eq!(check_table(&[row("a", None), row("b", Some("a"))]), Ok(()));
        assert_eq!(check_table(&[row("a", None), row("a", None)]), Err(TableError::Twice("a")));
        let upside_down = [row("b", Some("a")), row("a", None)];
        assert_eq!(check_table(&upside_down), Err(TableError::ParentNotAbove("b")));
        assert_eq!(check_table(&[row("a", Some("a"))]), Err(TableError::ParentNotAbove("a")));
        let no_queue = ChildSpec { queue_bound: 0, ..row("a", None) };
        assert_eq!(check_table(&[no_queue]), Err(TableError::NoQueue("a")));
        let backoff = ChildSpec { backoff: Backoff { min_ms: 2, max_ms: 1 }, ..row("a", None) };
        assert_eq!(check_table(&[backoff]), Err(TableError::Backoff("a")));
    }

    #[test]
    fn each_policy_restarts_after_its_own_ends() {
        use Ended::{Crashed, Stopped};
        use RestartPolicy::{Never, Permanent, Transient};
        let table = [
            (Permanent, Crashed, true),
            (Permanent, Stopped, true),
            (Transient, Crashed, true),
            (Transient, Stopped, false),
            (Never, Crashed, false),
            (Never, Stopped, false),
        ];
        for (policy, ended, restarts) in table {
            assert_eq!(policy.restarts_after(ended), restarts, "{policy:?} {ended:?}");
        }
    }
}
