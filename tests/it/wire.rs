//! The native WebSocket protocol, version 1, as documented.

mod delivery;
mod encodings;
mod events;
mod fallbacks;
mod http;
mod opening;
mod rooms;
mod sessions;
mod sync;
mod time;
mod topics;
mod wildcards;
