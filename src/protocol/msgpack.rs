//! MessagePack, the same frames as in JSON: out of the hub's own texts, and into the text that requests are.
//!
//! Requests and messages live as JSON inside the hub; what comes in or goes out as MessagePack is
//! translated at the socket. Both directions use no recursion, so depth costs no stack.

mod pack;
mod unpack;

pub use pack::frame_of_json;
pub use unpack::{DEPTH_MAX, UnpackError, json_of};

#[cfg(test)]
mod tests;
