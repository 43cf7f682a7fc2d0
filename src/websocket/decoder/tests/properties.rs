//! What holds for every input: cuts do not matter, nothing panics, nothing grows.

use proptest::prelude::*;

use super::compressed::deflate;
use super::*;

/// A conversation: whole and fragmented messages, some compressed, control frames between the fragments.
fn conversation() -> impl Strategy<Value = (Vec<u8>, Vec<Seen>)> {
    let control = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..=125));
    let part = ("(ab|.){0,40}", prop::option::of(control));
    let message = (any::<bool>(), any::<bool>(), prop::collection::vec(part, 1..5));
    prop::collection::vec(message, 1..6).prop_map(|messages| {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (is_text, is_compressed, parts) in messages {
            let whole: Vec<u8> = parts.iter().flat_map(|(part, _)| part.bytes()).collect();
            let mut sent: Vec<Vec<u8>> = parts.iter().map(|(part, _)| part.as_bytes().to_vec()).collect();
            if is_compressed {
                let deflated = deflate(&whole);
                let part_bytes = deflated.len().div_ceil(parts.len()).max(1);
                sent = deflated.chunks(part_bytes).map(<[u8]>::to_vec).collect();
                sent.resize(parts.len(), Vec::new());
            }
            for (i, (part, (_, control))) in sent.iter().zip(&parts).enumerate() {
                let begin = u8::from(!is_text) + 1 + if is_compressed { 0x40 } else { 0 };
                let opcode = if i > 0 { 0 } else { begin };
                let fin = if i + 1 == parts.len() { 0x80 } else { 0 };
                wire.extend(client(fin | opcode, part));
                if fin == 0
                    && let Some((is_ping, payload)) = control
                {
                    wire.extend(client(if *is_ping { 0x89 } else { 0x8a }, payload));
                    expected.push(if *is_ping {
                        Seen::Ping(payload.clone())
                    } else {
                        Seen::Pong(payload.clone())
                    });
                }
            }
            expected.push(if is_text {
                Seen::Text(String::from_utf8(whole).unwrap())
            } else {
                Seen::Binary(whole)
            });
        }
        (wire, expected)
    })
}

/// Feeds the input in pieces of the given sizes, over and over.
fn decode_in_pieces(input: &[u8], piece_bytes: &[usize], decoder: &mut Decoder) -> Vec<Seen> {
    let mut seen = Vec::new();
    let (mut rest, mut sizes) = (input, piece_bytes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        seen.extend(feed(decoder, piece));
        assert!(decoder.held_bytes() <= LIMITS.message_bytes_max + 125, "{}", decoder.held_bytes());
        rest = after;
    }
    seen
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        (wire, expected) in conversation(),
        piece_bytes in prop::collection::vec(1usize..60, 1..8),
    ) {
        let mut decoder = Decoder::new(LIMITS).with_deflate(true);
        prop_assert_eq!(&feed(&mut decoder, &wire), &expected);
        let mut decoder = Decoder::new(LIMITS).with_deflate(true);
        prop_assert_eq!(&decode_in_pieces(&wire, &piece_bytes, &mut decoder), &expected);
        prop_assert_eq!(decoder.held_bytes(), 0);
    }

    #[test]
    fn junk_never_panics_and_any_split_ends_the_same(
        mut junk in prop::collection::vec(any::<u8>(), 0..600),
        firsts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec![0x81u8, 0x01, 0x80, 0x02, 0x89, 0x88, 0xc1, 0x42])), 0..8),
        piece_bytes in prop::collection::vec(1usize..60, 1..8),
        deflate: bool,
    ) {
        // Half of the frames get a plausible header, else nearly all would end at the first byte.
        for (index, first) in firsts {
            if junk.len() > 2 {
                let at = index.index(junk.len() - 1);
                junk[at] = first;
                junk[at + 1] |= 0x80;
            }
        }
        if junk.len() > 2 {
            junk[1] = 0x80 | (junk[0] & 0x1f);
            junk[0] = 0x82;
        }
        let decoder = || Decoder::new(LIMITS).with_deflate(deflate);
        let whole = feed(&mut decoder(), &junk);
        let pieces = decode_in_pieces(&junk, &piece_bytes, &mut decoder());
        prop_assert_eq!(whole, pieces);
    }
}

#[test]
fn damaged_conversations_never_panic() {
    let frames = [
        client(0x01, "größe".as_bytes()),
        client(0x89, b"p"),
        client(0x80, b"end"),
        client(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
        client(0x88, b"\x03\xe8x"),
    ];
    let wire = frames.concat();
    for at in 0..wire.len() {
        for value in 0..=u8::MAX {
            let mut damaged = wire.clone();
            damaged[at] = value;
            let decoder = || Decoder::new(LIMITS).with_deflate(true);
            let seen = decode_in_pieces(&damaged, &[7, 1, 3], &mut decoder());
            assert_eq!(seen, feed(&mut decoder(), &damaged), "byte {at} is {value:#x}");
            for event in &seen {
                if let Seen::Failed(error) = event {
                    assert!(matches!(error.close_code(), 1002 | 1007 | 1009));
                }
            }
        }
    }
}
