//! A copy of the database while a hub writes to it: whole, of one moment, checked before it gets its name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::StoreError;
use super::sqlite::{make_private, open_read_only};

/// Copies the database to `into`, which must not exist yet. Returns the bytes of the copy.
///
/// The copy is one read transaction: a hub goes on writing meanwhile, and what it commits after the beginning is not in
/// the copy.
///
/// # Errors
///
/// [`StoreError::Conflict`] when `into` exists, [`StoreError::Corrupt`] when the copy is not sound (it is removed).
pub fn backup(database: &Path, into: &Path) -> Result<u64, StoreError> {
    if into.exists() {
        return Err(StoreError::Conflict(format!("{} exists already", into.display())));
    }
    let draft = draft_of(into);
    let written = copy(database, &draft).and_then(|()| Ok(keep(&draft, into)?));
    if written.is_err() {
        // Half a copy is none.
        let _gone = fs::remove_file(&draft);
    }
    written
}

/// Beside its place, so that it is renamed and not copied.
fn draft_of(into: &Path) -> PathBuf {
    let mut name = into.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    into.with_file_name(name)
}

fn copy(database: &Path, draft: &Path) -> Result<(), StoreError> {
    let source = open_read_only(database)?;
    make_private(draft)?;
    let mut copy = Connection::open(draft)?;
    // All pages at once: in steps it would begin again after each commit of the hub.
    match Backup::new(&source, &mut copy)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(StoreError::Busy),
    }
    // One file, without a log beside it.
    let mode: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if mode != "delete" || verdict != "ok" {
        return Err(StoreError::Corrupt(format!("the copy is not sound: {verdict}")));
    }
    Ok(())
}

/// Brings the copy to the disk and gives it its name.
fn keep(draft: &Path, into: &Path) -> std::io::Result<u64> {
    let file = File::open(draft)?;
    file.sync_all()?;
    fs::rename(draft, into)?;
    let directory = into.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file.metadata()?.len())
}
