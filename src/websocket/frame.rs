//! The header of a client frame, and the checks that need nothing but the header.

use super::CodecError;

/// The longest header of a client frame: two bytes, a 64-bit length, the mask.
pub const HEADER_BYTES_MAX: usize = 14;
/// The longest payload of a ping, pong or close frame.
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation = 0,
    /// UTF-8 text, or its first part.
    Text = 1,
    /// Bytes, or their first part.
    Binary = 2,
    /// The end of the conversation.
    Close = 8,
    /// Asks for a pong with the same payload.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    fn parse(bits: u8) -> Result<Self, CodecError> {
        match bits {
            0 => Ok(Self::Continuation),
            1 => Ok(Self::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            other => Err(CodecError::ReservedOpcode(other)),
        }
    }

    /// Whether the frame is a ping, pong or close, which may stand between the parts of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of one frame of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits, RSV1 as 4; whether they are allowed depends on the connection.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The mask of the payload.
    pub key: [u8; 4],
    /// The declared payload length in bytes.
    pub payload_bytes: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`: the header and its own length in bytes, or `None`
    /// while it is incomplete.
    ///
    /// # Errors
    /// What a header can get wrong by itself, as early as the bytes show it: opcode, mask bit,
    /// length form, control frames that are long or fragmented.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, CodecError> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::parse(first & 0x0f)?;
        let fin = first & FIN != 0;
        if second & MASKED == 0 {
            return Err(CodecError::Unmasked);
        }
        let short = second & !MASKED;
        if opcode.is_control() {
            if !fin {
                return Err(CodecError::FragmentedControl);
            }
            if usize::from(short) > CONTROL_PAYLOAD_BYTES_MAX {
                return Err(CodecError::LongControl);
            }
        }
        let Some((payload_bytes, rest)) = parse_length(short, rest)? else { return Ok(None) };
        let Some(&key) = rest.first_chunk::<4>() else { return Ok(None) };
        let header = Self { fin, reserved: (first & RESERVED) >> 4, opcode, key, payload_bytes };
        Ok(Some((header, bytes.len() - rest.len() + key.len())))
    }
}

/// The payload length and what follows it, or `None` while it is incomplete.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, CodecError> {
    match short {
        LENGTH_16 => {
            let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            if length < u16::from(LENGTH_16) {
                return Err(CodecError::LengthNotMinimal);
            }
            Ok(Some((u64::from(length), rest)))
        }
        LENGTH_64 => {
            let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*length);
            if length > u64::MAX >> 1 {
                return Err(CodecError::LengthTopBit);
            }
            if length <= u64::from(u16::MAX) {
                return Err(CodecError::LengthNotMinimal);
            }
            Ok(Some((length, rest)))
        }
        short => Ok(Some((u64::from(short), rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_length_form_at_its_edges() {
        let table: &[(&[u8], u64, usize)] = &[
            (&[0x82, 0x80, 1, 2, 3, 4], 0, 6),
            (&[0x82, 0xfd, 1, 2, 3, 4], 125, 6),
            (&[0x82, 0xfe, 0, 126, 1, 2, 3, 4], 126, 8),
            (&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4], 65_535, 8),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536, 14),
            (&[0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4], u64::MAX >> 1, 14),
        ];
        for (bytes, payload_bytes, header_bytes) in table {
            let expected = Header {
                fin: true,
                reserved: 0,
                opcode: Opcode::Binary,
                key: [1, 2, 3, 4],
                payload_bytes: *payload_bytes,
            };
            assert_eq!(Header::parse(bytes), Ok(Some((expected, *header_bytes))));
            for cut in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..cut]), Ok(None), "{bytes:x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn refuses_what_the_header_alone_shows() {
        let table: &[(&[u8], CodecError)] = &[
            (&[0x83, 0x80], CodecError::ReservedOpcode(3)),
            (&[0x87, 0x80], CodecError::ReservedOpcode(7)),
            (&[0x8b, 0x80], CodecError::ReservedOpcode(11)),
            (&[0x8f, 0x80], CodecError::ReservedOpcode(15)),
            (&[0x81, 0x05], CodecError::Unmasked),
            (&[0x09, 0x80], CodecError::FragmentedControl),
            (&[0x08, 0x80], CodecError::FragmentedControl),
            (&[0x89, 0xfe], CodecError::LongControl),
            (&[0x8a, 0xff], CodecError::LongControl),
            (&[0x81, 0xfe, 0, 125], CodecError::LengthNotMinimal),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], CodecError::LengthNotMinimal),
            (&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], CodecError::LengthTopBit),
        ];
        for (bytes, error) in table {
            assert_eq!(Header::parse(bytes), Err(*error), "{bytes:x?}");
        }
    }
}
