//! The tables that the samples of a day are in, on PostgreSQL: made a day ahead, dropped when the day is too old.

use std::collections::BTreeSet;

use super::StoreError;
use super::session::Session;
use super::value::params;

pub(super) const DAY_MS: u64 = 24 * 3_600_000;

/// Days that samples may be of at one time: each is a table.
const DAYS_MAX: usize = 2_000;

/// One hub at a time makes or drops them.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('infrawatch samples'))";

/// Days that are known to have their table. Must be forgotten whenever a transaction is undone: it may have made some.
#[derive(Default)]
pub(super) struct SampleDays(BTreeSet<u64>);

impl SampleDays {
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Sees to it that the day of this moment has its table, and the day behind it: whoever writes the first sample of a
    /// day does not wait for it.
    pub(super) fn make(&mut self, session: &Session, ts_ms: u64) -> Result<(), StoreError> {
        let day = ts_ms / DAY_MS;
        if self.has(day) {
            return Ok(());
        }
        self.0 = list(session)?;
        if self.has(day) {
            return Ok(());
        }
        session.execute_batch(LOCK)?;
        self.0 = list(session)?;
        for day in [day, day + 1] {
            if self.0.contains(&day) {
                continue;
            }
            if self.0.len() >= DAYS_MAX {
                return Err(StoreError::Invalid(format!("there are samples of {DAYS_MAX} days already")));
            }
            // Attached when it is whole: so nobody who reads or writes is locked out.
            session.execute_batch(&format!(
                "CREATE TABLE samples_d{day} (LIKE samples INCLUDING ALL);
                 ALTER TABLE samples ATTACH PARTITION samples_d{day} FOR VALUES FROM ({}) TO ({})",
                day * DAY_MS,
                (day + 1).saturating_mul(DAY_MS).min(i64::MAX as u64),
            ))?;
            self.0.insert(day);
        }
        Ok(())
    }

    fn has(&self, day: u64) -> bool {
        self.0.contains(&day) && self.0.contains(&(day + 1))
    }

    /// Drops the days that were over before this; about how many frames went.
    pub(super) fn drop_before(&mut self, session: &Session, before_ms: u64) -> Result<u64, StoreError> {
        let days = list(session)?;
        let over: Vec<u64> = days.into_iter().filter(|day| (day + 1) * DAY_MS <= before_ms).collect();
        if over.is_empty() {
            return Ok(0);
        }
        self.forget();
        session.execute_batch(LOCK)?;
        let mut frames = 0;
        for day in over {
            // As the server counted them last: to count them is to read them all.
            let sql = "SELECT CAST(greatest(reltuples, 0) AS BIGINT) FROM pg_class
                       WHERE oid = to_regclass('samples_d' || CAST(?1 AS BIGINT))";
            frames += session.optional(sql, params![day], |row| row.get::<u64>(0))?.unwrap_or(0);
            session.execute_batch(&format!("DROP TABLE IF EXISTS samples_d{day}"))?;
        }
        Ok(frames)
    }
}

/// The days that have their table.
pub(super) fn list(session: &Session) -> Result<BTreeSet<u64>, StoreError> {
    let sql =
        "SELECT CAST(substr(relname, 10) AS BIGINT) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
               WHERE inhparent = to_regclass('samples')";
    session.query(sql, params![], |row| row.get(0))
}
