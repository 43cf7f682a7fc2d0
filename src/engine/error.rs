//! How Redis fails its callers.

use bb8_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::protocol::codes::Code;

/// Why Redis did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The URL is none of Redis.
    #[error("--redis-url: {0}")]
    Url(String),
    /// There is no connection; nothing was done.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    /// No answer came in time, or the connection broke: it may or may not have been done.
    #[error("Redis did not answer: {0}")]
    NoAnswer(String),
    /// Redis answered with an error: a mistake of the hub's own, or a server that is set up wrongly.
    #[error("Redis refused: {0}")]
    Refused(String),
}

impl EngineError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Url(_) => Code::InvalidField,
            Self::Unreachable(_) | Self::NoAnswer(_) => Code::StoreUnavailable,
            Self::Refused(_) => Code::Internal,
        }
    }

    /// What a command that was sent came to.
    pub(super) fn of_command(error: &RedisError) -> Self {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
        match error.kind() {
            // A server that reads its file, one that another takes over from, a cluster that lacks one: all pass.
            ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain)
            | ErrorKind::ClusterConnectionNotFound => Self::Unreachable(error.to_string()),
            _ if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() => {
                Self::NoAnswer(error.to_string())
            }
            _ => Self::Refused(error.to_string()),
        }
    }

    /// Whether Redis is not there, or does not answer.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NoAnswer(_))
    }
}
