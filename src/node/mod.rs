//! One monitored machine: its newest samples, inventory, liveness.
//!
//! - [`liveness`]: online, late, offline (pure)
//! - [`report`]: what a machine reports
//! - [`actor`]: the machine's actor; publishes what changes
//! - [`passing`]: nodes of a load test, and how they go
//! - [`fleet`]: all machines: the directory, and the parent of the node actors

pub mod actor;
pub mod fleet;
pub mod liveness;
pub mod passing;
pub mod report;

pub use actor::{NodeActor, NodeView};
pub use fleet::{Fleet, FleetActor, FleetArgs, FleetError};
pub use liveness::{Liveness, State, Transition};
pub use passing::LOAD_TEST;
pub use report::{Batch, Report, SYNTHETIC, Source};
