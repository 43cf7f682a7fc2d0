//! Any bytes, cut anywhere: the same events as in one piece, no panic, no memory beyond the limits.
//!
//! `cargo +nightly fuzz run websocket_decoder` from the repository's root. The first byte chooses
//! the size of the pieces.
#![no_main]

use infrawatch::websocket::{Decoder, Limits};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { frame_bytes_max: 1_024, message_bytes_max: 2_048 };

fn events_of(input: &[u8], piece_bytes: usize) -> Vec<String> {
    let mut decoder = Decoder::new(LIMITS);
    let mut seen = Vec::new();
    for piece in input.chunks(piece_bytes) {
        let mut piece = piece.to_vec();
        let mut events = decoder.feed(&mut piece);
        while let Some(event) = events.next_event() {
            seen.push(format!("{event:?}"));
        }
        assert!(decoder.held_bytes() <= LIMITS.message_bytes_max + 125);
    }
    seen
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece_bytes, input)) = input.split_first() else { return };
    let whole = events_of(input, input.len().max(1));
    assert_eq!(whole, events_of(input, usize::from(piece_bytes).max(1)));
});
