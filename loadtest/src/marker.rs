//! The stamp inside every published payload: when it was due and which one it is.
//!
//! Fixed length and plain letters, so that it survives any envelope unescaped and is found by a
//! search for its tag: `#iw` + 16 hex digits of monotonic nanoseconds + 8 of the sequence.

use std::io::Write as _;

use memchr::memmem::Finder;

const TAG: &[u8; 3] = b"#iw";
/// The length of a marker in bytes.
pub(crate) const MARKER_BYTES: usize = TAG.len() + 16 + 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Monotonic time at which the message was due, in nanoseconds.
    pub(crate) due_ns: u64,
    /// The number of the message within its run, from zero.
    pub(crate) sequence: u32,
}

impl Marker {
    /// Appends the marker and `x` up to `payload_bytes` altogether, at least the marker itself.
    pub(crate) fn write(self, payload_bytes: usize, out: &mut Vec<u8>) {
        let end = out.len() + payload_bytes.max(MARKER_BYTES);
        out.extend_from_slice(TAG);
        // Writing to a vector cannot fail.
        let _ = write!(out, "{:016x}{:08x}", self.due_ns, self.sequence);
        out.resize(end, b'x');
    }

    /// The same as a string of JSON.
    pub(crate) fn write_quoted(self, payload_bytes: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        self.write(payload_bytes, out);
        out.push(b'"');
    }

    fn read(digits: &[u8]) -> Option<Self> {
        let due_ns = hex(digits.get(..16)?)?;
        let sequence = u32::try_from(hex(digits.get(16..24)?)?).ok()?;
        Some(Self { due_ns, sequence })
    }
}

/// What each byte is as a digit; above 15 what is none.
const DIGITS: [u8; 256] = {
    let mut table = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    table
};

fn hex(digits: &[u8]) -> Option<u64> {
    let (mut value, mut all) = (0, 0);
    for digit in digits {
        let digit = DIGITS[usize::from(*digit)];
        value = value << 4 | u64::from(digit);
        all |= digit;
    }
    (all < 16).then_some(value)
}

/// Finds markers; made once, because the search is prepared.
pub(crate) struct Search(Finder<'static>);

impl Search {
    pub(crate) fn new() -> Self {
        Self(Finder::new(TAG))
    }

    /// Every marker in a frame's payload; a batch frame has several.
    pub(crate) fn find<'a>(&'a self, payload: &'a [u8]) -> impl Iterator<Item = Marker> + 'a {
        self.0.find_iter(payload).filter_map(|at| Marker::read(payload.get(at + TAG.len()..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(payload: &[u8]) -> Vec<Marker> {
        Search::new().find(payload).collect()
    }

    #[test]
    fn a_marker_is_found_in_any_envelope() {
        let one = Marker { due_ns: 1_234_567_890_123, sequence: 7 };
        let two = Marker { due_ns: u64::MAX, sequence: u32::MAX };
        let mut payload = br##"{"type":"batch","payload":["##.to_vec();
        one.write(200, &mut payload);
        payload.extend_from_slice(br##"","#i","#"##);
        two.write(0, &mut payload);
        payload.extend_from_slice(br#""]}"#);
        assert_eq!(find(&payload), [one, two]);
    }

    #[test]
    fn a_payload_has_the_length_asked_for() {
        for (asked, got) in [(0, MARKER_BYTES), (MARKER_BYTES, MARKER_BYTES), (200, 200)] {
            let mut payload = Vec::new();
            Marker { due_ns: 1, sequence: 2 }.write(asked, &mut payload);
            assert_eq!(payload.len(), got);
        }
    }

    #[test]
    fn what_only_looks_like_one_is_passed_over() {
        assert_eq!(find(b"#iw0123"), []);
        assert_eq!(find(b"#iw00000000000000000000000g"), []);
        assert_eq!(find(b""), []);
    }
}
