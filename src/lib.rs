//! InfraWatch.
pub mod agent;
