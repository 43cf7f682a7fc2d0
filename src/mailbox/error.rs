//! How a mailbox fails its callers.

use super::{BATCH_MAX, ID_BYTES_MAX, Item, PAYLOAD_BYTES_MAX};
use crate::engine::EngineError;
use crate::protocol::codes::Code;

/// Why a mailbox did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// Redis did not do it, or nobody knows whether it did.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// More or larger items than one call may have; nothing was done.
    #[error("{0}")]
    Oversized(String),
    /// What Redis has is not what a mailbox writes.
    #[error("the mailbox has something that it cannot read: {0}")]
    Unreadable(String),
}

impl MailboxError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Engine(error) => error.code(),
            Self::Oversized(_) => Code::TooLarge,
            Self::Unreadable(_) => Code::Internal,
        }
    }

    /// Checks what one call puts.
    pub(super) fn check(items: &[Item]) -> Result<(), Self> {
        Self::check_count(items.len())?;
        for Item { id, payload, .. } in items {
            if id.is_empty() || id.len() > ID_BYTES_MAX {
                let found = id.len();
                return Err(Self::Oversized(format!("an id has 1 to {ID_BYTES_MAX} bytes, not {found}")));
            }
            if payload.len() > PAYLOAD_BYTES_MAX {
                let found = payload.len();
                return Err(Self::Oversized(format!(
                    "a payload has at most {PAYLOAD_BYTES_MAX} bytes, not {found}"
                )));
            }
        }
        Ok(())
    }

    /// Checks how many items one call is about.
    pub(super) fn check_count(items: usize) -> Result<(), Self> {
        if items > BATCH_MAX {
            return Err(Self::Oversized(format!("a call has at most {BATCH_MAX} items, not {items}")));
        }
        Ok(())
    }
}
