//! The program on a monitored machine: samples it, streams to the hub, keeps what the hub did not get.
//!
//! - [`Sampler`] takes [`Snapshot`]s of this machine; `serve` runs the same one for its own host.
//! - [`run`] is the agent: sampler, link and spool in one loop, under [`AgentSettings`].
//! - `link` decides what is sent when and what becomes of it, `reconnect` when to come back, `pace` how fast:
//!   pure, with time as an input. `socket` and `run` carry that out.
//! - [`Spool`] keeps on disk, bounded and in order, what the hub has not acknowledged.

mod columns;
mod custody;
mod disk;
mod error;
mod frames;
mod inventory;
mod link;
mod network;
mod pace;
mod rate;
mod reconnect;
mod run;
mod sampler;
mod settings;
mod socket;
mod temperature;
mod token;

pub use columns::{Column, ColumnLabels, Columns, Snapshot};
pub use error::AgentError;
pub use inventory::Inventory;
pub use run::run;
pub use sampler::{SLOW_PROBES_INTERVAL_MS, Sampler};
pub use settings::AgentSettings;
pub use token::AgentToken;

#[cfg(test)]
mod tests;
