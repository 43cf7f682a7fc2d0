//! From the bytes of a socket to a request. Each run copies what the socket would have read: it is unmasked in place.

use std::hint::black_box;

use infrawatch::protocol::client::{ClientFrame, Publish};
use infrawatch::websocket::{Decoder, Event, Limits, Opcode, encode_header, mask};

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case { name: "codec/text_64", make: || text(64, 1) },
    Case { name: "codec/text_400", make: || text(400, 1) },
    Case { name: "codec/text_400_in_two_reads", make: || text(400, 2) },
    Case { name: "codec/text_16384", make: || text(16_384, 1) },
    Case { name: "codec/publish_400", make: publish },
];

const LIMITS: Limits = Limits { frame_bytes_max: 65_536, message_bytes_max: 65_536 };
const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

fn masked(payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 10];
    let header_bytes = encode_header(Opcode::Text, payload.len(), &mut header);
    header[1] |= 0x80;
    let mut bytes = [&header[..header_bytes], &KEY, payload].concat();
    mask(&mut bytes[header_bytes + KEY.len()..], KEY);
    bytes
}

/// Feeds a wire in so many reads and hands every text on.
fn reader(wire: Vec<u8>, reads: usize, on_text: impl Fn(&str) + 'static) -> Box<dyn FnMut()> {
    let mut decoder = Decoder::new(LIMITS);
    let mut buffer = wire.clone();
    Box::new(move || {
        buffer.copy_from_slice(&wire);
        let mut texts = 0;
        for read in buffer.chunks_mut(wire.len().div_ceil(reads)) {
            let mut events = decoder.feed(read);
            while let Some(event) = events.next_event() {
                let Ok(Event::Text(text)) = event else { panic!("not a text: {event:?}") };
                on_text(text);
                texts += 1;
            }
        }
        assert_eq!(texts, 1);
    })
}

fn text(payload_bytes: usize, reads: usize) -> Box<dyn FnMut()> {
    reader(masked(&vec![b'x'; payload_bytes]), reads, |text| {
        black_box(text);
    })
}

fn publish() -> Box<dyn FnMut()> {
    let filler = "x".repeat(300);
    let request = format!(
        r#"{{"type":"publish","id":"request-17","payload":{{"topic":"orders:eu","data":{{"text":"{filler}"}},"key":"a"}}}}"#
    );
    reader(masked(request.as_bytes()), 1, |text| {
        let frame = ClientFrame::parse(text).unwrap();
        let publish: Publish<'_> = frame.payload().unwrap();
        black_box(publish);
    })
}
