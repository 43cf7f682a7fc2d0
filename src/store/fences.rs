//! What belongs to a unit with one owner is written under the number of its tenure: once another hub node has taken the
//! unit, nothing of the former owner is kept any more, however late it comes.

use super::session::{Dialect, Session};
use super::value::params;
use super::writer::Database;
use super::{Store, StoreError};

/// The number of a tenure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    unit: &'static str,
    number: u64,
}

impl Store {
    /// The same store for what belongs to a unit: whatever is written through it is refused with
    /// [`StoreError::Fenced`], unless `fence` is the newest of the unit's leases. Until it is committed nobody can take
    /// the unit.
    #[must_use]
    pub fn fenced(&self, unit: &'static str, fence: u64) -> Self {
        Self { fence: Some(Fence { unit, number: fence }), ..self.clone() }
    }
}

/// Refuses a request of a tenure that is over. Asked once in a transaction: from then on the lease stays as it is.
pub(super) fn check(database: &mut Database, fence: Option<Fence>) -> Result<(), StoreError> {
    let Some(fence) = fence.filter(|fence| database.fence != Some(*fence)) else { return Ok(()) };
    if !is_newest(&database.session, fence)? {
        return Err(StoreError::Fenced);
    }
    database.fence = Some(fence);
    Ok(())
}

fn is_newest(session: &Session, fence: Fence) -> Result<bool, StoreError> {
    let sql = match session.dialect() {
        Dialect::Sqlite => "SELECT 1 FROM leases WHERE unit = ?1 AND fence = ?2",
        Dialect::Postgres => "SELECT 1 FROM leases WHERE unit = ?1 AND fence = ?2 FOR SHARE",
    };
    Ok(session.optional(sql, params![fence.unit, fence.number], |_row| Ok(()))?.is_some())
}
