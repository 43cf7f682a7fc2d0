//! What several hub nodes share beside the store: Redis.
//!
//! - [`redis`]: questions to it, each with a deadline; `server` is one server or a cluster of them (`masters`)
//! - [`advice`]: which settings of the servers break a promise (pure)
//! - [`carrier`]: carries messages of topics between nodes; `line` keeps the connection on which Redis
//!   pushes (`pushes`), and probes the way (`probes`)
//! - [`carried`]: a message as it travels (pure)
//! - [`notices`]: short words to the other nodes, heard at once or not at all
//! - [`order`]: each offset once and in order, whatever comes how often (pure)
//! - [`error`]: how it fails

pub mod advice;
pub mod carried;
pub mod carrier;
pub mod error;
mod line;
mod masters;
pub mod notices;
pub mod order;
mod probes;
mod pushes;
pub mod redis;
mod server;

pub use carried::{Arrival, Carried, Found};
pub use carrier::{Carrier, Seat, Stream, Tell, Way};
pub use error::EngineError;
pub use notices::Notice;
pub use order::Order;
pub use redis::Redis;
