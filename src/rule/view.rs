//! A rule as it is shown: its definition, and how its evaluation goes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::Serialize;

use super::definition::Definition;
use super::timer::Phase;
use crate::clock::rfc3339;
use crate::store::RuleRecord;

/// How the evaluation of a rule goes; outlives its actor.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) series: AtomicU64,
    pub(super) pending: AtomicU64,
    pub(super) firing: AtomicU64,
    pub(super) last_sample_ms: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) turned_away: AtomicU64,
    /// When a tick is worth it; [`u64::MAX`]: not before another sample.
    pub(super) due_ms: AtomicU64,
    /// Why it is not evaluated any more.
    pub(super) failed: Mutex<Option<String>>,
}

/// How the evaluation of a rule goes.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = RuleLive)]
pub struct Live {
    /// The worst of its series.
    pub state: Phase,
    /// Series that it knows.
    pub series: u64,
    /// Those whose condition holds, not for long enough yet.
    pub pending: u64,
    /// Those that fire.
    pub firing: u64,
    /// When the newest sample was taken that it saw, RFC 3339.
    pub last_sample_at: Option<String>,
    /// Samples that it did not see, because its mailbox was full.
    pub dropped: u64,
    /// Samples of new series that found no room.
    pub turned_away: u64,
    /// Why it is not evaluated any more.
    pub failed: Option<String>,
}

impl Standing {
    pub(super) fn live(&self) -> Live {
        let (pending, firing) = (self.pending.load(Relaxed), self.firing.load(Relaxed));
        let last_ms = self.last_sample_ms.load(Relaxed);
        Live {
            state: match (pending, firing) {
                (_, 1..) => Phase::Firing,
                (1.., 0) => Phase::Pending,
                (0, 0) => Phase::Ok,
            },
            series: self.series.load(Relaxed),
            pending,
            firing,
            last_sample_at: (last_ms > 0).then(|| rfc3339(last_ms)),
            dropped: self.dropped.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            failed: self.failed.lock().clone(),
        }
    }
}

/// A rule as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Rule)]
pub struct RuleView {
    /// What it says.
    #[serde(flatten)]
    pub definition: Definition,
    /// How often it was written, from 1.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// When it was written last, RFC 3339.
    pub updated_at: String,
    /// Who wrote it last.
    pub updated_by: String,
    /// How its evaluation goes.
    pub live: Live,
}

impl RuleView {
    pub(super) fn of(definition: Definition, record: &RuleRecord, live: Live) -> Self {
        Self {
            definition,
            version: record.version,
            created_at: rfc3339(record.created_at_ms),
            created_by: record.created_by.clone(),
            updated_at: rfc3339(record.updated_at_ms),
            updated_by: record.updated_by.clone(),
            live,
        }
    }
}
