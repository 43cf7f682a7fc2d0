//! The cases of the RFC, one by one.

mod compressed;
mod properties;

use super::*;
use crate::websocket::Event;
use crate::websocket::encode_header;

const LIMITS: Limits = Limits { frame_bytes_max: 1_000, message_bytes_max: 1_500 };
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An event that owns its payload.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(CodecError),
}

impl From<Result<Event<'_>, CodecError>> for Seen {
    fn from(event: Result<Event<'_>, CodecError>) -> Self {
        match event {
            Ok(Event::Text(text)) => Self::Text(text.into()),
            Ok(Event::Binary(bytes)) => Self::Binary(bytes.into()),
            Ok(Event::Ping(bytes)) => Self::Ping(bytes.into()),
            Ok(Event::Pong(bytes)) => Self::Pong(bytes.into()),
            Ok(Event::Close(reason)) => Self::Close(reason.code, reason.text.into()),
            Err(error) => Self::Failed(error),
        }
    }
}

/// A masked client frame with any first byte.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 10];
    let header_bytes = encode_header(Opcode::Text, payload.len(), &mut header);
    header[0] = first;
    header[1] |= 0x80;
    let mut frame = [&header[..header_bytes], &KEY, payload].concat();
    mask(&mut frame[header_bytes + 4..], KEY);
    frame
}

fn feed(decoder: &mut Decoder, input: &[u8]) -> Vec<Seen> {
    let mut input = input.to_vec();
    let mut events = decoder.feed(&mut input);
    let mut seen = Vec::new();
    while let Some(event) = events.next_event() {
        seen.push(event.into());
    }
    seen
}

fn decode(input: &[u8]) -> Vec<Seen> {
    feed(&mut Decoder::new(LIMITS), input)
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

#[test]
fn the_decoder_is_small_and_idle_holds_nothing() {
    assert!(size_of::<Decoder>() < 100, "{} bytes", size_of::<Decoder>());
    let mut decoder = Decoder::new(LIMITS);
    let message = client(0x81, &[b'x'; 900]);
    feed(&mut decoder, &message[..500]);
    assert!(decoder.held_bytes() >= 400);
    assert_eq!(feed(&mut decoder, &message[500..]), [text(&"x".repeat(900))]);
    assert_eq!(decoder.held_bytes(), 0);
    let ping = client(0x89, b"beat");
    feed(&mut decoder, &ping[..8]);
    assert_eq!(feed(&mut decoder, &ping[8..]), [Seen::Ping(b"beat".into())]);
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn a_whole_message_is_handed_out_from_the_read_buffer() {
    let mut input = [client(0x81, b"one"), client(0x82, b"two")].concat();
    let buffer = input.as_ptr_range();
    let mut decoder = Decoder::new(LIMITS);
    let mut events = decoder.feed(&mut input);
    let Some(Ok(Event::Text(one))) = events.next_event() else { panic!("no text") };
    assert!(buffer.contains(&one.as_ptr()));
    let Some(Ok(Event::Binary(two))) = events.next_event() else { panic!("no binary") };
    assert!(buffer.contains(&two.as_ptr()));
    assert_eq!(two, b"two");
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn messages_of_the_rfc() {
    let table: &[(Vec<u8>, Vec<Seen>)] = &[
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(), vec![text("Hello")]),
        (client(0x81, b""), vec![text("")]),
        (client(0x82, b"\x00\xff"), vec![Seen::Binary(vec![0, 255])]),
        (client(0x8a, b""), vec![Seen::Pong(vec![])]),
        (client(0x89, &[1; 125]), vec![Seen::Ping(vec![1; 125])]),
        ([client(0x01, b"Hel"), client(0x80, b"lo")].concat(), vec![text("Hello")]),
        ([client(0x01, b""), client(0x00, b""), client(0x80, b"")].concat(), vec![text("")]),
        (
            [client(0x01, "κό".as_bytes().split_at(3).0), client(0x80, "κό".as_bytes().split_at(3).1)]
                .concat(),
            vec![text("κό")],
        ),
        (
            [
                client(0x02, b"a"),
                client(0x89, b"p"),
                client(0x00, b"b"),
                client(0x8a, b""),
                client(0x80, b"c"),
            ]
            .concat(),
            vec![Seen::Ping(b"p".into()), Seen::Pong(vec![]), Seen::Binary(b"abc".into())],
        ),
        (client(0x88, b""), vec![Seen::Close(None, String::new())]),
        (client(0x88, b"\x03\xe8bye"), vec![Seen::Close(Some(1000), "bye".into())]),
        (
            [client(0x88, b"\x03\xe9"), client(0x81, b"late")].concat(),
            vec![Seen::Close(Some(1001), String::new())],
        ),
        (
            [client(0x01, b"cut"), client(0x88, b"\x03\xe9")].concat(),
            vec![Seen::Close(Some(1001), String::new())],
        ),
        (client(0x82, &[9; 1_000]), vec![Seen::Binary(vec![9; 1_000])]),
    ];
    for (input, expected) in table {
        assert_eq!(&decode(input), expected);
    }
}

#[test]
fn violations_of_the_rfc() {
    use CodecError as E;
    let table: &[(Vec<u8>, E, u16)] = &[
        (client(0xc1, b"x"), E::ReservedBits, 1002),
        (client(0xa1, b"x"), E::ReservedBits, 1002),
        (client(0x99, b"x"), E::ReservedBits, 1002),
        (client(0x83, b""), E::ReservedOpcode(3), 1002),
        (client(0x8c, b""), E::ReservedOpcode(12), 1002),
        (b"\x81\x01x".to_vec(), E::Unmasked, 1002),
        (client(0x09, b""), E::FragmentedControl, 1002),
        (client(0x89, &[0; 126]), E::LongControl, 1002),
        (b"\x81\xfe\x00\x05".to_vec(), E::LengthNotMinimal, 1002),
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), E::LengthTopBit, 1002),
        (client(0x80, b"x"), E::UnexpectedContinuation, 1002),
        (client(0x00, b"x")[..6].to_vec(), E::UnexpectedContinuation, 1002),
        ([client(0x01, b"x"), client(0x81, b"y")].concat(), E::InterruptedMessage, 1002),
        ([client(0x01, b"x"), client(0x02, b"y")].concat(), E::InterruptedMessage, 1002),
        (
            [client(0x01, b"x"), client(0x80, b"y"), client(0x80, b"z")].concat(),
            E::UnexpectedContinuation,
            1002,
        ),
        (client(0x88, b"\x03"), E::CloseTooShort, 1002),
        (client(0x88, b"\x03\xed"), E::CloseCode(1005), 1002),
        (client(0x88, b"\x03\xe8\xff"), E::Utf8, 1007),
        (client(0x81, b"ab\xff"), E::Utf8, 1007),
        (client(0x81, b"ab\xe2\x82"), E::Utf8, 1007),
        ([client(0x01, b"ab\xe2\x82"), client(0x80, b"")].concat(), E::Utf8, 1007),
        ([client(0x01, b"ab\xe2"), client(0x00, b"\x41")].concat(), E::Utf8, 1007),
        (client(0x81, &[b'x'; 1_001]), E::FrameTooLarge { declared_bytes: 1_001, max_bytes: 1_000 }, 1009),
        (
            [client(0x02, &[0; 1_000]), client(0x80, &[0; 501])].concat(),
            E::MessageTooLarge { declared_bytes: 1_501, max_bytes: 1_500 },
            1009,
        ),
    ];
    for (input, error, code) in table {
        let failed = decode(input).pop();
        assert_eq!(failed, Some(Seen::Failed(*error)));
        assert_eq!(error.close_code(), *code, "{error}");
    }
}

#[test]
fn a_hundred_megabytes_are_refused_at_the_header() {
    let mut decoder = Decoder::new(LIMITS);
    let seen = feed(&mut decoder, &[b"\x82\xff" as &[u8], &100_000_000u64.to_be_bytes(), &KEY].concat());
    assert_eq!(
        seen,
        [Seen::Failed(CodecError::FrameTooLarge { declared_bytes: 100_000_000, max_bytes: 1_000 })]
    );
    assert_eq!(decoder.held_bytes(), 0);
    assert!(decoder.has_ended());
    assert_eq!(feed(&mut decoder, &client(0x81, b"more")), []);
}

#[test]
fn a_declared_length_reserves_nothing() {
    let mut decoder = Decoder::new(LIMITS);
    feed(&mut decoder, &client(0x82, &[0; 1_000])[..8]);
    assert_eq!(decoder.held_bytes(), 0);
    feed(&mut decoder, &[0; 10]);
    assert!((10..100).contains(&decoder.held_bytes()), "{}", decoder.held_bytes());
}

#[test]
fn bad_text_is_refused_before_its_frame_ends() {
    let mut decoder = Decoder::new(LIMITS);
    let frame = client(0x81, &[b"good \xed\xa0" as &[u8], &[b'x'; 500]].concat());
    let (header_bytes, impossible_at) = (8, 7);
    assert_eq!(feed(&mut decoder, &frame[..header_bytes + impossible_at - 1]), []);
    assert_eq!(
        feed(&mut decoder, &frame[header_bytes + impossible_at - 1..][..1]),
        [Seen::Failed(CodecError::Utf8)]
    );
    assert_eq!(decoder.held_bytes(), 0);
}
