//! From a payload to the frame that sockets share, in every format.

use std::hint::black_box;

use bytes::Bytes;
use infrawatch::ids::MessageId;
use infrawatch::protocol::batch::{BatchItem, BatchMeta, batch};
use infrawatch::protocol::encoding::{Encoding, Format};
use infrawatch::protocol::priority::Priority;
use infrawatch::protocol::server::{MessageMeta, Parts, message, published};

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case { name: "encode/message_200", make: one_message },
    Case { name: "encode/published", make: answer },
    Case { name: "encode/batch_of_64", make: batch_of_64 },
    Case { name: "encode/msgpack_2000", make: || in_format(Encoding::Msgpack, None) },
    Case { name: "encode/deflate_2000", make: || in_format(Encoding::Json, Some(256)) },
];

const UNIX_MS: u64 = 1_795_223_722_042;
const STAMP: &str = "2026-11-20T23:55:22.042Z";
const EPOCH: &str = "0199a1b2c3";

pub(super) fn frame_of(offset: u64, payload: &str) -> (Bytes, Parts) {
    let meta = MessageMeta {
        kind: "message",
        id: MessageId::at(UNIX_MS),
        timestamp: STAMP,
        topic: "orders:eu",
        offset,
        epoch: EPOCH,
        priority: Priority::Normal,
        key: Some("order-17"),
        event_type: None,
        correlation_id: Some("request-17"),
    };
    message(&meta, payload)
}

/// A payload of about so many bytes, full of numbers as monitoring is.
pub(super) fn payload(bytes: usize) -> String {
    let mut text = String::from(r#"{"node":"gpu-17""#);
    let mut n = 0_u32;
    while text.len() + 1 < bytes {
        text.push_str(&format!(r#","metric_{n}":{}.{}"#, n * 7_919 % 1_000, n * 31 % 100));
        n += 1;
    }
    text.push('}');
    text
}

fn one_message() -> Box<dyn FnMut()> {
    let payload = payload(200);
    Box::new(move || {
        black_box(frame_of(black_box(17), &payload));
    })
}

fn answer() -> Box<dyn FnMut()> {
    Box::new(|| {
        let id = MessageId::at(UNIX_MS);
        black_box(published("published", STAMP, id, Some("request-17"), "orders:eu", EPOCH, black_box(17)));
    })
}

fn batch_of_64() -> Box<dyn FnMut()> {
    let payload = payload(200);
    let messages: Vec<_> = (1..=64).map(|offset| (offset, frame_of(offset, &payload))).collect();
    let meta = BatchMeta {
        unix_ms: UNIX_MS,
        timestamp: STAMP,
        topic: "orders:eu",
        epoch: EPOCH,
        priority: Priority::Normal,
    };
    Box::new(move || {
        let items = messages.iter().map(|(offset, (frame, parts))| BatchItem {
            body: std::str::from_utf8(&frame[parts.body.clone()]).unwrap(),
            offset: *offset,
            priority: Priority::Normal,
            key: Some("order-17"),
            event_type: None,
            correlation_id: Some("request-17"),
        });
        black_box(batch(&meta, &items.collect::<Vec<_>>()));
    })
}

fn in_format(encoding: Encoding, deflate_bytes_min: Option<u32>) -> Box<dyn FnMut()> {
    let (json, _) = frame_of(17, &payload(2_000));
    let format = Format { encoding, deflate_bytes_min };
    Box::new(move || {
        black_box(format.encode(black_box(&json)));
    })
}
