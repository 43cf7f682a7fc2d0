//! The native protocol, version 1: what travels on a socket, and the table of what can go wrong.
//!
//! - [`codes`]: every error code and close code, one row each
//! - [`client`]: frames that clients send, parsed
//! - [`topic_request`]: what a client asks of a topic
//! - [`server`]: frames that the hub sends, encoded once and shared
//! - [`batch`]: several messages in one frame
//! - [`frame`]: a frame that many sockets share
//! - [`priority`]: the three classes of urgency

pub mod batch;
pub mod client;
pub mod codes;
pub mod frame;
pub mod priority;
pub mod server;
pub mod topic_request;

/// Version of the envelope.
pub const VERSION: u32 = 1;

/// The sub-protocol of JSON text frames, also what a client gets that asks for none.
pub const SUBPROTOCOL_JSON: &str = "infrawatch.v1.json";
