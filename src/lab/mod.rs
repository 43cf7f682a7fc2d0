//! The Reliability Lab: what shows how the hub does under load and under faults.
//!
//! - [`faults`]: fault scenarios, off unless the hub was started with `--lab`

pub mod faults;
