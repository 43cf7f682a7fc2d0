//! Any bytes, cut anywhere: the same events as in one piece, no panic, no memory beyond the limits.
//!
//! `cargo +nightly fuzz run websocket_decoder` from the repository's root. The first byte chooses
//! the size of the pieces, its lowest bit whether permessage-deflate was agreed on.
#![no_main]

use infrawatch::protocol::msgpack;
use infrawatch::websocket::{Decoder, Event, Limits};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { frame_bytes_max: 1_024, message_bytes_max: 2_048 };

fn events_of(input: &[u8], piece_bytes: usize, deflate: bool) -> Vec<String> {
    let mut decoder = Decoder::new(LIMITS).with_deflate(deflate);
    let mut seen = Vec::new();
    for piece in input.chunks(piece_bytes) {
        let mut piece = piece.to_vec();
        let mut events = decoder.feed(&mut piece);
        while let Some(event) = events.next_event() {
            if let Ok(Event::Text(text)) = &event {
                assert!(text.len() <= LIMITS.message_bytes_max);
            }
            if let Ok(Event::Binary(packed)) = &event {
                assert!(packed.len() <= LIMITS.message_bytes_max);
                if let Ok(json) = msgpack::json_of(packed, LIMITS.message_bytes_max) {
                    serde_json::from_str::<serde_json::Value>(&json).expect("what is made is JSON");
                }
            }
            seen.push(format!("{event:?}"));
        }
        assert!(decoder.held_bytes() <= LIMITS.message_bytes_max + 125);
    }
    seen
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else { return };
    let (piece_bytes, deflate) = (usize::from(choice / 2).max(1), choice % 2 == 1);
    let whole = events_of(input, input.len().max(1), deflate);
    assert_eq!(whole, events_of(input, piece_bytes, deflate));
});
