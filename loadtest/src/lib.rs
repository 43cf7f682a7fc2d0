//! Load tests of a hub, by a client of its own: nothing here is taken from the hub, so that a mistake there is not
//! invisible. What the hub takes from here are plans, which it writes, and results, which it shows. Loopback only;
//! bounded in clients, messages and time. One thread drives all clients with epoll, so that the load test is not what
//! is measured; every subscriber's sequence is checked for loss, repetition and order.
//!
//! - [`plan`]: what a run does, read from YAML
//! - [`result`]: what it found, and the lines that tell of it while it goes on
//! - [`run`]: carries a plan out
//! - [`main_with`]: the command line, for the program of this crate and for `infrawatch loadtest`

mod bench;
mod cli;
mod clients;
mod comparison;
mod csv;
mod engine;
mod frames;
mod html;
mod latencies;
mod marker;
mod net;
pub mod plan;
mod plot;
mod process;
mod protocol;
mod received;
pub mod result;
mod running;
mod scanner;
mod schedule;
mod terminal;
mod thresholds;
mod upgrade;

pub use cli::main_with;
pub use engine::{Options, RunError, run};
