//! The incremental decoder of one connection: whatever the socket read goes in, messages come out.
//!
//! A connection that has sent whole messages holds nothing: they are unmasked inside the caller's
//! read buffer and handed out from there. Only what a read cut off, or what a client fragments, is
//! kept, and it grows with the bytes that arrive, never with the length that a header claims.

use super::events::Events;
use super::mask::{mask, rotate};
use super::utf8::Utf8Check;
use super::{CodecError, HEADER_BYTES_MAX, Header, Opcode, deflate};

/// The first of the three reserved bits, as [`Header::reserved`] has it.
const RSV1: u8 = 4;

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest payload of one frame, in bytes.
    pub frame_bytes_max: usize,
    /// The longest message, all its frames together, as sent and when inflated, in bytes.
    pub message_bytes_max: usize,
}

/// The state of one connection between two reads.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// The parts of a message that are here already and, behind them, those of a control frame.
    buffer: Vec<u8>,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The message that is open.
    message: Option<Open>,
    /// permessage-deflate was agreed on.
    deflate: bool,
    /// At rest between messages: one that ends inside a character is an error, which ends all.
    utf8: Utf8Check,
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: u8,
    ended: bool,
}

/// A message that has begun: `Text` or `Binary`.
#[derive(Debug, Clone, Copy)]
struct Open {
    opcode: Opcode,
    deflated: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// A control frame's own opcode, or that of the message a data frame belongs to.
    part_of: Opcode,
    /// The message it belongs to is compressed.
    deflated: bool,
    fin: bool,
    /// The mask as it applies to the next byte.
    key: [u8; 4],
    payload_bytes: usize,
    missing_bytes: usize,
}

/// What one step over the input came to.
pub(super) enum Step {
    /// Something was consumed; go on.
    Onward,
    /// The input is used up.
    Starved,
    /// An event whose payload lies at these places of the input.
    InPlace(Opcode, std::ops::Range<usize>),
    /// An event whose payload had to be collected.
    Collected(Opcode, Vec<u8>),
}

impl Decoder {
    /// A decoder before the first byte after the handshake.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            frame: None,
            message: None,
            deflate: false,
            utf8: Utf8Check::default(),
            header: [0; HEADER_BYTES_MAX],
            header_bytes: 0,
            ended: false,
        }
    }

    /// Whether messages may be compressed, as the handshake agreed.
    #[must_use]
    pub fn with_deflate(self, deflate: bool) -> Self {
        Self { deflate, ..self }
    }

    /// Takes what a read returned; the events come from [`Events::next_event`], to be called until
    /// it returns `None`. The input is unmasked in place and belongs to the caller again afterwards.
    pub fn feed<'a>(&'a mut self, input: &'a mut [u8]) -> Events<'a> {
        Events::new(self, input)
    }

    /// The heap bytes held for an incomplete message; zero between messages.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether the conversation is over: a close frame was read, or an error found.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.buffer = Vec::new();
    }

    pub(super) fn step(&mut self, input: &mut [u8], at: &mut usize) -> Result<Step, CodecError> {
        match self.frame.take() {
            Some(frame) => self.read_payload(frame, input, at),
            None if *at == input.len() => Ok(Step::Starved),
            None => {
                *at += self.read_header(&input[*at..])?;
                Ok(Step::Onward)
            }
        }
    }

    /// Reads a header, or the part of it that is here, and returns how many bytes that took.
    fn read_header(&mut self, input: &[u8]) -> Result<usize, CodecError> {
        if self.header_bytes == 0
            && let Some((header, header_bytes)) = Header::parse(input)?
        {
            self.begin_frame(header)?;
            return Ok(header_bytes);
        }
        let held = usize::from(self.header_bytes);
        let taken = input.len().min(HEADER_BYTES_MAX - held);
        self.header[held..held + taken].copy_from_slice(&input[..taken]);
        if let Some((header, header_bytes)) = Header::parse(&self.header[..held + taken])? {
            self.header_bytes = 0;
            self.begin_frame(header)?;
            return Ok(header_bytes - held);
        }
        // Fewer than 14 bytes: a header of that length would have been complete.
        self.header_bytes += u8::try_from(taken).unwrap_or_default();
        Ok(taken)
    }

    /// Judges a header by the state of the connection, before a byte of payload is kept.
    fn begin_frame(&mut self, header: Header) -> Result<(), CodecError> {
        let begins_data = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let deflated = self.deflate && begins_data && header.reserved == RSV1;
        if header.reserved != 0 && !deflated {
            return Err(CodecError::ReservedBits);
        }
        let payload_bytes = self.admit(&header)?;
        let (fin, key) = (header.fin, header.key);
        let Open { opcode: part_of, deflated } = match (header.opcode, self.message) {
            (Opcode::Continuation, None) => return Err(CodecError::UnexpectedContinuation),
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(CodecError::InterruptedMessage),
            (Opcode::Text | Opcode::Binary, None) => {
                *self.message.insert(Open { opcode: header.opcode, deflated })
            }
            (control, _) => Open { opcode: control, deflated: false },
        };
        let missing_bytes = payload_bytes;
        self.frame = Some(Frame { part_of, deflated, fin, key, payload_bytes, missing_bytes });
        Ok(())
    }

    /// Holds the declared length against the limits. Control frames have their own, in the header.
    fn admit(&self, header: &Header) -> Result<usize, CodecError> {
        let max_bytes = self.limits.frame_bytes_max as u64;
        if header.payload_bytes > max_bytes && !header.opcode.is_control() {
            return Err(CodecError::FrameTooLarge { declared_bytes: header.payload_bytes, max_bytes });
        }
        let max_bytes = self.limits.message_bytes_max as u64;
        let declared_bytes = self.buffer.len() as u64 + header.payload_bytes;
        if declared_bytes > max_bytes && !header.opcode.is_control() {
            return Err(CodecError::MessageTooLarge { declared_bytes, max_bytes });
        }
        usize::try_from(header.payload_bytes)
            .map_err(|_above_usize| CodecError::FrameTooLarge { declared_bytes, max_bytes })
    }

    /// Unmasks what is here of a frame's payload; the frame is either done or put back.
    fn read_payload(
        &mut self,
        mut frame: Frame,
        input: &mut [u8],
        at: &mut usize,
    ) -> Result<Step, CodecError> {
        let here = *at..*at + frame.missing_bytes.min(input.len() - *at);
        *at = here.end;
        let piece = &mut input[here.clone()];
        mask(piece, frame.key);
        let is_whole = here.len() == frame.payload_bytes;
        frame.key = rotate(frame.key, here.len());
        frame.missing_bytes -= here.len();
        let is_done = frame.missing_bytes == 0;

        if frame.part_of.is_control() {
            if is_whole {
                return Ok(Step::InPlace(frame.part_of, here));
            }
            self.keep(piece);
            if is_done {
                return Ok(Step::Collected(frame.part_of, self.take_last(frame.payload_bytes)));
            }
        } else {
            if is_done && frame.fin && self.buffer.is_empty() && is_whole {
                self.message = None;
                if frame.deflated {
                    return Ok(Step::Collected(frame.part_of, self.inflate(piece)?));
                }
                return Ok(Step::InPlace(frame.part_of, here));
            }
            if frame.part_of == Opcode::Text && !frame.deflated {
                self.utf8.push(piece)?;
            }
            self.keep(piece);
            if is_done && frame.fin {
                self.message = None;
                let collected = std::mem::take(&mut self.buffer);
                let message = if frame.deflated { self.inflate(&collected)? } else { collected };
                return Ok(Step::Collected(frame.part_of, message));
            }
            if is_done {
                return Ok(Step::Onward);
            }
        }
        self.frame = Some(frame);
        Ok(Step::Starved)
    }

    fn inflate(&self, deflated: &[u8]) -> Result<Vec<u8>, CodecError> {
        deflate::inflate(deflated, self.limits.message_bytes_max)
    }

    /// Appends to the buffer, which doubles as it fills but never beyond what the limits allow.
    fn keep(&mut self, piece: &[u8]) {
        let needed_bytes = self.buffer.len() + piece.len();
        if needed_bytes > self.buffer.capacity() {
            let doubled_bytes = (self.buffer.capacity() * 2).min(self.limits.message_bytes_max);
            self.buffer.reserve_exact(doubled_bytes.max(needed_bytes) - self.buffer.len());
        }
        self.buffer.extend_from_slice(piece);
    }

    /// Takes a collected control payload off the end of the buffer; the message before it stays.
    fn take_last(&mut self, payload_bytes: usize) -> Vec<u8> {
        let message_bytes = self.buffer.len() - payload_bytes;
        if message_bytes == 0 {
            return std::mem::take(&mut self.buffer);
        }
        self.buffer.split_off(message_bytes)
    }
}

#[cfg(test)]
mod tests;
