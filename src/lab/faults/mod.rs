//! Fault scenarios: what can be made to go wrong on purpose, for how long, and what must hold meanwhile.
//!
//! - [`table`]: *the* table of scenarios
//! - [`parameters`]: what a scenario is told, checked against its row (pure)
//! - [`lifecycle`]: which are active, which were, and when they end (pure)
//! - [`actor`]: turns scenarios on and off; `effects` is what each does
//! - [`handle`]: what routes and the hub see
//!
//! What goes wrong goes wrong in the modules that own it, which ask the switchboard (`fault`). A scenario ends by
//! itself when its time is over, on disable and reset, when the hub drains, and when the actor crashes.

pub mod actor;
mod effects;
pub mod handle;
pub mod lifecycle;
pub mod parameters;
mod slow_consumer;
pub mod table;
pub mod view;
mod watch;

pub use actor::ScenariosActor;
pub use handle::Scenarios;
pub use table::{SCENARIOS, Scenario};

use parameters::BadParameter;

use crate::clock::rfc3339;
use crate::protocol::codes::Code;

/// Why a scenario is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Parameters or duration outside of the scenario's row.
    #[error("{}", .0.first().map_or("a parameter is not allowed", |bad| &bad.detail))]
    Parameters(Vec<BadParameter>),
    /// One of each name at most.
    #[error("{name} is active until {}; disable it first", rfc3339(*.ends_ms))]
    AlreadyActive {
        /// Which.
        name: &'static str,
        /// When it ends, unix milliseconds.
        ends_ms: u64,
    },
    /// So soon after the last time it could do lasting harm.
    #[error("{name} may be enabled again in {} s", .wait_ms.div_ceil(1_000))]
    TooSoon {
        /// Which.
        name: &'static str,
        /// Until it may be enabled, in milliseconds.
        wait_ms: u64,
    },
    /// Nothing of that name or id is active.
    #[error("no such fault scenario is active")]
    NotActive,
    /// The machine has not so much memory to spare.
    #[error("at most {mib_max} MiB may be held now: half of what the machine has free")]
    NoMemory {
        /// What may be held, in MiB.
        mib_max: u64,
    },
    /// The hub does not stand on what is to go.
    #[error("this hub has no {needed}: it was started without {flag}")]
    NotHere {
        /// What it lacks.
        needed: &'static str,
        /// The flag that names one.
        flag: &'static str,
    },
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Draining,
    /// The actor of the scenarios does not answer.
    #[error("the fault scenarios do not answer; what was active has ended or ends by itself")]
    Unavailable,
}

impl FaultError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Parameters(_) | Self::NoMemory { .. } => Code::InvalidField,
            Self::AlreadyActive { .. } | Self::NotHere { .. } => Code::Conflict,
            Self::TooSoon { .. } => Code::RateLimited,
            Self::NotActive => Code::NotFound,
            Self::Draining => Code::Draining,
            Self::Unavailable => Code::Overloaded,
        }
    }
}
