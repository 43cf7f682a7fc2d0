//! One frame of the hub's, shared by all sockets it goes to.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::encoding::Format;

/// A whole frame in every format that somebody asked for: each is made at most once, by whichever worker
/// needs it first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedFrame(Arc<Forms>);

#[derive(Debug)]
struct Forms {
    json: Bytes,
    /// Most frames need none of them.
    others: OnceLock<Box<[OnceLock<Bytes>; Format::COUNT - 1]>>,
}

impl SharedFrame {
    /// A JSON text frame.
    pub fn json(frame: Bytes) -> Self {
        Self(Arc::new(Forms { json: frame, others: OnceLock::new() }))
    }

    /// The JSON text frame.
    pub fn as_json(&self) -> &Bytes {
        &self.0.json
    }

    /// The frame in a format.
    pub fn get(&self, format: Format) -> &Bytes {
        let Some(other) = format.index().checked_sub(1) else { return self.as_json() };
        self.0.others.get_or_init(Box::default)[other].get_or_init(|| {
            if format == format.plain() {
                return format.encode(self.as_json());
            }
            format.compress(self.get(format.plain()).clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::encoding::Encoding;
    use crate::websocket::{Opcode, frame, payload_of};

    fn formats() -> impl Iterator<Item = Format> {
        Encoding::ALL.into_iter().flat_map(|encoding| {
            [None, Some(100)].map(|deflate_bytes_min| Format { encoding, deflate_bytes_min })
        })
    }

    #[test]
    fn each_format_is_made_once_whoever_asks() {
        let text = format!(r#"{{"type":"message","payload":"{}"}}"#, "ab".repeat(200));
        let shared = SharedFrame::json(frame(Opcode::Text, text.as_bytes()));
        let made: Vec<*const u8> = formats().map(|format| shared.get(format).as_ptr()).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let shared = shared.clone();
                let made: Vec<usize> = made.iter().map(|address| *address as usize).collect();
                scope.spawn(move || {
                    for (format, address) in formats().zip(made) {
                        assert_eq!(shared.get(format).as_ptr() as usize, address);
                    }
                });
            }
        });
        let firsts: Vec<u8> = formats().map(|format| shared.get(format)[0]).collect();
        assert_eq!(firsts, [0x81, 0xc1, 0x82, 0xc2]);
        assert_eq!(payload_of(shared.as_json()), text);
    }

    #[test]
    fn a_short_frame_is_one_and_the_same_compressed_or_not() {
        let shared = SharedFrame::json(frame(Opcode::Text, b"{}"));
        let [json, json_deflate, msgpack, msgpack_deflate] =
            formats().map(|format| shared.get(format).clone()).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((json.as_ptr(), msgpack.as_ptr()), (json_deflate.as_ptr(), msgpack_deflate.as_ptr()));
        assert_eq!(&msgpack[..], b"\x82\x01\x80");
    }
}
