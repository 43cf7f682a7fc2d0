//! The Reliability Lab: what is done to a hub on purpose, to see that it holds.
//!
//! - [`runs`]: load tests, one at a time, by a process of their own; what came of them is in the store
//! - [`faults`]: fault scenarios, off unless the hub was started with `--lab`

pub mod faults;
pub mod runs;
