//! InfraWatch: a realtime monitoring hub in one binary.

pub mod agent;
pub mod clock;
pub mod config;
pub mod ids;
pub mod protocol;
pub mod store;
pub mod telemetry;
pub mod websocket;
