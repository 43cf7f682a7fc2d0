//! Why something about alerts was not done.

use super::lifecycle::Refused;
use crate::protocol::codes::Code;
use crate::store::StoreError;

/// Why something about alerts was not done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlertError {
    /// There is none of that id.
    #[error("there is no such alert")]
    NotFound,
    /// Its state does not allow it, or another was quicker.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// As many are open as may be.
    #[error("{open_max} alerts are open, which is the limit")]
    TooMany {
        /// The bound.
        open_max: usize,
    },
    /// The breaker of alerts is open, and as many wait as may.
    #[error("alerts are degraded, and {waiting_max} wait already, which is the limit")]
    QueueFull {
        /// The bound.
        waiting_max: usize,
    },
    /// The store did not do its part; of requests that were on their way together some may have taken effect.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another hub node owns alerts, or became their owner meanwhile.
    #[error("alerts are owned by another hub node; try again")]
    NotOwner,
    /// Too many requests wait.
    #[error("alerts are overloaded; try again")]
    Overloaded,
    /// The owner of alerts crashed while it was at it.
    #[error("the owner of alerts failed while handling the request")]
    Failed,
}

impl AlertError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::Refused(refused) => refused.code(),
            Self::QueueFull { .. } => Code::BreakerOpen,
            Self::TooMany { .. } | Self::Overloaded => Code::Overloaded,
            Self::Store(error) => error.code(),
            Self::NotOwner => Code::NoOwner,
            Self::Failed => Code::Internal,
        }
    }
}
