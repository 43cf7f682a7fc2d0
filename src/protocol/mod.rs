//! The native protocol, version 1: what travels on a socket, and the table of what can go wrong.
//!
//! - [`codes`]: every error code and close code, one row each
//! - [`client`]: frames that clients send, parsed
//! - [`topic_request`]: what a client asks of a topic
//! - [`server`]: frames that the hub sends, encoded once and shared
//! - [`batch`]: several messages in one frame
//! - [`encoding`]: in which form the frames of one connection travel
//! - [`frame`]: a frame that many sockets share, in every form that one of them has
//! - [`msgpack`]: frames as MessagePack, from and to JSON
//! - [`priority`]: the three classes of urgency

pub mod batch;
pub mod client;
pub mod codes;
pub mod encoding;
pub mod frame;
#[cfg(test)]
mod fuzzed;
pub mod msgpack;
pub mod priority;
pub mod server;
pub mod topic_request;

/// Version of the envelope.
pub const VERSION: u32 = 1;
