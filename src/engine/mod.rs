//! What several hub nodes share beside the store: Redis.
//!
//! - [`redis`]: connections to it, each question with a deadline
//! - [`advice`]: which settings of the servers break a promise (pure)
//! - [`error`]: how it fails

pub mod advice;
pub mod error;
pub mod redis;

pub use error::EngineError;
pub use redis::Redis;
