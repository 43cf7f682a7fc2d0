//! Load tests: clients that connect to this hub, publish to each other, and count what arrives.
//!
//! The load is a child process (`infrawatch loadtest`), so that it does not share a thread with the hub that it
//! measures. It knows the hub's address and a token of its own, and speaks over the port like everybody else.
//!
//! - [`limits`]: how much load may be asked for (pure)
//! - [`plan`]: what is asked for, and the plan that the child is given (pure)
//! - [`lines`]: what the child says (pure)
//! - [`figures`], [`run`]: what was measured; a run as it is kept and shown
//! - [`lifecycle`]: one run from its start to its end (pure)
//! - `engine`: the child process: its lines, its reins
//! - [`actor`]: owns the one run that there may be; [`handle`] is what other modules see

pub mod actor;
mod engine;
pub mod figures;
pub mod handle;
pub mod lifecycle;
pub mod limits;
pub mod lines;
pub mod plan;
pub mod run;

use crate::auth::AuthError;
use crate::protocol::codes::Code;
use crate::store::StoreError;

pub use actor::RunsActor;
pub use figures::{Detail, Figures};
pub use handle::{LoadTests, LoadTestsArgs};
pub use limits::Limits;
pub use plan::{NewRun, Scenario};
pub use run::{RunId, Status, StoredRun};

/// Why a run is not started, stopped or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// There is one already.
    #[error("the run {id} is under way; wait for its end, or stop it")]
    InProgress {
        /// Which one.
        id: RunId,
    },
    /// No run has this id.
    #[error("there is no run {id}")]
    Unknown {
        /// What was asked for.
        id: RunId,
    },
    /// It cannot be stopped any more.
    #[error("the run {id} is over")]
    Over {
        /// Which one.
        id: RunId,
    },
    /// The load goes over loopback, where this hub does not listen.
    #[error("the hub listens on {address} only; a load test needs a loopback address of IPv4")]
    Address {
        /// Where the hub listens.
        address: std::net::SocketAddr,
    },
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Draining,
    /// Too many requests wait for the lab.
    #[error("the lab is overloaded; try again")]
    Overloaded,
    /// The lab's actor crashed while the request was with it.
    #[error("the lab failed while handling the request")]
    Failed,
    /// The child cannot be given a token.
    #[error(transparent)]
    Token(#[from] AuthError),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run was kept in a form that cannot be read.
    #[error("a run in the store cannot be read: {0}")]
    Unreadable(String),
}

impl RunError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::InProgress { .. } => Code::RunInProgress,
            Self::Unknown { .. } => Code::NotFound,
            Self::Over { .. } | Self::Address { .. } => Code::Conflict,
            Self::Draining => Code::Draining,
            Self::Overloaded => Code::Overloaded,
            Self::Failed | Self::Unreadable(_) => Code::Internal,
            Self::Token(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}
