//! The agent against a hub that acknowledges, withholds, limits, refuses and goes away.

#![allow(clippy::result_large_err, reason = "the type of tungstenite's handshake callback")]

mod delivery;
mod hub;
mod lifecycle;
