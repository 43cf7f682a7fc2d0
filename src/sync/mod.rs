//! Shared state: documents that many clients write to, and that come out the same for everybody.
//!
//! - [`clock`]: hybrid logical time (pure)
//! - [`document`]: a value for each key, last write wins (pure)
//! - [`actor`]: one document; a write is answered after the commit, then told on the topic `sync:{doc}`
//! - `batch`: requests that are committed and answered together
//! - `outbox`: what the topic does not have yet (pure)
//! - [`documents`]: all documents: the directory, and the parent of the document actors

pub mod actor;
mod batch;
pub mod clock;
pub mod document;
pub mod documents;
pub mod messages;
mod outbox;

use crate::protocol::codes::Code;
use crate::store::StoreError;

pub use clock::HybridTime;
pub use document::{Outcome, Write, WriteError};
pub use documents::{Documents, DocumentsActor, DocumentsArgs};
pub use messages::{DocumentView, KeyView};

/// Why a document was not written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The write cannot be taken.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The document has as many requests waiting as it may, or its topic is behind.
    #[error("the document is overloaded; try again")]
    Overloaded,
    /// The hub has as many documents as it may.
    #[error("the hub has {documents_max} documents, which is its limit")]
    TooMany {
        /// The bound.
        documents_max: usize,
    },
    /// The document's actor crashed while the request was with it.
    #[error("the document failed while handling the request")]
    Failed,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SyncError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Write(_) => Code::InvalidField,
            Self::Overloaded | Self::TooMany { .. } => Code::Overloaded,
            Self::Failed => Code::Internal,
            Self::Store(error) => error.code(),
        }
    }
}
