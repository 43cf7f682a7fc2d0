//! Why something about rules was not done.

use crate::alert::{AlertError, FieldError};
use crate::protocol::codes::Code;
use crate::store::StoreError;

/// Why something about rules was not done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// There is none of that id.
    #[error("there is no such rule")]
    NotFound,
    /// There is one of that id already.
    #[error("there is a rule of that id already")]
    Exists,
    /// Fields are not as they should be.
    #[error("{}", .0.first().map_or_else(|| "the rule is not valid".to_owned(), |first| format!("{} {}", first.pointer, first.message)))]
    Invalid(Vec<FieldError>),
    /// Somebody else wrote it meanwhile.
    #[error("the rule is at version {current} by now")]
    Conflict {
        /// The version that is there.
        current: u64,
    },
    /// As many as there may be.
    #[error("there are {rules_max} rules, which is the limit")]
    TooMany {
        /// The bound.
        rules_max: usize,
    },
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The owner of alerts did not do its part.
    #[error(transparent)]
    Alerts(#[from] AlertError),
    /// Another hub node evaluates rules, or this one is about to and does not know them yet.
    #[error("rules are evaluated by another hub node; try again")]
    NotOwner,
    /// The rule does not answer.
    #[error("the rule is overloaded; try again")]
    Overloaded,
}

impl RuleError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::Exists | Self::Conflict { .. } => Code::Conflict,
            Self::Invalid(_) => Code::InvalidField,
            Self::TooMany { .. } | Self::Overloaded => Code::Overloaded,
            Self::Store(error) => error.code(),
            Self::NotOwner => Code::NoOwner,
            Self::Alerts(error) => error.code(),
        }
    }
}
