//! The native WebSocket protocol, version 1, as documented.

mod encodings;
mod http;
mod opening;
mod rooms;
mod sessions;
mod time;
mod topics;
