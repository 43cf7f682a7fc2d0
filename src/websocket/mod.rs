//! RFC 6455 and RFC 7692 on the hub's side, without IO: bytes in, events out; payload in, shared frames out.
//!
//! Nothing here knows a socket, a clock or an actor. [`Handshake`] judges the upgrade request,
//! [`Decoder`] turns what the socket read into [`Event`]s, and [`frame`], [`FrameWriter`] and
//! [`close_frame`] make the unmasked frames that every connection can share. The codec is strict:
//! whatever the RFC forbids is a [`CodecError`] that names its close code.
//!
//! ```
//! use infrawatch::websocket::{Decoder, Event, Limits};
//!
//! let mut decoder = Decoder::new(Limits { frame_bytes_max: 65_536, message_bytes_max: 65_536 });
//! let mut scratch = *b"\x81\x85\x01\x02\x03\x04igohn"; // as read from the socket: "hello", masked
//! let mut events = decoder.feed(&mut scratch);
//! assert_eq!(events.next_event(), Some(Ok(Event::Text("hello"))));
//! assert_eq!(events.next_event(), None);
//! ```

mod close;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod events;
mod extension;
mod frame;
mod handshake;
mod mask;
mod utf8;

pub use close::{CloseReason, close_frame, is_sendable};
pub use decoder::{Decoder, Limits};
pub use deflate::deflated_frame;
pub use encoder::{FrameWriter, SERVER_HEADER_BYTES_MAX, encode_header, frame, frame_of_parts, payload_of};
pub use error::CodecError;
pub use events::{Event, Events};
pub use extension::DeflateAgreed;
pub use frame::{CONTROL_PAYLOAD_BYTES_MAX, HEADER_BYTES_MAX, Header, Opcode};
pub use handshake::{Handshake, HandshakeError, accept_of};
pub use mask::mask;
