//! The `batch` frame: several messages of one topic, encoded once for all subscribers.

use bytes::Bytes;

use super::priority::Priority;
use super::server::Draft;
use crate::ids::MessageId;

/// What a `batch` frame says about all of its messages.
#[derive(Debug, Clone, Copy)]
pub struct BatchMeta<'a> {
    /// When it was put together, unix milliseconds.
    pub unix_ms: u64,
    /// The same as RFC 3339.
    pub timestamp: &'a str,
    /// Topic name (its characters need no escaping).
    pub topic: &'a str,
    /// The topic's epoch.
    pub epoch: &'a str,
    /// The most urgent of the messages.
    pub priority: Priority,
}

/// One message in a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchItem<'a> {
    /// `"id":..,"timestamp":..,"payload":..` as in the message's own frame.
    pub body: &'a str,
    /// Position in the epoch.
    pub offset: u64,
    /// Its urgency; told where it is not the batch's.
    pub priority: Priority,
    /// What it is the newest value of.
    pub key: Option<&'a str>,
    /// What its publisher calls it.
    pub event_type: Option<&'a str>,
    /// The request that caused it.
    pub correlation_id: Option<&'a str>,
}

/// Bytes of an item besides its body, about.
const ITEM_BYTES: usize = 64;

/// A `batch` frame. Offsets of the items rise; a topic of newest values may leave some out.
pub fn batch<'a>(meta: &BatchMeta<'_>, items: &[BatchItem<'a>]) -> Bytes {
    let bodies: usize = items.iter().map(|item| item.body.len() + ITEM_BYTES).sum();
    let mut draft = Draft::with_capacity(bodies + 320);
    let mut id = [0u8; 36];
    draft
        .raw(r#"{"version":1,"type":"batch","id":""#)
        .raw(MessageId::at(meta.unix_ms).encode(&mut id))
        .raw(r#"","timestamp":""#)
        .raw(meta.timestamp)
        .raw(r#"","payload":{"items":["#);
    for (n, item) in items.iter().enumerate() {
        draft.raw(if n == 0 { "{" } else { ",{" }).raw(item.body).raw(r#","offset":"#).value(&item.offset);
        if let Some(key) = item.key {
            draft.raw(r#","key":"#).quoted(key);
        }
        if let Some(event_type) = item.event_type {
            draft.raw(r#","type":"#).quoted(event_type);
        }
        if item.priority != meta.priority {
            draft.raw(r#","priority":""#).raw(item.priority.as_str()).raw("\"");
        }
        if let Some(correlation_id) = item.correlation_id {
            draft.raw(r#","correlation_id":"#).quoted(correlation_id);
        }
        draft.raw("}");
    }
    draft
        .raw(r#"]},"metadata":{"topic":""#)
        .raw(meta.topic)
        .raw(r#"","epoch":""#)
        .raw(meta.epoch)
        .raw(r#"","first_offset":"#)
        .value(&items.first().map_or(0, |item| item.offset))
        .raw(r#","count":"#)
        .value(&items.len())
        .raw(r#","priority":""#)
        .raw(meta.priority.as_str())
        .raw(r#""}}"#);
    draft.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_batch_is_the_documented_envelope() {
        let plain = BatchItem {
            body: r#""id":"a","timestamp":"t","payload":{"x":1}"#,
            offset: 7,
            priority: Priority::Normal,
            key: None,
            event_type: None,
            correlation_id: None,
        };
        let full = BatchItem {
            offset: 9,
            priority: Priority::Low,
            key: Some("k\""),
            event_type: Some("up"),
            correlation_id: Some("c"),
            ..plain
        };
        let meta = BatchMeta {
            unix_ms: 1,
            timestamp: "now",
            topic: "orders:eu",
            epoch: "e",
            priority: Priority::Normal,
        };
        let frame = batch(&meta, &[plain, full]);
        let text = frame.iter().position(|b| *b == b'{').unwrap();
        let mut value: Value = serde_json::from_slice(&frame[text..]).unwrap();
        assert!(value["id"].take().is_string());
        let item = json!({"id": "a", "timestamp": "t", "payload": {"x": 1}, "offset": 7});
        let other = json!({"id": "a", "timestamp": "t", "payload": {"x": 1}, "offset": 9, "key": "k\"",
            "type": "up", "priority": "low", "correlation_id": "c"});
        let expected = json!({"version": 1, "type": "batch", "id": null, "timestamp": "now",
            "payload": {"items": [item, other]},
            "metadata": {"topic": "orders:eu", "epoch": "e", "first_offset": 7, "count": 2, "priority": "normal"}});
        assert_eq!(value, expected);
    }
}
