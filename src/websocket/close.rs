//! The payload of close frames: which codes are allowed, and how it is read and written.

use bytes::Bytes;

use super::{CONTROL_PAYLOAD_BYTES_MAX, CodecError, Opcode, encoder};

/// Why a peer closes. Without a code the peer gave no reason at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseReason<'a> {
    /// The code, one that [`is_sendable`] allows.
    pub code: Option<u16>,
    /// Text for people, at most 123 bytes; empty when there is none.
    pub text: &'a str,
}

/// Whether the code may stand in a close frame: the registered ones except 1004, 1005, 1006 and
/// 1015, which only ever describe a close without a frame, and the ranges for libraries (3000) and
/// applications (4000).
#[must_use]
pub fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Reads the payload of a received close frame.
///
/// # Errors
/// 1002 for half a code or a code that is not [`is_sendable`], 1007 for a text that is not UTF-8.
pub(super) fn parse(payload: &[u8]) -> Result<CloseReason<'_>, CodecError> {
    match payload {
        [] => Ok(CloseReason { code: None, text: "" }),
        [_] => Err(CodecError::CloseTooShort),
        &[high, low, ref text @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            if !is_sendable(code) {
                return Err(CodecError::CloseCode(code));
            }
            match std::str::from_utf8(text) {
                Ok(text) => Ok(CloseReason { code: Some(code), text }),
                Err(_) => Err(CodecError::Utf8),
            }
        }
    }
}

/// A close frame with `code` and as much of `text` as its 123 bytes hold, cut between characters.
#[must_use]
pub fn close_frame(code: u16, text: &str) -> Bytes {
    debug_assert!(is_sendable(code), "close code {code} is not for the wire");
    let text = &text[..text.floor_char_boundary(CONTROL_PAYLOAD_BYTES_MAX - 2)];
    encoder::frame_of_parts(Opcode::Close, &[&code.to_be_bytes(), text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_code_and_text() {
        assert_eq!(parse(b""), Ok(CloseReason { code: None, text: "" }));
        assert_eq!(parse(b"\x03\xe8"), Ok(CloseReason { code: Some(1000), text: "" }));
        assert_eq!(parse(b"\x0f\xa1\xc3\xa9"), Ok(CloseReason { code: Some(4001), text: "é" }));
        assert_eq!(parse(b"\x0f\xa1bye"), Ok(CloseReason { code: Some(4001), text: "bye" }));
        assert_eq!(parse(b"\x03"), Err(CodecError::CloseTooShort));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(CodecError::Utf8));
    }

    #[test]
    fn every_code_is_judged_as_the_registry_says() {
        let forbidden = |code: u16| matches!(code, 0..=999 | 1004..=1006 | 1015..=2999 | 5000..);
        for code in 0..=u16::MAX {
            assert_eq!(is_sendable(code), !forbidden(code), "{code}");
            assert_eq!(parse(&code.to_be_bytes()).is_ok(), !forbidden(code), "{code}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let frame = close_frame(1009, &"é".repeat(100));
        assert_eq!(frame[..4], [0x88, 124, 0x03, 0xf1]);
        assert_eq!(std::str::from_utf8(&frame[4..]).unwrap(), "é".repeat(61));
        assert_eq!(&close_frame(4001, "replaced")[..], b"\x88\x0a\x0f\xa1replaced");
    }
}
