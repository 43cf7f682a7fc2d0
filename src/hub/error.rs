//! Why a hub does not run.

use crate::auth::{AuthError, KeyError};
use crate::engine::EngineError;
use crate::lab::runs::RunError;
use crate::rule::{DirectoryError, RuleError};
use crate::store::StoreError;
use crate::supervision::RootFailure;

/// Why a hub does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Durable state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Users or tokens cannot be read.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The URL of Redis is none.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Rules cannot be read or made.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// Rule files cannot be taken.
    #[error("rule files: {0}")]
    RuleFiles(#[from] DirectoryError),
    /// Load tests of the hub's former life cannot be marked.
    #[error(transparent)]
    LoadTests(#[from] RunError),
    /// The address cannot be listened on, or the server failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A setting that cannot work.
    #[error("{0}")]
    Setting(String),
    /// The workers ended by themselves.
    #[error("the workers ended: {0}")]
    Workers(String),
    /// An actor crashed too often, and nothing above it could be restarted.
    #[error("{kind} {instance:?} crashed too often: {reason}", kind = .0.kind, instance = .0.instance, reason = .0.reason)]
    Root(RootFailure),
}
