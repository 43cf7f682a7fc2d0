//! Rows for connections that compress or speak MessagePack.

use super::Does::Speaks;
use super::Gets::{Closed, Error};
use super::Row;
use super::rows::row;
use crate::hub::{BINARY, COMPRESSED, TEXT, Tongue, deflate, frame};

/// Messages that permessage-deflate does not know, and one that is too good.
pub(super) fn compressed() -> Vec<Row> {
    const PING: &[u8] = br#"{"type":"ping"}"#;
    let closed = |name, bytes: Vec<u8>, code| row(name, Speaks(Tongue::JSON_DEFLATE, bytes), Closed(code));
    let compressed = |payload: &[u8]| frame(TEXT | COMPRESSED, &deflate(payload));
    let bomb = deflate(&vec![b' '; 16 << 20]);
    assert!(bomb.len() < 32 << 10, "the bomb passes as a frame");
    let (front, back) = bomb.split_at(bomb.len() / 2);
    let parts = [frame(0x01 | COMPRESSED, front), frame(0x80, back)].concat();
    let keeps_its_window = [compressed(b"Hello"), frame(TEXT | COMPRESSED, b"\xf2\x00\x11\x00\x00")].concat();
    vec![
        closed("a bomb of 16 MB", frame(TEXT | COMPRESSED, &bomb), 1009),
        closed("a bomb in parts", parts, 1009),
        closed("a byte more than a message may have", compressed(&[b' '; 64 * 1024 + 1]), 1009),
        closed("compressed text that is none", frame(TEXT | COMPRESSED, b"hello"), 1007),
        closed("compressed text that stops half way", frame(TEXT | COMPRESSED, &deflate(PING)[..6]), 1007),
        closed("text that is not UTF-8 when inflated", compressed(b"\"\xff\""), 1007),
        closed("a message that needs the one before it", keeps_its_window, 1007),
        closed("a compressed ping frame", frame(0x89 | COMPRESSED, b""), 1002),
        closed(
            "compression that begins in the middle",
            [frame(0x01, b"{"), frame(0x80 | COMPRESSED, b"}")].concat(),
            1002,
        ),
        closed("another reserved bit", frame(TEXT | 0x20, PING), 1002),
        row(
            "no JSON when inflated",
            Speaks(Tongue::JSON_DEFLATE, compressed(b"{\"type\":")),
            Error("invalid_json".into()),
        ),
    ]
}

/// Frames that are no MessagePack, or say what JSON cannot.
pub(super) fn packed() -> Vec<Row> {
    let error = |name, packed: &[u8], code: &str| {
        row(name, Speaks(Tongue::MSGPACK, frame(BINARY, packed)), Error(code.into()))
    };
    let publish = |data: &[u8]| [b"\x83\xa4type\xa7publish\xa5topic\xa1t\xa4data" as &[u8], data].concat();
    let deep = publish(&[vec![0x91; 1_000], vec![0xc0]].concat());
    let swells = publish(&[b"\xdd\x00\x00\x40\x00".to_vec(), vec![0xc0; 0x4000]].concat());
    vec![
        error("no MessagePack at all", b"\xc1", "invalid_msgpack"),
        error("an empty binary frame", b"", "invalid_msgpack"),
        error("MessagePack that is cut", b"\x81\xa4type\xa4pi", "invalid_msgpack"),
        error("an array of four billion", b"\xdd\xff\xff\xff\xff", "invalid_msgpack"),
        error("something behind the map", b"\x81\xa4type\xa4ping\x00", "invalid_msgpack"),
        error("binary data as a value", &publish(b"\xc4\x01x"), "invalid_msgpack"),
        error("an extension type", &publish(b"\xd6\xff\x00\x00\x00\x00"), "invalid_msgpack"),
        error("a number as a key", &publish(b"\x81\x01\x01"), "invalid_msgpack"),
        error("NaN in MessagePack", &publish(b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "invalid_msgpack"),
        error("text that is not UTF-8 in MessagePack", &publish(b"\xa1\xff"), "invalid_msgpack"),
        error("arrays 1,000 deep", &deep, "invalid_msgpack"),
        error("a frame that swells as JSON", &swells, "too_large"),
        error("no map", b"\x91\x01", "invalid_field"),
        error("an unknown type in MessagePack", b"\x81\xa4type\xa5dance", "unknown_type"),
        row(
            "MessagePack that inflates to too much",
            Speaks(
                Tongue::MSGPACK_DEFLATE,
                frame(BINARY | COMPRESSED, &deflate(&publish(&vec![0; 100_000]))),
            ),
            Closed(1009),
        ),
    ]
}
