//! What the tests work with: the real binary as a process, clients, and bounded waiting.
//!
//! - [`Hub`]: `infrawatch serve` on a free port over a directory of its own; stopped and waited for on drop
//! - [`Inside`]: a hub in this process, for what only its own state shows
//! - [`Client`]: a WebSocket client that behaves; [`Speaker`]: one that speaks any of the encodings; [`RawSocket`]: one that does what it is told, byte by byte
//! - [`Witness`]: a client that must get every message in order while others misbehave
//! - [`within`], [`until`]: every wait is for a condition and has a bound

mod client;
mod command;
mod inside;
mod patience;
mod process;
mod raw;
mod speaker;
mod witness;

pub(crate) use client::{Client, Ended, Message, messages};
pub(crate) use command::{Finished, infrawatch};
pub(crate) use inside::Inside;
pub(crate) use patience::{PATIENCE, until, within};
pub(crate) use process::{Hub, Running};
pub(crate) use raw::{COMPRESSED, RawEvent, RawSocket, Upgrade, deflate, frame};
pub(crate) use speaker::{Speaker, Tongue};
pub(crate) use witness::Witness;

/// Opcode of a text frame, with the bit that says that the message ends with it.
pub(crate) const TEXT: u8 = 0x81;
/// Opcode of a binary frame, as [`TEXT`].
pub(crate) const BINARY: u8 = 0x82;
