//! What several hub nodes share beside the store: Redis.
//!
//! - [`redis`]: connections to it, each question with a deadline
//! - [`error`]: how it fails

pub mod error;
pub mod redis;

pub use error::EngineError;
pub use redis::Redis;
