//! What several hub nodes share beside the store: Redis.
//!
//! - [`redis`]: connections to it, each question with a deadline
//! - [`actor`]: keeps the line to Redis
//! - [`advice`]: which settings of the servers break a promise (pure)
//! - [`carrier`]: topics that hub nodes share
//! - [`error`]: how it fails

pub mod actor;
pub mod advice;
pub mod carrier;
pub mod error;
pub mod redis;

pub use actor::EngineActor;
pub use carrier::Carrier;
pub use error::EngineError;
pub use redis::Redis;
