//! Frames that the hub sends: encoded once, as the bytes that any number of sockets share.

use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::codes::Code;
use super::priority::Priority;
use crate::ids::MessageId;
use crate::websocket::{FrameWriter, Opcode, payload_of};

/// A text frame in the making.
pub(super) struct Draft(FrameWriter);

impl Draft {
    pub(super) fn with_capacity(text_bytes: usize) -> Self {
        Self(FrameWriter::with_capacity(text_bytes))
    }

    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.0.push(text.as_bytes());
        self
    }

    pub(super) fn quoted(&mut self, text: &str) -> &mut Self {
        self.value(&text)
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        if serde_json::to_writer(&mut self.0, value).is_err() {
            // Only a map whose keys are no strings, or a failing Serialize, gets here; the hub's own payloads have neither.
            self.raw("null");
        }
        self
    }

    pub(super) fn finish(self) -> Bytes {
        self.0.finish(Opcode::Text)
    }
}

/// Formats times, remembering the last: many messages share a millisecond.
#[derive(Debug, Default)]
pub struct Stamper {
    unix_ms: u64,
    text: String,
}

impl Stamper {
    /// `unix_ms` as RFC 3339.
    pub fn stamp(&mut self, unix_ms: u64) -> &str {
        if self.unix_ms != unix_ms || self.text.is_empty() {
            self.unix_ms = unix_ms;
            self.text = crate::clock::rfc3339(unix_ms);
        }
        &self.text
    }
}

/// What a `message`-like frame says about itself.
#[derive(Debug, Clone, Copy)]
pub struct MessageMeta<'a> {
    /// `message`, or `room_message` in a room.
    pub kind: &'a str,
    /// Identity of the message.
    pub id: MessageId,
    /// When the hub took it, RFC 3339.
    pub timestamp: &'a str,
    /// Topic name (its characters need no escaping).
    pub topic: &'a str,
    /// Position in the topic's epoch.
    pub offset: u64,
    /// The topic's epoch.
    pub epoch: &'a str,
    /// Urgency of this message.
    pub priority: Priority,
    /// What it is the newest value of.
    pub key: Option<&'a str>,
    /// What its publisher calls it.
    pub event_type: Option<&'a str>,
    /// The request that caused it.
    pub correlation_id: Option<&'a str>,
}

/// Where the parts of a message lie in its frame.
#[derive(Debug, Clone)]
pub struct Parts {
    /// From `"id"` to the end of the payload: what an item of a batch begins with.
    pub body: Range<usize>,
    /// The payload.
    pub payload: Range<usize>,
}

/// A message with its payload unchanged, and where its parts lie in the frame.
pub fn message(meta: &MessageMeta<'_>, payload: &str) -> (Bytes, Parts) {
    let mut draft = Draft::with_capacity(payload.len() + meta.topic.len() + 280);
    let mut id = [0u8; 36];
    draft.raw(r#"{"version":1,"type":""#).raw(meta.kind).raw(r#"","#);
    let body = draft.0.payload_bytes();
    draft
        .raw(r#""id":""#)
        .raw(meta.id.encode(&mut id))
        .raw(r#"","timestamp":""#)
        .raw(meta.timestamp)
        .raw(r#"","payload":"#);
    let start = draft.0.payload_bytes();
    draft
        .raw(payload)
        .raw(r#","metadata":{"topic":""#)
        .raw(meta.topic)
        .raw(r#"","offset":"#)
        .value(&meta.offset)
        .raw(r#","epoch":""#)
        .raw(meta.epoch)
        .raw(r#"","priority":""#)
        .raw(meta.priority.as_str())
        .raw("\"");
    if let Some(key) = meta.key {
        draft.raw(r#","key":"#).quoted(key);
    }
    if let Some(event_type) = meta.event_type {
        draft.raw(r#","type":"#).quoted(event_type);
    }
    if let Some(correlation_id) = meta.correlation_id {
        draft.raw(r#","correlation_id":"#).quoted(correlation_id);
    }
    draft.raw("}}");
    let text_bytes = draft.0.payload_bytes();
    let frame = draft.finish();
    let header_bytes = frame.len() - text_bytes;
    let (body, start) = (body + header_bytes, start + header_bytes);
    let end = start + payload.len();
    (frame, Parts { body: body..end, payload: start..end })
}

/// The same message with `metadata.dropped`. Only the payload's place in `parts` is meant for the frame given; that
/// of the result is another.
pub fn with_dropped(frame: &Bytes, parts: &Parts, dropped: u64) -> Bytes {
    const METADATA: &str = r#","metadata":{"#;
    let start = frame.len() - payload_of(frame).len();
    let cut = parts.payload.end + METADATA.len();
    let (Some(front), Some(back)) = (frame.get(start..cut), frame.get(cut..)) else { return frame.clone() };
    let mut draft = Draft::with_capacity(frame.len() + 32);
    draft.0.push(front);
    draft.raw(r#""dropped":"#).value(&dropped).raw(",");
    draft.0.push(back);
    draft.finish()
}

/// A frame of the hub's own: an answer when `reply_to` is given, else a push.
pub fn control<T: Serialize>(kind: &str, unix_ms: u64, reply_to: Option<&str>, payload: &T) -> Bytes {
    let mut draft = Draft::with_capacity(320);
    let mut id = [0u8; 36];
    draft
        .raw(r#"{"version":1,"type":""#)
        .raw(kind)
        .raw(r#"","id":""#)
        .raw(MessageId::at(unix_ms).encode(&mut id))
        .raw(r#"","timestamp":""#)
        .raw(&crate::clock::rfc3339(unix_ms))
        .raw(r#"","payload":"#)
        .value(payload)
        .raw(r#","metadata":{"#);
    if let Some(reply_to) = reply_to {
        draft.raw(r#""reply_to":"#).quoted(reply_to);
    }
    draft.raw("}}");
    draft.finish()
}

/// The `published` answer (`room_message_sent` in a room), by hand: it is the hub's most frequent reply.
pub fn published(
    kind: &str,
    stamp: &str,
    id: MessageId,
    reply_to: Option<&str>,
    topic: &str,
    epoch: &str,
    offset: u64,
) -> Bytes {
    let mut draft = Draft::with_capacity(260);
    let mut buffer = [0u8; 36];
    draft
        .raw(r#"{"version":1,"type":""#)
        .raw(kind)
        .raw(r#"","id":""#)
        .raw(id.encode(&mut buffer))
        .raw(r#"","timestamp":""#)
        .raw(stamp)
        .raw(r#"","payload":{"topic":""#)
        .raw(topic)
        .raw(r#"","epoch":""#)
        .raw(epoch)
        .raw(r#"","offset":"#)
        .value(&offset)
        .raw(r#"},"metadata":{"#);
    if let Some(reply_to) = reply_to {
        draft.raw(r#""reply_to":"#).quoted(reply_to);
    }
    draft.raw("}}");
    draft.finish()
}

/// Payload of `error`.
#[derive(Debug, Serialize)]
pub struct ErrorPayload<'a> {
    /// Name from the table of codes.
    pub code: &'static str,
    /// What was wrong and what is allowed.
    pub message: &'a str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// How long to wait before that, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// How long a client waits after a retryable error that knows no better, in milliseconds.
pub const RETRY_AFTER_MS: u64 = 1_000;

/// An `error` frame.
pub fn error(code: Code, message: &str, unix_ms: u64, reply_to: Option<&str>) -> Bytes {
    error_after(code, message, RETRY_AFTER_MS, unix_ms, reply_to)
}

/// An `error` frame with a time to wait that is better known than the usual one; for retryable codes.
pub fn error_after(
    code: Code,
    message: &str,
    retry_after_ms: u64,
    unix_ms: u64,
    reply_to: Option<&str>,
) -> Bytes {
    let row = code.row();
    let retry_after_ms = row.retryable.then_some(retry_after_ms);
    control(
        "error",
        unix_ms,
        reply_to,
        &ErrorPayload { code: row.name, message, retryable: row.retryable, retry_after_ms },
    )
}

/// Payload of `pong`.
#[derive(Debug, Serialize)]
pub struct Pong<'a> {
    /// What the client sent.
    pub t: Option<&'a RawValue>,
    /// The hub's wall time, RFC 3339.
    pub server_time: String,
}

/// One topic in `subscribed`.
#[derive(Debug, Clone, Serialize)]
pub struct SubscribedTopic {
    /// Its name.
    pub topic: String,
    /// `log`, whose offsets follow each other, or `latest`, whose offsets may leave some out.
    pub class: &'static str,
    /// Its epoch.
    pub epoch: std::sync::Arc<str>,
    /// Offset of the newest message; 0 before the first.
    pub offset: u64,
    /// Whether every message since the position that was asked for follows.
    pub recovered: bool,
    /// How many messages follow out of history.
    pub recovered_count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(frame: &Bytes) -> Value {
        let text = frame.iter().position(|b| *b == b'{').unwrap();
        serde_json::from_slice(&frame[text..]).unwrap()
    }

    #[test]
    fn a_message_is_the_documented_envelope() {
        let meta = MessageMeta {
            kind: "message",
            id: MessageId::at(5),
            timestamp: "t",
            topic: "bench:t",
            offset: 7,
            epoch: "e1",
            priority: Priority::Critical,
            key: Some("a\"b"),
            event_type: Some("up"),
            correlation_id: Some("c"),
        };
        let (frame, parts) = message(&meta, r#"{"x":1}"#);
        assert_eq!(&frame[parts.payload.clone()], br#"{"x":1}"#);
        assert!(frame[parts.body.clone()].starts_with(br#""id":"0"#));
        let told = parsed(&with_dropped(&frame, &parts, 12));
        assert_eq!((&told["metadata"]["dropped"], &told["metadata"]["offset"]), (&json!(12), &json!(7)));
        let frame = parsed(&frame);
        assert_eq!(frame["version"], 1);
        assert_eq!(frame["type"], "message");
        assert_eq!(frame["payload"], json!({"x": 1}));
        assert_eq!(
            frame["metadata"],
            json!({"topic":"bench:t","offset":7,"epoch":"e1","priority":"critical","key":"a\"b","type":"up","correlation_id":"c"})
        );
    }

    #[test]
    fn errors_carry_their_row() {
        let frame = parsed(&error(Code::Overloaded, "queue full", 0, Some("4")));
        assert_eq!(
            frame["payload"],
            json!({"code":"overloaded","message":"queue full","retryable":true,"retry_after_ms":1000})
        );
        assert_eq!(frame["metadata"], json!({"reply_to":"4"}));
        assert!(parsed(&error(Code::InvalidJson, "x", 0, None))["payload"].get("retry_after_ms").is_none());
    }

    #[test]
    fn published_is_what_control_would_write() {
        let by_hand = parsed(&published("published", "t", MessageId::at(1), Some("1"), "a", "e", 3));
        assert_eq!(by_hand["payload"], json!({"topic":"a","epoch":"e","offset":3}));
        assert_eq!(by_hand["metadata"], json!({"reply_to":"1"}));
    }
}
