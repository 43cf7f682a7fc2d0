//! Messages that permessage-deflate compressed: the cases of RFC 7692, and what it forbids.

use flate2::{Compress, Compression, FlushCompress};

use super::*;

/// A message as a client compresses it, with a window of its own size.
pub(super) fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::new(6), false);
    let mut deflated = Vec::with_capacity(payload.len() + 64);
    stream.compress_vec(payload, &mut deflated, FlushCompress::Sync).unwrap();
    deflated.truncate(deflated.len() - 4);
    deflated
}

fn decode_agreed(input: &[u8]) -> Vec<Seen> {
    feed(&mut Decoder::new(LIMITS).with_deflate(true), input)
}

#[test]
fn compressed_messages_are_read_whole_and_in_parts() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let table: &[(Vec<u8>, Vec<Seen>)] = &[
        (client(0xc1, hello), vec![text("Hello")]),
        (client(0xc2, hello), vec![Seen::Binary(b"Hello".into())]),
        ([client(0x41, &hello[..3]), client(0x80, &hello[3..])].concat(), vec![text("Hello")]),
        (
            [client(0x41, &hello[..3]), client(0x89, b"p"), client(0x00, b""), client(0x80, &hello[3..])]
                .concat(),
            vec![Seen::Ping(b"p".into()), text("Hello")],
        ),
        // Each message may be compressed or not.
        (
            [client(0x81, b"plain"), client(0xc1, hello), client(0x81, b"plain")].concat(),
            vec![text("plain"), text("Hello"), text("plain")],
        ),
        (client(0xc1, b""), vec![text("")]),
        (client(0xc1, b"\x00"), vec![text("")]),
        // As long as allowed, sent in a few bytes.
        (client(0xc2, &deflate(&[0; 1_500])), vec![Seen::Binary(vec![0; 1_500])]),
    ];
    for (input, expected) in table {
        assert_eq!(&decode_agreed(input), expected, "{input:x?}");
    }
}

#[test]
fn what_the_agreement_does_not_allow() {
    use CodecError as E;
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let too_large = E::InflatedTooLarge { max_bytes: 1_500 };
    let table: &[(Vec<u8>, E, u16)] = &[
        (client(0xa1, hello), E::ReservedBits, 1002),
        (client(0x91, hello), E::ReservedBits, 1002),
        (client(0xe1, hello), E::ReservedBits, 1002),
        (client(0xc9, b"p"), E::ReservedBits, 1002),
        (client(0xc8, b"\x03\xe8"), E::ReservedBits, 1002),
        ([client(0x41, &hello[..3]), client(0xc0, &hello[3..])].concat(), E::ReservedBits, 1002),
        ([client(0x01, b"x"), client(0xc0, hello)].concat(), E::ReservedBits, 1002),
        (client(0xc1, b"Hello"), E::Deflate, 1007),
        (client(0xc1, &hello[..5]), E::Deflate, 1007),
        // The second "Hello" of a client that keeps its window although it agreed not to.
        ([client(0xc1, hello), client(0xc1, b"\xf2\x00\x11\x00\x00")].concat(), E::Deflate, 1007),
        (client(0xc1, &deflate(b"ab\xff")), E::Utf8, 1007),
        (client(0xc1, &deflate(b"ab\xe2\x82")), E::Utf8, 1007),
        (client(0xc2, &deflate(&[0; 1_501])), too_large, 1009),
        (client(0xc1, &deflate(&[b' '; 1_000_000])[..900]), too_large, 1009),
        (client(0xc1, &[b'x'; 1_001]), E::FrameTooLarge { declared_bytes: 1_001, max_bytes: 1_000 }, 1009),
        (
            [client(0x42, &[0; 1_000]), client(0x80, &[0; 501])].concat(),
            E::MessageTooLarge { declared_bytes: 1_501, max_bytes: 1_500 },
            1009,
        ),
    ];
    for (input, error, code) in table {
        assert_eq!(decode_agreed(input).pop(), Some(Seen::Failed(*error)), "{input:x?}");
        assert_eq!(error.close_code(), *code, "{error}");
    }
    assert_eq!(decode(&client(0xc1, hello)), [Seen::Failed(E::ReservedBits)], "nothing was agreed");
}

#[test]
fn a_compressed_message_leaves_nothing_behind() {
    let mut decoder = Decoder::new(LIMITS).with_deflate(true);
    let message = client(0xc1, &deflate(&[b'x'; 1_200]));
    let (front, back) = message.split_at(message.len() - 1);
    feed(&mut decoder, front);
    assert_eq!(feed(&mut decoder, back), [text(&"x".repeat(1_200))]);
    assert_eq!(decoder.held_bytes(), 0);
}
