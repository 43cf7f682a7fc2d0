//! What can go wrong in an agent.

use crate::protocol::codes::{Close, Code};
use crate::spool::SpoolError;

/// Why an agent cannot start or had to stop. What passes by itself (a hub that is away) is no error.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A setting that cannot work.
    #[error("{setting} {problem}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong and what it may be.
        problem: String,
    },
    /// The token is no token. Says what is wrong with its form, never what it contains.
    #[error("the token cannot be used: {problem}")]
    Token {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The settings name one node, the token another.
    #[error(
        "the node is set to {setting:?} but the token is for {token:?}; leave the node out or get a token for it"
    )]
    NodeMismatch {
        /// The name in the settings.
        setting: String,
        /// The name in the token.
        token: String,
    },
    /// Neither the settings nor the token name the node.
    #[error(
        "the node has no name: set one, or use a token made with `infrawatch token --role agent --node NAME`"
    )]
    NodeUnnamed,
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The hub closed for good.
    #[error("the hub closed the connection with {code} {name}: {advice}", code = close.code(), name = close.name())]
    Closed {
        /// Why, as the hub said.
        close: Close,
        /// What to do about it.
        advice: &'static str,
    },
}

impl AgentError {
    /// The row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Setting { .. } | Self::NodeUnnamed => Code::InvalidField,
            Self::Token { .. } => Code::Unauthorized,
            Self::NodeMismatch { .. } => Code::Forbidden,
            Self::Spool(SpoolError::InUse { .. }) => Code::Conflict,
            Self::Spool(SpoolError::Full { .. }) => Code::Overloaded,
            Self::Spool(SpoolError::TooLarge { .. }) => Code::TooLarge,
            Self::Spool(SpoolError::Io { .. }) => Code::StoreUnavailable,
            Self::Closed { close: Close::Replaced, .. } => Code::Conflict,
            Self::Closed { close: Close::Forbidden, .. } => Code::Forbidden,
            Self::Closed { .. } => Code::InvalidField,
        }
    }

    /// Exit status of the program: 2 settings, 3 not allowed, 4 the spool, 5 replaced by another agent, 6 protocol.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Setting { .. } | Self::Token { .. } | Self::NodeUnnamed => 2,
            Self::NodeMismatch { .. } | Self::Closed { close: Close::Forbidden, .. } => 3,
            Self::Spool(_) => 4,
            Self::Closed { close: Close::Replaced, .. } => 5,
            Self::Closed { .. } => 6,
        }
    }
}
