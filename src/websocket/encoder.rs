//! Frames the hub sends: unmasked, unfragmented, made once and shared by every receiver.

use std::io;

use bytes::Bytes;

use super::Opcode;

/// The longest header of a frame the hub sends: two bytes and a 64-bit length.
pub const SERVER_HEADER_BYTES_MAX: usize = 10;

const FIN: u8 = 0x80;
/// The first reserved bit: the message is compressed.
const RSV1: u8 = 0x40;

/// Writes the header of a final, unmasked frame to the start of `header` and returns its length in
/// bytes: 2, 4 or 10.
pub fn encode_header(
    opcode: Opcode,
    payload_bytes: usize,
    header: &mut [u8; SERVER_HEADER_BYTES_MAX],
) -> usize {
    header[0] = FIN | opcode as u8;
    if let Ok(short) = u8::try_from(payload_bytes)
        && short < 126
    {
        header[1] = short;
        return 2;
    }
    if let Ok(medium) = u16::try_from(payload_bytes) {
        header[1] = 126;
        header[2..4].copy_from_slice(&medium.to_be_bytes());
        return 4;
    }
    header[1] = 127;
    header[2..].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
    SERVER_HEADER_BYTES_MAX
}

/// The frame of one payload; its bytes lie in one allocation and are shared when cloned.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    frame_of_parts(opcode, &[payload])
}

/// The frame of a payload that lies in several parts, which are copied once, next to each other.
#[must_use]
pub fn frame_of_parts(opcode: Opcode, parts: &[&[u8]]) -> Bytes {
    let payload_bytes = parts.iter().map(|part| part.len()).sum();
    let mut header = [0; SERVER_HEADER_BYTES_MAX];
    let header_bytes = encode_header(opcode, payload_bytes, &mut header);
    // Exactly as long as needed: `Bytes` then takes the vector over as it is.
    let mut bytes = Vec::with_capacity(header_bytes + payload_bytes);
    bytes.extend_from_slice(&header[..header_bytes]);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    Bytes::from(bytes)
}

/// The payload of a frame that was made here.
#[must_use]
pub fn payload_of(frame: &Bytes) -> Bytes {
    let header_bytes = match frame.get(1) {
        Some(126) => 4,
        Some(127) => SERVER_HEADER_BYTES_MAX,
        _ => 2,
    };
    frame.slice(header_bytes.min(frame.len())..)
}

/// Collects a payload of unknown length behind room for the header, so that a serializer writes
/// straight into the frame.
///
/// ```
/// use infrawatch::websocket::{FrameWriter, Opcode};
///
/// let mut writer = FrameWriter::with_capacity(64);
/// serde_json::to_writer(&mut writer, &[1, 2, 3]).unwrap();
/// assert_eq!(&writer.finish(Opcode::Text)[..], b"\x81\x07[1,2,3]");
/// ```
#[derive(Debug)]
pub struct FrameWriter {
    bytes: Vec<u8>,
}

impl FrameWriter {
    /// A writer with room for a payload of `payload_bytes`; it grows when more is written.
    #[must_use]
    pub fn with_capacity(payload_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(SERVER_HEADER_BYTES_MAX + payload_bytes);
        bytes.resize(SERVER_HEADER_BYTES_MAX, 0);
        Self { bytes }
    }

    /// Appends to the payload.
    pub fn push(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// The payload so far, in bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len() - SERVER_HEADER_BYTES_MAX
    }

    /// Puts the header in front of the payload and hands the frame out.
    #[must_use]
    pub fn finish(self, opcode: Opcode) -> Bytes {
        self.finish_with(opcode, 0)
    }

    /// As [`FrameWriter::finish`], for a payload that is compressed.
    pub(super) fn finish_deflated(self, opcode: Opcode) -> Bytes {
        self.finish_with(opcode, RSV1)
    }

    fn finish_with(mut self, opcode: Opcode, reserved: u8) -> Bytes {
        let mut header = [0; SERVER_HEADER_BYTES_MAX];
        let header_bytes = encode_header(opcode, self.payload_bytes(), &mut header);
        header[0] |= reserved;
        let start = SERVER_HEADER_BYTES_MAX - header_bytes;
        self.bytes[start..SERVER_HEADER_BYTES_MAX].copy_from_slice(&header[..header_bytes]);
        Bytes::from(self.bytes).slice(start..)
    }
}

impl io::Write for FrameWriter {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.push(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_takes_its_shortest_form() {
        let table: &[(usize, &[u8])] = &[
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (payload_bytes, expected) in table {
            let mut header = [0; SERVER_HEADER_BYTES_MAX];
            let header_bytes = encode_header(Opcode::Text, *payload_bytes, &mut header);
            assert_eq!(&header[..header_bytes], *expected);

            let payload = vec![b'x'; *payload_bytes];
            let expected_frame = [expected, &payload[..]].concat();
            assert_eq!(frame(Opcode::Text, &payload), expected_frame);

            let (front, back) = payload.split_at(payload_bytes / 3);
            assert_eq!(frame_of_parts(Opcode::Text, &[front, b"", back]), expected_frame);
            let mut writer = FrameWriter::with_capacity(16);
            writer.push(front);
            writer.push(back);
            assert_eq!(writer.payload_bytes(), *payload_bytes);
            let written = writer.finish(Opcode::Text);
            assert_eq!(written, expected_frame);
            assert_eq!(payload_of(&written), payload);
        }
    }

    #[test]
    fn a_clone_shares_the_bytes() {
        let one = frame(Opcode::Binary, &[7; 500]);
        let two = one.clone();
        assert_eq!(one.as_ptr(), two.as_ptr());
    }
}
