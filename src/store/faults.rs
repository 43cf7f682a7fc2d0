//! What goes wrong with the store on purpose: with the writer at the points where a disk fails, with every connection to
//! PostgreSQL before each statement.

use std::thread;
use std::time::Duration;

use super::StoreError;
use crate::fault::{Faults, Point};
use crate::telemetry::Counter;

/// The writer looks so often whether it is still to be slow, in milliseconds.
const SLICE_MS: u64 = 10;

/// Before a statement to PostgreSQL, and before a connection to it.
pub(super) fn before_statement(faults: Option<&Faults>) -> Result<(), StoreError> {
    if !faults.is_some_and(|faults| faults.is_on(Point::Postgres)) {
        return Ok(());
    }
    Counter::FaultsInjected.add_for("postgres_gone", 1);
    Err(StoreError::Unavailable("fault scenario postgres_gone".into()))
}

/// Before the file is opened again.
pub(super) fn before_open(faults: Option<&Faults>) -> Result<(), StoreError> {
    match faults {
        Some(faults) if faults.store().gone => Err(gone()),
        _ => Ok(()),
    }
}

/// Before anything of a group is written.
pub(super) fn before_group(faults: Option<&Faults>) -> Result<(), StoreError> {
    let Some(faults) = faults.filter(|faults| faults.is_on(Point::Store)) else { return Ok(()) };
    let slow_ms = faults.store().slow_ms;
    if slow_ms > 0 {
        Counter::FaultsInjected.add_for("store_slow", 1);
        let mut waited_ms = 0;
        // As long as it is to be slow: an end of the fault is an end of the wait.
        while waited_ms < faults.store().slow_ms {
            thread::sleep(Duration::from_millis(SLICE_MS));
            waited_ms += SLICE_MS;
        }
    }
    if faults.store().gone {
        Counter::FaultsInjected.add_for("store_gone", 1);
        return Err(gone());
    }
    Ok(())
}

/// When everything of a group is written but the commit.
pub(super) fn before_commit(faults: Option<&Faults>) -> Result<(), StoreError> {
    if !faults.is_some_and(|faults| faults.store().full) {
        return Ok(());
    }
    Counter::FaultsInjected.add_for("disk_full", 1);
    // By the way of the error of SQLite itself.
    let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    Err(rusqlite::Error::SqliteFailure(full, None).into())
}

fn gone() -> StoreError {
    StoreError::Unavailable("fault scenario store_gone".into())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::fault::StoreFaults;

    #[test]
    fn an_end_of_the_fault_is_an_end_of_the_wait() {
        let faults = Faults::new();
        faults.set_store(StoreFaults { slow_ms: 3_600_000, ..StoreFaults::default() });
        let slowed = || Counter::FaultsInjected.by_label().get("store_slow").copied().unwrap_or(0);
        let before = slowed();
        let (told, over) = mpsc::channel();
        thread::spawn({
            let faults = faults.clone();
            move || told.send(before_group(Some(&faults)))
        });
        while slowed() == before {
            thread::yield_now();
        }
        faults.set_store(StoreFaults::default());
        assert_eq!(over.recv_timeout(Duration::from_secs(20)), Ok(Ok(())));
    }
}
