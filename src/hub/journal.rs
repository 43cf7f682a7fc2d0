//! Where samples wait while the server of a hub on PostgreSQL is gone.

use std::path::Path;

use super::HubOptions;
use crate::clock::Clock;
use crate::ingest::Journal;
use crate::spool::{Spool, SpoolError, WhenFull};
use crate::store::Store;

/// The journal in the data directory; `None`: the store is a file there itself, and what a former life on PostgreSQL left
/// waits for that.
pub(super) fn open(
    options: &HubOptions,
    store: &Store,
    data_dir: &Path,
    clock: &Clock,
) -> Result<Option<Journal>, SpoolError> {
    let bytes_max = options.settings.store.journal_bytes_max;
    let directory = data_dir.join("journal");
    if store.is_apart() {
        return Journal::open(&directory, bytes_max, clock.clone()).map(Some);
    }
    if is_left(&directory, bytes_max)? {
        tracing::warn!(
            directory = %directory.display(),
            "samples that were acknowledged wait there for PostgreSQL: serve with --postgres-url once"
        );
    }
    Ok(None)
}

/// Whether samples wait in a journal.
fn is_left(directory: &Path, bytes_max: u64) -> Result<bool, SpoolError> {
    Ok(directory.is_dir() && Spool::open(directory, bytes_max, WhenFull::Refuse)?.has_more())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_postgresql_is_found_without_it() {
        let data_dir = tempfile::tempdir().unwrap();
        let directory = data_dir.path().join("journal");
        let is_left = || is_left(&directory, 1 << 20).unwrap();
        assert!(!is_left() && !directory.exists(), "looking makes nothing");
        let mut spool = Spool::open(&directory, 1 << 20, WhenFull::Refuse).unwrap();
        let seq = spool.append(b"samples").unwrap();
        spool.close().unwrap();
        assert!(is_left());
        let mut spool = Spool::open(&directory, 1 << 20, WhenFull::Refuse).unwrap();
        spool.take().unwrap();
        spool.acknowledge(seq);
        spool.close().unwrap();
        assert!(!is_left());
    }
}
