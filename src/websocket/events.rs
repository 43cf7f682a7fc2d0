//! What a client sent, and how a caller takes it out of one read.

use super::close::{self, CloseReason};
use super::decoder::{Decoder, Step};
use super::{CodecError, Opcode};

/// What a client sent. Payloads borrow from the read buffer or from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping, or a heartbeat nobody asked for.
    Pong(&'a [u8]),
    /// To be answered by a close frame; the decoder ignores whatever follows.
    Close(CloseReason<'a>),
}

/// The events of one read, one at a time because they borrow.
#[derive(Debug)]
#[must_use = "nothing is decoded until next_event is called"]
pub struct Events<'a> {
    decoder: &'a mut Decoder,
    input: &'a mut [u8],
    at: usize,
    /// The payload of the current event when it did not lie in the input in one piece.
    collected: Vec<u8>,
}

impl<'a> Events<'a> {
    pub(super) fn new(decoder: &'a mut Decoder, input: &'a mut [u8]) -> Self {
        Self { decoder, input, at: 0, collected: Vec::new() }
    }

    /// The next event, or `None` when the input is used up or the conversation is over. Dropping
    /// the events before that loses the rest of the input.
    ///
    /// # Errors
    /// The first violation, once; the decoder has then ended and accepts nothing more.
    pub fn next_event(&mut self) -> Option<Result<Event<'_>, CodecError>> {
        let (opcode, payload) = loop {
            if self.decoder.has_ended() {
                return None;
            }
            match self.decoder.step(self.input, &mut self.at) {
                Ok(Step::Onward) => {}
                Ok(Step::Starved) => return None,
                Ok(Step::InPlace(opcode, place)) => break (opcode, &self.input[place]),
                Ok(Step::Collected(opcode, collected)) => {
                    self.collected = collected;
                    break (opcode, &self.collected[..]);
                }
                Err(error) => {
                    self.decoder.end();
                    return Some(Err(error));
                }
            }
        };
        let event = event(opcode, payload);
        if matches!(event, Err(_) | Ok(Event::Close(_))) {
            self.decoder.end();
        }
        Some(event)
    }
}

/// Gives a whole payload its meaning. Collected text is checked a second time here, at gigabytes
/// per second, because safe code has no other way to a `str`; inflated text is checked here alone.
fn event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, CodecError> {
    Ok(match opcode {
        Opcode::Text => {
            Event::Text(simdutf8::basic::from_utf8(payload).map_err(|_place_unknown| CodecError::Utf8)?)
        }
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(close::parse(payload)?),
    })
}
