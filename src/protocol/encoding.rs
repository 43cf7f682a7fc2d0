//! In which form one connection's frames travel: agreed in the handshake, the same until its end.

use bytes::Bytes;

use super::msgpack;
use crate::telemetry::Counter;
use crate::websocket::{Opcode, deflated_frame, payload_of};

/// What a frame's bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON in text frames.
    Json,
    /// MessagePack in binary frames, the same fields.
    Msgpack,
}

impl Encoding {
    /// All.
    pub const ALL: [Self; 2] = [Self::Json, Self::Msgpack];

    /// The sub-protocols of the encodings.
    pub const SUB_PROTOCOLS: &'static [&'static str] =
        &[Self::Json.sub_protocol(), Self::Msgpack.sub_protocol()];

    /// The encoding of a sub-protocol that was chosen; JSON when none was.
    pub fn of(sub_protocol: Option<&str>) -> Self {
        if sub_protocol == Some(Self::Msgpack.sub_protocol()) { Self::Msgpack } else { Self::Json }
    }

    /// The name in the handshake.
    pub const fn sub_protocol(self) -> &'static str {
        match self {
            Self::Json => "infrawatch.v1.json",
            Self::Msgpack => "infrawatch.v1.msgpack",
        }
    }

    /// The name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Msgpack => "msgpack",
        }
    }

    /// Which messages it has, in words.
    pub fn kind_of_frames(self) -> &'static str {
        match self {
            Self::Json => "text",
            Self::Msgpack => "binary",
        }
    }

    fn opcode(self) -> Opcode {
        match self {
            Self::Json => Opcode::Text,
            Self::Msgpack => Opcode::Binary,
        }
    }
}

/// How the frames of one connection are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// What their bytes mean.
    pub encoding: Encoding,
    /// From how many bytes of payload on they are compressed; `None` when the client did not agree to it.
    pub deflate_bytes_min: Option<u32>,
}

impl Format {
    /// What every client understands, and what the hub makes first.
    pub const JSON: Self = Self { encoding: Encoding::Json, deflate_bytes_min: None };

    /// How many formats there are.
    pub const COUNT: usize = 4;

    /// Place of this format among all; 0 is [`Format::JSON`].
    pub fn index(self) -> usize {
        usize::from(self.encoding == Encoding::Msgpack) * 2 + usize::from(self.deflate_bytes_min.is_some())
    }

    /// The label of metrics.
    pub fn name(self) -> &'static str {
        match (self.encoding, self.deflate_bytes_min) {
            (Encoding::Json, None) => "json",
            (Encoding::Json, Some(_)) => "json_deflate",
            (Encoding::Msgpack, None) => "msgpack",
            (Encoding::Msgpack, Some(_)) => "msgpack_deflate",
        }
    }

    /// The same encoding without compression.
    pub fn plain(self) -> Self {
        Self { deflate_bytes_min: None, ..self }
    }

    /// A JSON frame for one connection in this format. Frames for many are a
    /// [`SharedFrame`](super::frame::SharedFrame), which does this once.
    pub fn encode(self, json: &Bytes) -> Bytes {
        let plain = match self.encoding {
            Encoding::Json => json.clone(),
            Encoding::Msgpack => msgpack::frame_of_json(&payload_of(json)),
        };
        self.compress(plain)
    }

    /// The plain frame of this encoding, compressed if that is agreed and makes it shorter.
    pub(super) fn compress(self, plain: Bytes) -> Bytes {
        let Some(bytes_min) = self.deflate_bytes_min else { return plain };
        let payload = payload_of(&plain);
        if payload.len() < bytes_min as usize {
            return plain;
        }
        let deflated = deflated_frame(self.encoding.opcode(), &payload).unwrap_or(plain);
        Counter::DeflateFrames.add(1);
        Counter::DeflateBytesIn.add(payload.len() as u64);
        Counter::DeflateBytesOut.add(deflated.len() as u64);
        deflated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frame;

    const DEFLATED: Format = Format { encoding: Encoding::Json, deflate_bytes_min: Some(256) };

    #[test]
    fn every_format_has_its_place_and_name() {
        let formats = Encoding::ALL.into_iter().flat_map(|encoding| {
            [None, Some(0)].map(|deflate_bytes_min| Format { encoding, deflate_bytes_min })
        });
        for (index, format) in formats.enumerate() {
            assert_eq!(format.index(), index);
            assert_eq!(format.plain().index(), index / 2 * 2);
            assert!(format.name().starts_with(format.encoding.as_str()));
            assert_eq!(Encoding::of(Some(format.encoding.sub_protocol())), format.encoding);
        }
        assert_eq!(Encoding::of(None), Encoding::Json);
    }

    #[test]
    fn what_is_short_is_not_compressed() {
        for payload_bytes in [0, 255] {
            let plain = frame(Opcode::Text, &vec![b' '; payload_bytes]);
            assert_eq!(DEFLATED.encode(&plain).as_ptr(), plain.as_ptr(), "shared, not copied");
        }
        let plain = frame(Opcode::Text, &[b' '; 256]);
        let deflated = DEFLATED.encode(&plain);
        assert_eq!((plain[0], deflated[0]), (0x81, 0xc1));
        assert!(deflated.len() < 20);
        assert_eq!(Format::JSON.encode(&plain), plain);
    }
}
