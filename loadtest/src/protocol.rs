//! What the clients of a hub say and what they look for in the answers. Pure.
//!
//! Answers are searched, not parsed: a subscriber reads up to millions of frames a second, and what is looked for
//! cannot stand in the payload, which is a marker and filler.

use std::io::Write as _;

use memchr::memmem;

use crate::marker::Marker;
use crate::plan::Plan;

/// Asks for a topic; with a position also for what came after it.
pub(crate) fn subscribe(topic: &str, recover: Option<(&str, u64)>) -> String {
    let topic = recover.map_or_else(
        || format!(r#""{topic}""#),
        |(epoch, offset)| {
            format!(r#"{{"topic":"{topic}","recover":{{"epoch":"{epoch}","offset":{offset}}}}}"#)
        },
    );
    format!(r#"{{"type":"subscribe","id":"s","payload":{{"topics":[{topic}]}}}}"#)
}

/// Silence after which a node of a load test is gone, at least, in milliseconds.
const NODE_TTL_MS_MIN: u64 = 10_000;

/// Asks for a sign of life.
pub(crate) const PING: &str = r#"{"type":"ping","id":"p","payload":{"t":1}}"#;

pub(crate) fn unsubscribe(topic: &str) -> String {
    format!(r#"{{"type":"unsubscribe","id":"u","payload":{{"topics":["{topic}"]}}}}"#)
}

/// Appends a request to publish what `data` appends, which is JSON.
pub(crate) fn write_publish(
    id: u32,
    topic: &str,
    priority: &str,
    data: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#"{{"type":"publish","id":"{id}","payload":{{"topic":"{topic}","priority":"{priority}","data":"#
    );
    data(out);
    out.extend_from_slice(b"}}");
}

/// What every frame of an agent says of its node: that it is made up, and for which test, so that the hub forgets it
/// when that is over; how often it reports, and after which silence it is gone. Fields of an object, for
/// [`write_metrics`].
pub(crate) fn about_nodes(plan: &Plan) -> String {
    let interval_ms =
        (plan.agents() as f64 * 1_000.0 / plan.rate_hz.max(0.001)).clamp(1_000.0, 600_000.0) as u64;
    let ttl_ms = (interval_ms * 3).max(NODE_TTL_MS_MIN);
    let topic = &plan.topic;
    format!(
        r#""labels":{{"synthetic":"true","load_test":"{topic}"}},"interval_ms":{interval_ms},"ttl_ms":{ttl_ms}"#
    )
}

/// Appends a frame of an agent; its id is the number of the frame. Values wander, as real ones do.
pub(crate) fn write_metrics(node: &str, about: &str, sequence: u32, samples: usize, out: &mut Vec<u8>) {
    let _ = write!(
        out,
        r#"{{"type":"metrics","id":"{sequence}","payload":{{"node":"{node}",{about},"names":["cpu_percent""#
    );
    for sample in 1..samples {
        let _ = write!(out, r#","load_test_{sample}""#);
    }
    out.extend_from_slice(br#"],"values":["#);
    let mut number = u64::from(sequence) << 16;
    for sample in 0..samples {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = (number >> 48) as f64 / 655.36;
        let _ = write!(out, "{}{value:.2}", if sample == 0 { "" } else { "," });
    }
    out.extend_from_slice(b"]}}");
}

/// The metric of samples that cross the bound of [`rule`], and the node that they are of.
const BREACH: &str = "load_test_breach";
const BREACH_NODE: &str = "load-test-breach";

/// A rule that fires at once, and anew for each marker: it is a label of the sample, and so of the alert.
pub(crate) fn rule(id: &str, topic: &str) -> String {
    serde_json::json!({
        "id": id,
        "name": "load test",
        "kind": "threshold",
        "metric": BREACH,
        "matchers": [format!("load_test={topic}")],
        "comparison": ">",
        "value": 0,
        "severity": crate::plan::ALERTS_TOPIC.trim_start_matches("alerts_"),
    })
    .to_string()
}

/// Appends a frame with one sample that makes [`rule`] fire; its id is the number of the message.
pub(crate) fn write_breach(about: &str, marker: Marker, out: &mut Vec<u8>) {
    let id = marker.sequence;
    let _ = write!(
        out,
        r#"{{"type":"metrics","id":"{id}","payload":{{"node":"{BREACH_NODE}",{about},"samples":[{{"name":"{BREACH}","labels":{{"marker":"#
    );
    marker.write_quoted(0, out);
    out.extend_from_slice(br#"},"value":1}]}}"#);
}

/// What a frame is, as far as a client of a load test cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Connected,
    Subscribed,
    Unsubscribed,
    Published,
    MetricsAck {
        durable: bool,
    },
    Error,
    Pong,
    /// Messages, alone or in a batch, and whatever else.
    Other,
}

/// Reads the type of a frame; the hub puts it first.
pub(crate) fn heard(payload: &[u8]) -> Heard {
    let head = payload.get(..payload.len().min(64)).unwrap_or_default();
    let Some(kind) = text_after(head, br#""type":""#) else { return Heard::Other };
    match kind {
        b"connected" => Heard::Connected,
        b"subscribed" => Heard::Subscribed,
        b"unsubscribed" => Heard::Unsubscribed,
        b"published" => Heard::Published,
        b"metrics_ack" => {
            Heard::MetricsAck { durable: memmem::find(payload, br#""durable":true"#).is_some() }
        }
        b"error" => Heard::Error,
        b"pong" => Heard::Pong,
        _ => Heard::Other,
    }
}

/// The text in quotes behind a key.
fn text_after<'a>(payload: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = payload.get(memmem::find(payload, key)? + key.len()..)?;
    rest.get(..memchr::memchr(b'"', rest)?)
}

fn digits(rest: &[u8]) -> Option<u64> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

/// The number of the request that an answer is to.
pub(crate) fn reply_to(payload: &[u8]) -> Option<u32> {
    u32::try_from(digits(text_after(payload, br#""reply_to":""#)?)?).ok()
}

/// Where a `subscribed` answer says that the topic stands: epoch and offset.
pub(crate) fn position(payload: &[u8]) -> Option<(String, u64)> {
    let epoch = String::from_utf8(text_after(payload, br#""epoch":""#)?.to_vec()).ok()?;
    Some((epoch, last_offset(payload)?))
}

pub(crate) fn recovered(payload: &[u8]) -> bool {
    memmem::find(payload, br#""recovered":true"#).is_some()
}

/// The offset of the last message in a frame.
pub(crate) fn last_offset(payload: &[u8]) -> Option<u64> {
    const KEY: &[u8] = br#""offset":"#;
    digits(payload.get(memmem::rfind(payload, KEY)? + KEY.len()..)?)
}

/// Code and message of an `error` frame.
pub(crate) fn complaint(payload: &[u8]) -> String {
    let field = |key: &[u8]| text_after(payload, key).map(String::from_utf8_lossy).unwrap_or_default();
    format!("{}: {}", field(br#""code":""#), field(br#""message":""#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Scenario;
    use serde_json::Value;

    #[test]
    fn requests_are_json_with_the_fields_of_the_protocol() {
        let marker = Marker { due_ns: 5, sequence: 3 };
        let (mut publish, mut metrics) = (Vec::new(), Vec::new());
        write_publish(3, "t", "critical", |out| marker.write_quoted(300, out), &mut publish);
        let slow = Plan { connections: 50, rate_hz: 10.0, ..Plan::of(Scenario::Ingest) };
        write_metrics("n-1", &about_nodes(&slow), 9, 3, &mut metrics);
        let mut breach = Vec::new();
        write_breach(&about_nodes(&slow), marker, &mut breach);
        let breach: Value = serde_json::from_slice(&breach).unwrap();
        let sample = &breach["payload"]["samples"][0];
        assert!(sample["labels"]["marker"].as_str().unwrap().starts_with("#iw"), "{breach}");
        let rule: Value = serde_json::from_str(&rule("r", &slow.topic)).unwrap();
        assert_eq!((&rule["metric"], &rule["severity"]), (&sample["name"], &"critical".into()));
        let publish: Value = serde_json::from_slice(&publish).unwrap();
        assert_eq!((&publish["id"], &publish["payload"]["priority"]), (&"3".into(), &"critical".into()));
        assert_eq!(publish["payload"]["data"].as_str().unwrap().len(), 300);
        let metrics: Value = serde_json::from_slice(&metrics).unwrap();
        assert_eq!((&metrics["id"], &metrics["payload"]["node"]), (&"9".into(), &"n-1".into()));
        let labels = serde_json::json!({ "synthetic": "true", "load_test": slow.topic });
        assert_eq!(metrics["payload"]["labels"], labels);
        assert_eq!(
            (&metrics["payload"]["interval_ms"], &metrics["payload"]["ttl_ms"]),
            (&5_000.into(), &15_000.into())
        );
        for list in ["names", "values"] {
            assert_eq!(metrics["payload"][list].as_array().unwrap().len(), 3, "{metrics}");
        }
        let again: Value = serde_json::from_str(&subscribe("t", Some(("e", 9)))).unwrap();
        assert_eq!(again["payload"]["topics"][0]["recover"]["offset"], 9);
        assert!(serde_json::from_str::<Value>(&subscribe("t", None)).is_ok());
        assert!(serde_json::from_str::<Value>(&unsubscribe("t")).is_ok());
    }

    #[test]
    fn answers_are_told_apart_and_read() {
        let subscribed = br#"{"version":1,"type":"subscribed","id":"x","timestamp":"t","payload":{"topics":[{"topic":"t","epoch":"e-1","offset":42,"recovered":true,"recovered_count":3}]},"metadata":{"reply_to":"s"}}"#;
        assert_eq!(heard(subscribed), Heard::Subscribed);
        assert_eq!(position(subscribed), Some(("e-1".to_owned(), 42)));
        assert!(recovered(subscribed));
        let ack = br#"{"version":1,"type":"metrics_ack","payload":{"accepted":3,"durable":true},"metadata":{"reply_to":"17"}}"#;
        assert_eq!((heard(ack), reply_to(ack)), (Heard::MetricsAck { durable: true }, Some(17)));
        let error = br#"{"version":1,"type":"error","payload":{"code":"rate_limited","message":"too many"},"metadata":{"reply_to":"8"}}"#;
        assert_eq!((heard(error), reply_to(error)), (Heard::Error, Some(8)));
        assert_eq!(complaint(error), "rate_limited: too many");
    }

    #[test]
    fn the_last_offset_of_a_batch_is_its_last_message() {
        let batch = br#"{"type":"batch","payload":{"items":[{"id":"a","offset":7},{"id":"b","offset":8}]},"metadata":{"first_offset":7,"count":2}}"#;
        assert_eq!((heard(batch), last_offset(batch)), (Heard::Other, Some(8)));
        assert_eq!(last_offset(b"{}"), None);
    }
}
