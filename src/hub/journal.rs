//! Where samples wait while the server of a hub on PostgreSQL is gone.

use std::path::Path;

use super::HubOptions;
use crate::clock::Clock;
use crate::ingest::Journal;
use crate::spool::SpoolError;
use crate::store::Store;

/// The journal in the data directory; `None`: the store is a file there itself.
pub(super) fn open(
    options: &HubOptions,
    store: &Store,
    data_dir: &Path,
    clock: &Clock,
) -> Result<Option<Journal>, SpoolError> {
    let bytes_max = options.settings.store.journal_bytes_max;
    let open = || Journal::open(&data_dir.join("journal"), bytes_max, clock.clone());
    store.is_apart().then(open).transpose()
}
