//! Which messages a read brought, as it is asked for every delivery.
//!
//! Subscribers of one topic get the same bytes. So what a search found in a stretch of frames is remembered with the
//! stretch, and counts for bytes that are all equal: they are compared ten times as fast as they are taken apart and
//! searched, and nothing is assumed of where a frame ends or a marker stands. What is not known is searched, whatever it
//! looks like.

use anyhow::Result;

use crate::frames::{Frame, Inflater};
use crate::marker::{Marker, Search};
use crate::protocol;

/// Stretches that are remembered. Those on their way at one time are a few dozen, and stay in the CPU's caches.
const KNOWN: usize = 256;
/// A stretch ends with the frame that reaches this length, in bytes.
const STRETCH_BYTES: usize = 32 * 1024;
/// The first bytes tell stretches apart well enough to find their places: ids and numbers are there.
const HEAD_BYTES: usize = 80;

/// Messages with consecutive numbers that were due at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Monotonic time at which they were due, in nanoseconds.
    pub(crate) due_ns: u64,
    /// The number of the first message.
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Run {
    /// What is left of it before this number, if there is one.
    pub(crate) fn before(self, until: Option<u32>) -> Self {
        let count = until.map_or(self.count, |until| self.count.min(until.saturating_sub(self.first)));
        Self { count, ..self }
    }

    /// Takes a message in if it continues the run.
    fn extend(&mut self, marker: Marker) -> bool {
        let continues =
            marker.due_ns == self.due_ns && self.first.checked_add(self.count) == Some(marker.sequence);
        self.count += u32::from(continues);
        continues
    }
}

/// Frames, and the messages in them.
#[derive(Default)]
pub(crate) struct Messages {
    /// The frames as they came, whole.
    wire: Vec<u8>,
    /// In the order of the frames.
    pub(crate) runs: Vec<Run>,
    /// Of the frames with messages, headers included.
    pub(crate) wire_bytes: usize,
    /// Of the last of them, if it has one.
    pub(crate) last_offset: Option<u64>,
}

/// Finds the messages in frames.
pub(crate) struct Scanner {
    search: Search,
    /// A stretch has one place, which the next one with the same place takes over.
    known: Vec<Messages>,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { search: Search::new(), known: (0..KNOWN).map(|_| Messages::default()).collect() }
    }

    /// The messages in the frames at the start of `wire` and how long these frames are; `None` when the first is not
    /// whole, or a control frame.
    #[inline]
    pub(crate) fn scan(
        &mut self,
        wire: &[u8],
        inflater: &mut Inflater,
    ) -> Result<Option<(&Messages, usize)>> {
        let known = &mut self.known[place(wire)];
        let is_known = !known.wire.is_empty() && wire.starts_with(&known.wire);
        if !is_known && !known.learn(&self.search, inflater, wire)? {
            return Ok(None);
        }
        Ok(Some((known, known.wire.len())))
    }
}

impl Messages {
    /// Becomes what is at the start of `wire`; false, and nothing changes, if there is no whole frame with data.
    #[cold]
    fn learn(&mut self, search: &Search, inflater: &mut Inflater, wire: &[u8]) -> Result<bool> {
        let mut rest = wire;
        while wire.len() - rest.len() < STRETCH_BYTES
            && let Some(frame) = Frame::split(rest)?
            && !frame.is_control()
        {
            if rest.len() == wire.len() {
                self.clear();
            }
            self.add(search, frame.read(inflater)?, frame.wire_bytes);
            rest = &rest[frame.wire_bytes..];
        }
        let length = wire.len() - rest.len();
        if length > 0 {
            self.wire.extend_from_slice(&wire[..length]);
        }
        Ok(length > 0)
    }

    fn clear(&mut self) {
        self.wire.clear();
        self.runs.clear();
        (self.wire_bytes, self.last_offset) = (0, None);
    }

    fn add(&mut self, search: &Search, payload: &[u8], wire_bytes: usize) {
        let mut found = false;
        for marker in search.find(payload) {
            found = true;
            if !self.runs.last_mut().is_some_and(|run| run.extend(marker)) {
                self.runs.push(Run { due_ns: marker.due_ns, first: marker.sequence, count: 1 });
            }
        }
        if found {
            self.wire_bytes += wire_bytes;
            self.last_offset = protocol::last_offset(payload).or(self.last_offset);
        }
    }
}

/// The place of a stretch among the known ones. That two have the same costs a search, and nothing else.
#[inline]
fn place(wire: &[u8]) -> usize {
    let head = wire.get(..HEAD_BYTES).unwrap_or(wire);
    let words = head.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let mixed =
        words.fold(0, |mixed: u64, word| (mixed.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (mixed >> 32) as usize % KNOWN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frames::{PING, TEXT, push_masked, push_plain};

    fn batch(markers: &[(u64, u32, usize)]) -> Vec<u8> {
        let mut payload = br##"{"version":1,"type":"batch","id":"#i""##.to_vec();
        for &(due_ns, sequence, payload_bytes) in markers {
            payload.extend_from_slice(format!(r#",{{"offset":{},"data":"#, sequence % 7 + 1).as_bytes());
            Marker { due_ns, sequence }.write_quoted(payload_bytes, &mut payload);
        }
        payload
    }

    fn wire(frames: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        frames.iter().for_each(|payload| push_plain(TEXT, payload, &mut wire));
        wire
    }

    fn markers(runs: &[Run]) -> impl Iterator<Item = Marker> {
        runs.iter().flat_map(|run| {
            (0..run.count).map(|step| Marker { due_ns: run.due_ns, sequence: run.first + step })
        })
    }

    /// All that the scanner finds: markers, bytes of frames with messages, length of all frames.
    fn scan(scanner: &mut Scanner, wire: &[u8]) -> Result<(Vec<Marker>, usize, usize)> {
        let (mut found, mut message_bytes, mut rest) = (Vec::new(), 0, wire);
        while let Some((messages, length)) = scanner.scan(rest, &mut Inflater::new())? {
            found.extend(markers(&messages.runs));
            message_bytes += messages.wire_bytes;
            rest = &rest[length..];
        }
        Ok((found, message_bytes, wire.len() - rest.len()))
    }

    /// The same, frame by frame and without a memory.
    fn scan_plainly(wire: &[u8]) -> Result<(Vec<Marker>, usize, usize)> {
        let (mut found, mut message_bytes, mut rest) = (Vec::new(), 0, wire);
        while let Some(frame) = Frame::split(rest)?
            && !frame.is_control()
        {
            let before = found.len();
            found.extend(Search::new().find(frame.plain()?));
            message_bytes += if found.len() > before { frame.wire_bytes } else { 0 };
            rest = &rest[frame.wire_bytes..];
        }
        Ok((found, message_bytes, wire.len() - rest.len()))
    }

    #[test]
    fn consecutive_messages_due_at_the_same_time_are_one_run() {
        let one = batch(&[(5, 7, 0), (5, 8, 90)]);
        let two = batch(&[(5, 9, 0), (6, 10, 0), (6, 12, 0), (6, 12, 0), (6, 11, 0)]);
        let runs = [(5, 7, 3), (6, 10, 1), (6, 12, 1), (6, 12, 1), (6, 11, 1)];
        let runs = runs.map(|(due_ns, first, count)| Run { due_ns, first, count });
        let (mut scanner, wire) = (Scanner::new(), wire(&[&one, &two, br#""offset":7"#]));
        for _ in 0..2 {
            let (messages, length) = scanner.scan(&wire, &mut Inflater::new()).unwrap().unwrap();
            assert_eq!((&messages.runs[..], length), (&runs[..], wire.len()));
            assert_eq!(messages.wire_bytes, wire.len() - 2 - r#""offset":7"#.len());
            assert_eq!(messages.last_offset, Some(5));
        }
        let wire = self::wire(&[&batch(&[(5, u32::MAX, 0), (5, 0, 0)])]);
        assert_eq!(scan(&mut scanner, &wire).unwrap(), scan_plainly(&wire).unwrap());
    }

    #[test]
    fn a_run_ends_before_a_number() {
        let run = Run { due_ns: 5, first: 7, count: 3 };
        let counts = [None, Some(20), Some(9), Some(7), Some(0)].map(|until| run.before(until).count);
        assert_eq!(counts, [3, 3, 2, 0, 0]);
    }

    #[test]
    fn a_control_frame_ends_a_stretch() {
        let message = batch(&[(5, 7, 0)]);
        let (mut scanner, mut inflater, mut wire) = (Scanner::new(), Inflater::new(), wire(&[&message]));
        let length = wire.len();
        push_plain(PING, &message, &mut wire);
        for _ in 0..2 {
            assert_eq!(scanner.scan(&wire, &mut inflater).unwrap().unwrap().1, length);
            assert!(scanner.scan(&wire[length..], &mut inflater).unwrap().is_none());
        }
        push_masked(TEXT, &message, &mut wire);
        assert!(scan(&mut scanner, &wire[length * 2..]).is_err());
    }

    #[test]
    fn what_is_compressed_is_known_by_its_compressed_bytes() {
        let message = batch(&[(5, 7, 300)]);
        let mut deflated = vec![0xc1, 126, 0, 0, 0];
        // A stored block: its length, and that inverted.
        let length = u16::try_from(message.len()).unwrap();
        deflated.extend_from_slice(&[length.to_le_bytes(), (!length).to_le_bytes()].concat());
        deflated.extend_from_slice(&message);
        deflated.push(0);
        let payload_bytes = u16::try_from(deflated.len() - 4).unwrap();
        deflated[2..4].copy_from_slice(&payload_bytes.to_be_bytes());
        let (mut scanner, mut inflater) = (Scanner::new(), Inflater::new());
        for _ in 0..2 {
            let (messages, length) = scanner.scan(&deflated, &mut inflater).unwrap().unwrap();
            assert_eq!(messages.runs, [Run { due_ns: 5, first: 7, count: 1 }]);
            assert_eq!((length, messages.wire_bytes), (deflated.len(), deflated.len()));
        }
    }

    #[test]
    fn stretches_and_what_is_known_are_bounded() {
        let (mut scanner, message) = (Scanner::new(), batch(&[(5, 7, 10_000)]));
        let wire = wire(&vec![&message[..]; 20]);
        for _ in 0..2 {
            let length = scanner.scan(&wire, &mut Inflater::new()).unwrap().unwrap().1;
            assert_eq!(length, 4 * wire.len() / 20);
        }
        for sequence in 0..10_000 {
            let payload = batch(&[(5, sequence, 0)]);
            let wire = self::wire(&[&payload]);
            assert_eq!(scan(&mut scanner, &wire).unwrap(), scan_plainly(&wire).unwrap());
        }
        assert_eq!(scanner.known.len(), KNOWN);
    }

    proptest! {
        /// Bytes that differ little are what a memory could take for each other.
        #[test]
        fn every_message_is_found_that_is_found_frame_by_frame(
            frames in prop::collection::vec(prop::collection::vec((0u64..3, 0u32..9, 0usize..80), 0..4), 1..5),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..5), 0..40),
        ) {
            let mut scanner = Scanner::new();
            let frames: Vec<Vec<u8>> = frames.iter().map(|markers| batch(markers)).collect();
            let original = wire(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut changed = original.clone();
            for (at, byte, change) in changes {
                let at = at.index(changed.len().max(1));
                match change {
                    0 => changed.truncate(at),
                    1 => changed.insert(at, byte),
                    2 => drop(changed.drain(..at)),
                    3 if at < changed.len() => changed[at] = b"#iw0f"[usize::from(byte) % 5],
                    _ => changed.clone_from(&original),
                }
                for wire in [&changed, &original, &changed] {
                    match (scan(&mut scanner, wire), scan_plainly(wire)) {
                        (Ok(found), Ok(plainly)) => prop_assert_eq!(found, plainly),
                        (found, plainly) => prop_assert!(found.is_err() && plainly.is_err()),
                    }
                }
            }
        }
    }
}
