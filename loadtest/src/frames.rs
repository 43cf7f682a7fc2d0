//! WebSocket frames as far as a bench needs them, apart from the hub's codec on purpose: a mistake
//! there must not be invisible because both sides share it.

use anyhow::{Result, bail};
use flate2::{Decompress, FlushDecompress, Status};

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const FIN: u8 = 0x80;
/// The first reserved bit: the message is compressed.
const RSV1: u8 = 0x40;
const KEY: [u8; 4] = [0x5a, 0x21, 0xc3, 0x94];
/// Nothing a bench receives is longer, in bytes.
const PAYLOAD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One frame inside a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    deflated: bool,
    /// The mask when the frame came from a client.
    key: Option<[u8; 4]>,
    payload: &'a [u8],
    /// Header and payload together, in bytes.
    pub(crate) wire_bytes: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, or `None` while it is incomplete.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<Option<Self>> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let deflated = first & RSV1 != 0;
        if first & !RSV1 & 0xf0 != FIN {
            bail!("fragmented frame or reserved bits: {first:#x}");
        }
        let (length, rest) = match second & 0x7f {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                (u64::from_be_bytes(*length), rest)
            }
            short => (u64::from(short), rest),
        };
        if length > PAYLOAD_BYTES_MAX {
            bail!("frame of {length} bytes");
        }
        let (key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
            (Some(*key), rest)
        };
        let Some(payload) = rest.get(..usize::try_from(length)?) else { return Ok(None) };
        let wire_bytes = bytes.len() - rest.len() + payload.len();
        Ok(Some(Self { opcode: first & 0x0f, deflated, key, payload, wire_bytes }))
    }

    /// The payload of a server's frame, as it lies in the buffer.
    pub(crate) fn plain(&self) -> Result<&'a [u8]> {
        if self.key.is_some() {
            bail!("the server masked a frame");
        }
        if self.deflated {
            bail!("a compressed frame that nobody asked for");
        }
        Ok(self.payload)
    }

    /// Whether it is about the connection and not what the connection is for.
    pub(crate) fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }

    /// As [`Frame::plain`], inflated if it is compressed.
    pub(crate) fn read<'b>(&self, inflater: &'b mut Inflater) -> Result<&'b [u8]>
    where
        'a: 'b,
    {
        if self.deflated && self.key.is_none() { inflater.inflate(self.payload) } else { self.plain() }
    }

    /// Appends the payload of a client's frame, unmasked.
    pub(crate) fn unmask_into(&self, out: &mut Vec<u8>) -> Result<()> {
        let Some(key) = self.key else { bail!("the client did not mask a frame") };
        out.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        Ok(())
    }
}

/// Inflates messages.
pub(crate) struct Inflater {
    stream: Decompress,
    message: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { stream: Decompress::new(false), message: Vec::new() }
    }

    fn inflate(&mut self, deflated: &[u8]) -> Result<&[u8]> {
        self.stream.reset(false);
        self.message.clear();
        for part in [deflated, &[0, 0, 0xff, 0xff]] {
            self.push(part)?;
        }
        Ok(&self.message)
    }

    fn push(&mut self, mut part: &[u8]) -> Result<()> {
        while !part.is_empty() {
            if self.message.len() as u64 > PAYLOAD_BYTES_MAX {
                bail!("a message of more than {PAYLOAD_BYTES_MAX} bytes when inflated");
            }
            self.message.reserve(part.len() * 4);
            let before = self.stream.total_in();
            let status = self.stream.decompress_vec(part, &mut self.message, FlushDecompress::None)?;
            let read_bytes = usize::try_from(self.stream.total_in() - before)?;
            if status == Status::StreamEnd || read_bytes == 0 && status == Status::BufError {
                bail!("a compressed message that ends too early");
            }
            part = &part[read_bytes..];
        }
        Ok(())
    }
}

fn push_header(opcode: u8, payload_bytes: usize, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short), _) if short < 126 => out.push(mask_bit | short),
        (_, Ok(medium)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// Appends a server's frame.
pub(crate) fn push_plain(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    push_header(opcode, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

/// Appends a client's frame, masked as clients must.
pub(crate) fn push_masked(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    push_header(opcode, payload.len(), 0x80, out);
    out.extend_from_slice(&KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [usize; 6] = [0, 125, 126, 65_535, 65_536, 200_000];

    #[test]
    fn every_length_form_comes_back_and_is_incomplete_until_its_last_byte() {
        for length in LENGTHS {
            let payload = vec![b'p'; length];
            let mut wire = Vec::new();
            push_plain(TEXT, &payload, &mut wire);
            for cut in [0, 1, 2, 3, wire.len() - 1] {
                assert_eq!(Frame::split(&wire[..cut.min(wire.len() - 1)]).unwrap(), None);
            }
            let whole = wire.len();
            wire.extend_from_slice(b"next");
            let frame = Frame::split(&wire).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.wire_bytes), (TEXT, whole));
            assert_eq!(frame.plain().unwrap(), payload);
        }
    }

    #[test]
    fn a_masked_frame_is_unmasked_again() {
        for length in LENGTHS {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let mut wire = Vec::new();
            push_masked(PONG, &payload, &mut wire);
            let frame = Frame::split(&wire).unwrap().unwrap();
            let mut unmasked = Vec::new();
            frame.unmask_into(&mut unmasked).unwrap();
            assert_eq!((unmasked, frame.wire_bytes), (payload, wire.len()));
            assert!(frame.plain().is_err());
        }
    }

    #[test]
    fn the_frame_of_the_rfc_is_read() {
        let frame = Frame::split(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").unwrap().unwrap();
        let mut hello = Vec::new();
        frame.unmask_into(&mut hello).unwrap();
        assert_eq!(hello, b"Hello");
    }

    #[test]
    fn compressed_frames_are_read_again_and_again() {
        let mut inflater = Inflater::new();
        for _ in 0..2 {
            for (wire, text) in [
                (&b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..], "Hello"),
                (b"\xc1\x0b\x00\x05\x00\xfa\xffHello\x00", "Hello"),
                (b"\x81\x02Hi", "Hi"),
            ] {
                let frame = Frame::split(wire).unwrap().unwrap();
                assert_eq!(frame.read(&mut inflater).unwrap(), text.as_bytes());
            }
        }
        let broken = Frame::split(b"\xc1\x05Hello").unwrap().unwrap();
        assert!(broken.read(&mut inflater).is_err());
    }

    #[test]
    fn what_a_bench_never_expects_is_an_error() {
        assert!(Frame::split(b"\x01\x00").is_err());
        assert!(Frame::split(b"\xa1\x00").is_err());
        assert!(Frame::split(b"\xc1\x00").unwrap().unwrap().plain().is_err());
        assert!(Frame::split(b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00").is_err());
    }
}
