//! What the hub tells about itself: log lines and Prometheus metrics.

pub mod cause;
pub mod logging;
pub mod metrics;

pub use cause::Cause;
pub use metrics::{Counter, Gauge, Histogram};
