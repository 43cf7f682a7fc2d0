//! SQLite: connections to the file, with the settings that make "acknowledged" mean "on the disk".

use std::fs::OpenOptions;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};

use super::StoreError;
use super::value::{Row, Value};

/// How long a connection waits for the lock of another process (`infrawatch user add` beside a running hub).
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Pages of the write-ahead log, of 4 KiB, from which on the commit that reaches them folds it into the file. Folding is
/// what commits wait for longest; pages that are written again and again are folded once.
const WAL_PAGES: i64 = 8_000;

/// The write-ahead log is cut back to this size after a checkpoint.
const WAL_BYTES_MAX: i64 = 64 << 20;

/// Opens for writing; makes the file when it is missing.
///
/// `synchronous = FULL` in WAL mode syncs the log on every commit, so that a commit survives a power
/// failure and not only the death of the process. Group commit pays for it.
pub(super) fn open_writable(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "the file system allows no write-ahead log (got {mode})"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the file when it is missing, readable for its owner only: it holds the hashes of passwords. SQLite
/// gives its log the same mode.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_empty) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens an existing file for reading.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Carries out a statement of the transaction itself.
pub(super) fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Carries out a statement; how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
    Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))? as u64)
}

/// Hands each row of the answer to `take` until it breaks off.
pub(super) fn each_until(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    mut take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if take(Row::Sqlite(row))?.is_break() {
            break;
        }
    }
    Ok(())
}

/// One column of a row.
pub(super) fn column<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<Value<'a>, StoreError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        text @ ValueRef::Text(_) => Value::Text(text.as_str().map_err(rusqlite::Error::from)?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
    })
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(integer),
            Self::Real(real) => ValueRef::Real(real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
