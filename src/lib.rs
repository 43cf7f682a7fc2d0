//! placeholder
pub mod websocket;
