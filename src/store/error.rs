//! What can go wrong with durable state.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::place::{Kind, Place};
use crate::protocol::codes::Code;

/// Why the store did not do what was asked. Cloned to every request of a failed group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A queue is full; nothing was done.
    #[error("the store has too many requests waiting")]
    Overloaded,
    /// The store was closed; nothing was done.
    #[error("the store is closed")]
    Closed,
    /// The database cannot be reached at the moment; nothing was done.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The writer failed in the middle: the request may or may not have taken effect.
    #[error("the store failed while it wrote: {0}")]
    WriterFailed(String),
    /// Another process holds the write lock of the file for too long; nothing was done.
    #[error("another process keeps the database locked")]
    Busy,
    /// The disk has no room; nothing was done.
    #[error("the disk that holds the database is full")]
    DiskFull,
    /// The file or its directory cannot be written; nothing was done.
    #[error("the database is read-only")]
    ReadOnly,
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Io(String),
    /// The file is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The name is taken, or the state changed in between; nothing was done.
    #[error("{0}")]
    Conflict(String),
    /// It belongs to a unit that another hub node has taken meanwhile; nothing was done.
    #[error("another hub node owns this by now")]
    Fenced,
    /// The request makes no sense; nothing was done.
    #[error("{0}")]
    Invalid(String),
    /// SQLite refused for another reason: a mistake of the hub's own.
    #[error("the database refused: {0}")]
    Sql(String),
    /// The store cannot be opened. Names the path and says what to do.
    #[error("{path}: {problem}. {advice}", path = .path.display())]
    Open {
        /// File, directory, or the URL of the database without its password.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The file was written by a newer version.
    #[error("{path}: schema version {found} is newer than {known}, the newest this program knows. \
             Use the version of infrawatch that wrote it, or restore a backup", path = .path.display())]
    SchemaNewer {
        /// The database.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version of this program.
        known: u32,
    },
    /// A migration that the file has is not the one this program has.
    #[error("{path}: migration {version:04}_{name} differs from the one of this program. \
             Use the version of infrawatch that wrote it, or restore a backup", path = .path.display())]
    SchemaAltered {
        /// The database.
        path: PathBuf,
        /// Number of the migration.
        version: u32,
        /// Name in the file.
        name: String,
    },
}

impl StoreError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Overloaded => Code::Overloaded,
            Self::Conflict(_) => Code::Conflict,
            Self::Fenced => Code::NoOwner,
            Self::Invalid(_) => Code::InvalidField,
            Self::Sql(_) => Code::Internal,
            Self::Closed
            | Self::Unavailable(_)
            | Self::WriterFailed(_)
            | Self::Busy
            | Self::DiskFull
            | Self::ReadOnly
            | Self::Io(_)
            | Self::Corrupt(_)
            | Self::Open { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaAltered { .. } => Code::StoreUnavailable,
        }
    }

    /// Whether the connection that reported it should be replaced.
    pub(super) fn breaks_connection(&self) -> bool {
        matches!(
            self,
            Self::WriterFailed(_) | Self::Io(_) | Self::Corrupt(_) | Self::ReadOnly | Self::Unavailable(_)
        )
    }

    /// The same problem as an answer to opening `place`.
    pub(super) fn at_open(self, place: &Place) -> Self {
        let is_file = matches!(place.kind(), Kind::File(_));
        let advice = match &self {
            Self::Corrupt(_) if is_file => {
                "Stop the hub, keep a copy, and restore a backup; or move the file and its -wal and -shm \
                 files away to start empty"
            }
            Self::DiskFull => "Make room on that disk, then start again",
            Self::ReadOnly if is_file => {
                "Make the file and its directory writable for this user, then start again"
            }
            Self::Busy if is_file => "Stop the other program that has it open, then start again",
            Self::Io(_) | Self::Unavailable(_) if is_file => {
                "Check that the disk is there and healthy, then start again"
            }
            Self::ReadOnly => "Name the server that takes writes, then start again",
            Self::Unavailable(_) => "Check that the server runs and the URL is right, then start again",
            Self::Sql(_) => "Check that this user may create tables there, then start again",
            _ => return self,
        };
        Self::Open { path: place.name(), problem: self.to_string(), advice }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::SystemIoFailure) => Self::Io(text),
            Some(ErrorCode::CannotOpen) => Self::Unavailable(text),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ConstraintViolation) => Self::Conflict(text),
            _ => Self::Sql(text),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(format!("a JSON column cannot be read: {error}"))
    }
}
