//! What the hub tells about itself: log lines, Prometheus metrics, latencies.

pub mod cause;
pub mod latency;
pub mod logging;
pub mod metrics;
pub mod system;

pub use cause::Cause;
pub use latency::Latency;
pub use metrics::{Counter, Gauge, Histogram};
