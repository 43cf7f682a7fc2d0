//! The payload of compressed messages: RFC 7692, without context takeover.
//!
//! Every message stands alone, so one compressor and one decompressor a thread serve all connections;
//! they are made when a thread first needs them and reset between messages.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CodecError, FrameWriter, Opcode};

/// The hub's window, the largest there is: smaller ones take longer and say less with more bytes.
pub(super) const WINDOW_BITS: u8 = 15;

/// What a compressed message ends with and does not send: an empty block on a byte boundary.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// The unsent tail, then an empty last block: whoever reads that as such was at the end of a block.
const TAIL_AND_END: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// What a thread keeps of its output between messages, in bytes.
const OUTPUT_BYTES_KEPT: usize = 64 * 1_024;

/// The first step of an inflated message's memory, in bytes; it doubles from there.
const INFLATED_BYTES_MIN: usize = 1_024;

thread_local! {
    static DEFLATER: RefCell<Option<Deflater>> = const { RefCell::new(None) };
    static INFLATER: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

struct Deflater {
    stream: Compress,
    /// Reused, so that what leaves is copied once into exactly as many bytes as it has.
    output: Vec<u8>,
}

/// The compressed frame of a payload, shared by all that agreed on permessage-deflate; `None` when
/// compressing would not make it shorter.
#[must_use]
pub fn deflated_frame(opcode: Opcode, payload: &[u8]) -> Option<Bytes> {
    DEFLATER.with_borrow_mut(|deflater| {
        let frame = match deflater.get_or_insert_with(Deflater::new).deflate(payload) {
            Some(deflated) if deflated.len() < payload.len() => {
                let mut writer = FrameWriter::with_capacity(deflated.len());
                writer.push(deflated);
                Some(writer.finish_deflated(opcode))
            }
            Some(_longer) => None,
            None => {
                // A stream that is reset before its block has ended does not begin the next one.
                *deflater = None;
                return None;
            }
        };
        if let Some(deflater) = deflater {
            deflater.output.shrink_to(OUTPUT_BYTES_KEPT);
        }
        frame
    })
}

impl Deflater {
    fn new() -> Self {
        // Level 1: on the hub's frames the higher ones take twice to six times as long for a third less.
        let stream = Compress::new_with_window_bits(Compression::new(1), false, WINDOW_BITS);
        Self { stream, output: Vec::new() }
    }

    /// The payload compressed, without the tail; `None` when the stream did not come to its end.
    fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        self.stream.reset();
        self.output.clear();
        // Nine bits for each byte at worst, and what begins and ends a block.
        let bound_bytes = payload.len() + payload.len() / 8 + payload.len() / 64 + 64;
        self.output.reserve_exact(bound_bytes);
        self.stream.compress_vec(payload, &mut self.output, FlushCompress::Sync).ok()?;
        let has_room = self.output.len() < self.output.capacity();
        let took_all = self.stream.total_in() == payload.len() as u64;
        self.output.strip_suffix(&TAIL).filter(|_| has_room && took_all)
    }
}

/// The message that `deflated` is, of at most `bytes_max`.
///
/// # Errors
/// 1007 when the bytes are no such message, 1009 when it is longer; never more than `bytes_max` is
/// allocated for it.
pub(super) fn inflate(deflated: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    if deflated.is_empty() {
        // What a compressor makes that was given nothing.
        return Ok(Vec::new());
    }
    INFLATER.with_borrow_mut(|inflater| {
        let stream = inflater.get_or_insert_with(|| Decompress::new(false));
        let mut message = Inflating { stream, message: Vec::new(), bytes_max };
        let mut rest = deflated;
        loop {
            message.stream.reset(false);
            // A block that calls itself the last may be followed by others, after it or not at all.
            let Some(unread) = message.push(rest)? else { break };
            if unread.is_empty() {
                return Ok(message.message);
            }
            rest = unread;
        }
        let message_bytes = message.message.len();
        match message.push(&TAIL_AND_END)? {
            // A block that was cut would take the tail for its content.
            Some([]) if message.message.len() == message_bytes => Ok(message.message),
            _ => Err(CodecError::Deflate),
        }
    })
}

struct Inflating<'a> {
    stream: &'a mut Decompress,
    message: Vec<u8>,
    bytes_max: usize,
}

impl Inflating<'_> {
    /// Takes the next part of the stream in; what is behind its last block, if that was in it.
    fn push<'b>(&mut self, part: &'b [u8]) -> Result<Option<&'b [u8]>, CodecError> {
        let mut rest = part;
        loop {
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let is_full = self.message.len() == self.bytes_max;
            let status = if is_full {
                // One more byte than allowed is one too many, but the end may need none.
                self.stream.decompress(rest, &mut [0], FlushDecompress::None)
            } else {
                self.make_room(rest.len());
                self.stream.decompress_vec(rest, &mut self.message, FlushDecompress::None)
            };
            let status = status.map_err(|_place_unknown| CodecError::Deflate)?;
            if is_full && self.stream.total_out() > written {
                return Err(CodecError::InflatedTooLarge { max_bytes: self.bytes_max as u64 });
            }
            let taken = usize::try_from(self.stream.total_in() - read).unwrap_or(rest.len());
            rest = rest.get(taken..).unwrap_or_default();
            let has_room = self.message.len() < self.message.capacity() || is_full;
            match status {
                Status::StreamEnd => return Ok(Some(rest)),
                // Output may wait inside the stream while there was no room for it.
                _ if rest.is_empty() && has_room => return Ok(None),
                _ if taken == 0 && self.stream.total_out() == written && has_room => {
                    return Err(CodecError::Deflate);
                }
                _ => {}
            }
        }
    }

    /// Room for more of the message, never beyond the limit.
    fn make_room(&mut self, unread_bytes: usize) {
        let held_bytes = self.message.len();
        if held_bytes < self.message.capacity() {
            return;
        }
        let wanted_bytes = (held_bytes * 2).max(unread_bytes * 2).max(INFLATED_BYTES_MIN);
        self.message.reserve_exact(wanted_bytes.min(self.bytes_max) - held_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an unfragmented server frame carries.
    fn carried(frame: &[u8]) -> &[u8] {
        match frame[1] {
            126 => &frame[4..],
            127 => &frame[10..],
            _ => &frame[2..],
        }
    }

    /// Bytes in which nothing repeats.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 1u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        noise.take(bytes).collect()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let table: &[&[u8]] = &[
            b"\xf2\x48\xcd\xc9\xc9\x07\x00",
            // In a block without compression.
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            // In a block that calls itself the last.
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            // In two blocks.
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ];
        for deflated in table {
            assert_eq!(inflate(deflated, 5), Ok(b"Hello".to_vec()), "{deflated:x?}");
            assert_eq!(
                inflate(deflated, 4),
                Err(CodecError::InflatedTooLarge { max_bytes: 4 }),
                "{deflated:x?}"
            );
        }
        assert_eq!(inflate(b"\x00", 0), Ok(Vec::new()));
        assert_eq!(inflate(b"", 5), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_deflate_is_refused() {
        let table: &[&[u8]] = &[
            b"\xff",
            b"\x07",
            b"Hello",
            // Begun and not ended.
            b"\xf2\x48\xcd\xc9",
            b"\x00\x05\x00\xfa\xff\x48",
            // Refers to a message before it.
            b"\xf2\x00\x11\x00\x00",
        ];
        for deflated in table {
            assert_eq!(inflate(deflated, 1_000), Err(CodecError::Deflate), "{deflated:x?}");
        }
        // The same thread goes on as if nothing had been.
        assert_eq!(inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 100), Ok(b"Hello".to_vec()));
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let mut stream = Compress::new(Compression::best(), false);
        let mut bomb = Vec::with_capacity(64 << 10);
        stream.compress_vec(&vec![0; 16 << 20], &mut bomb, FlushCompress::Sync).unwrap();
        bomb.truncate(bomb.len() - TAIL.len());
        assert!(bomb.len() < 32 << 10, "{} bytes", bomb.len());
        for bytes_max in [0, 1, 1_000, 65_536] {
            let mut stream = Decompress::new(false);
            let mut message = Inflating { stream: &mut stream, message: Vec::new(), bytes_max };
            let error = message.push(&bomb).unwrap_err();
            assert_eq!(error, CodecError::InflatedTooLarge { max_bytes: bytes_max as u64 });
            assert!(message.message.capacity() <= bytes_max, "{}", message.message.capacity());
        }
    }

    #[test]
    fn what_would_not_get_shorter_stays_as_it_is() {
        assert_eq!(deflated_frame(Opcode::Text, b""), None);
        assert_eq!(deflated_frame(Opcode::Text, b"{}"), None);
        for byte in 0..=u8::MAX {
            assert_eq!(deflated_frame(Opcode::Binary, &[byte]), None, "{byte}");
        }
        assert_eq!(deflated_frame(Opcode::Binary, &noise(2_000)), None);
        let frame = deflated_frame(Opcode::Binary, &[7; 300]).unwrap();
        assert_eq!(frame[0], 0xc2, "final, RSV1, binary");
        assert!(frame.len() < 20, "{}", frame.len());
    }

    /// A stream that was left in the middle of a block says nonsense after its reset.
    #[test]
    fn what_cannot_be_compressed_leaves_nothing_behind() {
        let noise = noise(1_000_000);
        for noise_bytes in [1_000, 65_536, 1_000_000] {
            assert_eq!(deflated_frame(Opcode::Binary, &noise[..noise_bytes]), None);
            let text = vec![b'x'; 100];
            let frame = deflated_frame(Opcode::Text, &text).unwrap();
            assert_eq!(inflate(carried(&frame), 100), Ok(text), "after {noise_bytes} bytes of noise");
        }
    }

    #[test]
    fn a_thread_keeps_little() {
        deflated_frame(Opcode::Binary, &vec![7; 4 << 20]).unwrap();
        let kept = DEFLATER.with_borrow(|deflater| deflater.as_ref().map(|d| d.output.capacity()));
        assert_eq!(kept, Some(OUTPUT_BYTES_KEPT));
    }

    proptest! {
        #[test]
        fn what_is_deflated_inflates_to_the_same(
            parts in prop::collection::vec("[a-e]{1,9}|[0-9]{3}|.{0,4}", 0..400),
            spare_bytes in 0usize..3,
        ) {
            let payload = parts.concat();
            let Some(frame) = deflated_frame(Opcode::Text, payload.as_bytes()) else { return Ok(()) };
            prop_assert!(frame.len() < payload.len() + 4);
            let inflated = inflate(carried(&frame), payload.len() + spare_bytes);
            prop_assert_eq!(inflated, Ok(payload.clone().into_bytes()));
            let too_small = inflate(carried(&frame), payload.len() - 1);
            let expected = CodecError::InflatedTooLarge { max_bytes: payload.len() as u64 - 1 };
            prop_assert_eq!(too_small, Err(expected));
        }

        #[test]
        fn any_bytes_deflate_to_themselves_or_not_at_all(payload: Vec<u8>, repeat in 1usize..4) {
            let payload = payload.repeat(repeat);
            if let Some(frame) = deflated_frame(Opcode::Binary, &payload) {
                prop_assert_eq!(inflate(carried(&frame), payload.len()), Ok(payload));
            }
        }

        #[test]
        fn junk_is_an_error_or_a_message_within_the_limit(junk: Vec<u8>, bytes_max in 0usize..3_000) {
            match inflate(&junk, bytes_max) {
                Ok(message) => prop_assert!(message.len() <= bytes_max && message.capacity() <= bytes_max),
                Err(error) => prop_assert!(matches!(error.close_code(), 1007 | 1009)),
            }
        }
    }
}
