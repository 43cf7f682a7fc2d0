//! One monitored machine: its newest samples, inventory, liveness.
//!
//! - [`liveness`]: online, late, offline (pure)
//! - [`report`]: what a machine reports
//! - [`actor`]: the machine's actor; publishes what changes
//! - `holding`: which of several hub nodes it is of; `elsewhere`: what others hear; `orphans`: what gone ones heard
//! - [`passing`]: nodes of a load test, and how they go
//! - [`fleet`]: all machines: the directory, and the parent of the node actors; `listing`: how they are shown, also while the
//!   store is gone (`remembered`)

pub mod actor;
mod elsewhere;
pub mod fleet;
mod holding;
mod listing;
pub mod liveness;
mod orphans;
pub mod passing;
mod remembered;
pub mod report;
pub mod view;

pub use actor::NodeActor;
pub use fleet::{Fleet, FleetActor, FleetArgs, FleetError};
pub use liveness::{Liveness, State, Transition};
pub use passing::LOAD_TEST;
pub use report::{Batch, Report, SYNTHETIC, Source};
pub use view::NodeView;
