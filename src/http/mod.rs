//! Routes, the WebSocket upgrade, the embedded console.
//!
//! - [`state`]: what handlers work with
//! - [`upgrade`]: from an HTTP request to a connection; judged by the same functions as the routes

pub mod state;
pub mod upgrade;

pub use state::State;
