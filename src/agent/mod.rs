//! The program on a monitored machine: samples it, streams to the hub, keeps what the hub did not get.
//!
//! - [`Sampler`] takes [`Snapshot`]s of this machine; `serve` runs the same one for its own host.

mod columns;
mod disk;
mod error;
mod inventory;
mod network;
mod rate;
mod sampler;
mod settings;
mod spool;
mod temperature;

pub use columns::{Column, ColumnLabels, Columns, Snapshot};
pub use error::AgentError;
pub use inventory::Inventory;
pub use sampler::{SLOW_PROBES_INTERVAL_MS, Sampler};
pub use settings::{AgentSettings, AgentToken};
pub use spool::{Record, Spool, SpoolError};
