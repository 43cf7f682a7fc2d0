//! UTF-8 that arrives in pieces, refused at the first byte that no continuation could repair.

use super::CodecError;

/// The state between two pieces: the bytes of a character that has begun but not ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8Check {
    begun: [u8; 4],
    begun_bytes: u8,
}

impl Utf8Check {
    /// Checks the next piece of the text.
    ///
    /// # Errors
    /// [`CodecError::Utf8`] as soon as the text so far cannot be the start of valid UTF-8.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), CodecError> {
        let rest = self.finish_character(piece)?;
        let Err(error) = simdutf8::compat::from_utf8(rest) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(CodecError::Utf8);
        }
        // At most three bytes: a fourth would have completed the character.
        for &byte in rest.iter().skip(error.valid_up_to()) {
            self.begin(byte);
        }
        Ok(())
    }

    /// Takes from `piece` what the begun character still needs and returns what is left.
    fn finish_character<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], CodecError> {
        let mut rest = piece;
        while self.begun_bytes > 0 {
            let Some((&byte, after)) = rest.split_first() else { break };
            rest = after;
            self.begin(byte);
            match std::str::from_utf8(&self.begun[..usize::from(self.begun_bytes)]) {
                Ok(_) => self.begun_bytes = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(CodecError::Utf8),
            }
        }
        Ok(rest)
    }

    fn begin(&mut self, byte: u8) {
        self.begun[usize::from(self.begun_bytes)] = byte;
        self.begun_bytes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The number of bytes after which the check refused, one byte at a time; `None` if it never did.
    fn refused_after(bytes: &[u8]) -> Option<usize> {
        let mut check = Utf8Check::default();
        bytes.iter().position(|byte| check.push(&[*byte]).is_err()).map(|at| at + 1)
    }

    #[test]
    fn refuses_at_the_first_impossible_byte() {
        let table: &[(&[u8], usize)] = &[
            (b"ok\xff", 3),
            (b"\xc0", 1),                 // only overlong forms start so
            (b"\xe0\x80", 2),             // overlong
            (b"\xed\xa0", 2),             // surrogate
            (b"\xf4\x90", 2),             // above U+10FFFF
            (b"\xf5", 1),                 // above U+10FFFF
            (b"\x80", 1),                 // continuation without a start
            (b"\xce\xba\xe1\xbd\x41", 5), // character cut short
        ];
        for (bytes, after) in table {
            assert_eq!(refused_after(bytes), Some(*after), "{bytes:x?}");
        }
    }

    #[test]
    fn accepts_every_character_cut_anywhere() {
        let text = "a\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{fffd}\u{ffff}\u{10000}\u{10ffff}";
        assert_eq!(refused_after(text.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn agrees_with_std_whatever_the_cuts(
            bytes in prop::collection::vec(prop_oneof![Just(0xe2u8), Just(0x82), Just(0xac), Just(0xf0), Just(0x9f), any::<u8>()], 0..24),
            piece_bytes in 1usize..6,
        ) {
            let mut check = Utf8Check::default();
            let refused = bytes.chunks(piece_bytes).any(|piece| check.push(piece).is_err());
            // An unfinished last character is not an error yet.
            let expected = std::str::from_utf8(&bytes).is_err_and(|error| error.error_len().is_some());
            prop_assert_eq!(refused, expected);
        }
    }
}
