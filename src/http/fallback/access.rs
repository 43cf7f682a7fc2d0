//! What a reader may read, and why it can read no further.

use std::sync::Arc;

use crate::auth::{Claims, permission};
use crate::connection::Services;
use crate::connection::session::Personal;
use crate::http::problem::Problem;
use crate::ids::ClientId;
use crate::protocol::codes::{Close, Code};
use crate::topic::TopicError;

/// Why topics cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ReadError {
    /// A topic does not answer, or answers with this.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Not for the caller, or no longer.
    #[error("not allowed to read {topic}")]
    Forbidden {
        /// Its name, or a wildcard.
        topic: String,
    },
    /// Names and wildcards together name more than one reader may have.
    #[error(
        "these are more than {topics_max} topics, which is the limit; name fewer or narrow the wildcards"
    )]
    TooManyTopics {
        /// The bound.
        topics_max: usize,
    },
}

impl ReadError {
    /// Row of the table of codes.
    fn code(&self) -> Code {
        match self {
            Self::Topic(error) => error.code(),
            Self::Forbidden { .. } => Code::Forbidden,
            Self::TooManyTopics { .. } => Code::TooManyTopics,
        }
    }

    /// How an open stream ends because of it.
    pub(super) fn close(&self) -> Close {
        match self {
            Self::Topic(_) => Close::Internal,
            Self::Forbidden { .. } => Close::Forbidden,
            Self::TooManyTopics { .. } => Close::TooManyRequests,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Topic(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

/// Whether the caller may read a topic, or all that a wildcard names. The queue of a client is read by the subject
/// whose session it is, as on that client's own connection.
pub(super) fn may_read(services: &Services, claims: &Arc<Claims>, topic: &str) -> bool {
    let owner = match Personal::of(topic) {
        Some((Personal::Client, owner)) => ClientId::parse(owner).ok(),
        _ => None,
    };
    let own = owner.filter(|id| services.clients.subject(id).as_deref() == Some(&*claims.sub));
    permission::may_subscribe(claims, own.as_ref().map(ClientId::as_str), topic)
}
