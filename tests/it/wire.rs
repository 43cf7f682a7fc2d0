//! The native WebSocket protocol, version 1, as documented.

mod opening;
mod rooms;
mod time;
mod topics;
