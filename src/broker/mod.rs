//! Which topic: opens topics on first use, admits messages, forgets what is idle.
//!
//! [`Broker`] is the directory that every module publishes and subscribes through; [`BrokerActor`] is the
//! parent of the topics and sweeps the directory; [`Guarded`] asks the breakers before a publish.

pub mod actor;
pub mod directory;
mod followers;
pub mod guarded;
mod heads;
mod openings;
mod restart;

pub use actor::BrokerActor;
pub use directory::{Broker, BrokerArgs, Draft};
pub use followers::{OwnersOf, WANTED};
pub use guarded::Guarded;
pub use openings::Openings;
