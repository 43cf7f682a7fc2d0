//! InfraWatch: a realtime monitoring hub in one binary.

pub mod store;
