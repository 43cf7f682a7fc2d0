//! The table.

use serde_json::{Value, json};

use super::Does::{Asks, Plays, Says, Sends};
use super::Gets::{Closed, Error, Refused, Rejected};
use super::{Does, Gets, Row, encodings, scenes, tokens};
use crate::hub::{TEXT, Upgrade, frame};

/// All rows.
pub(super) fn table() -> Vec<Row> {
    let encoded = [encodings::compressed(), encodings::packed()];
    let plain = [texts(), requests(), documents(), samples(), frames(), upgrades(), plays()];
    plain.into_iter().chain(encoded).flatten().collect()
}

pub(super) fn row(name: &'static str, does: Does, gets: Gets) -> Row {
    Row { name, does, gets }
}

fn error(name: &'static str, role: &'static str, text: impl Into<String>, code: &str) -> Row {
    row(name, Says(role, text.into()), Error(code.into()))
}

/// Texts that are no request.
fn texts() -> Vec<Row> {
    let ping = |field: &str, value: Value| json!({ "type": "ping", field: value }).to_string();
    let deep = format!(r#"{{"type":"ping","t":{}"#, "[".repeat(10_000));
    vec![
        error("broken JSON", "viewer", r#"{"type":"#, "invalid_json"),
        error("no JSON at all", "viewer", "hello", "invalid_json"),
        error("an empty text", "viewer", "", "invalid_json"),
        error("a NUL in the text", "viewer", "{\"type\":\"ping\0\"}", "invalid_json"),
        error("brackets 10,000 deep", "viewer", deep, "invalid_json"),
        error("no object", "viewer", "[1]", "invalid_field"),
        error("no type", "viewer", r#"{"topics":["a"]}"#, "missing_field"),
        error("an unknown type", "viewer", r#"{"type":"dance"}"#, "unknown_type"),
        error("a type of the hub's own", "viewer", r#"{"type":"connected"}"#, "unknown_type"),
        error("an oversized request id", "viewer", ping("id", json!("x".repeat(129))), "invalid_field"),
        error("a request id that is no string", "viewer", ping("id", json!(7)), "invalid_field"),
        error("another version of the protocol", "viewer", ping("version", json!(2)), "invalid_field"),
    ]
}

/// Requests that cannot or may not be done.
fn requests() -> Vec<Row> {
    let subscribe = |topic: &str| json!({ "type": "subscribe", "topics": [topic] }).to_string();
    let join = |room: &str| json!({ "type": "join_room", "room": room }).to_string();
    let publish = |topic: &str, field: &str, value: Value| {
        json!({ "type": "publish", "topic": topic, "data": 1, field: value }).to_string()
    };
    let speak = json!({ "type": "room_message", "room": "lobby", "data": 1 }).to_string();
    let no_data = r#"{"type":"publish","topic":"t"}"#;
    let at = json!({ "epoch": "e", "offset": 1 });
    let wish = |field: &str, value: Value, topic: &str| {
        json!({ "type": "subscribe", "topics": [{ "topic": topic, field: value }] }).to_string()
    };
    let past =
        |topic: &str, limit: Value| json!({ "type": "history", "topic": topic, "limit": limit }).to_string();
    let info = |info: Value| json!({ "type": "join_room", "room": "lobby", "info": info }).to_string();
    vec![
        error(
            "a wildcard that is recovered",
            "viewer",
            wish("recover", json!(at), "orders:*"),
            "invalid_field",
        ),
        error("a place that is no place", "viewer", wish("recover", json!(7), "t"), "invalid_field"),
        error("a filter that names nothing", "viewer", wish("filter", json!({}), "t"), "invalid_field"),
        error(
            "a filter by something else",
            "viewer",
            wish("filter", json!({ "age": 1 }), "t"),
            "invalid_field",
        ),
        error(
            "a filter of 65 keys",
            "viewer",
            wish("filter", json!({ "keys": vec!["k"; 65] }), "t"),
            "invalid_field",
        ),
        error("a rate of 0", "viewer", wish("max_rate_hz", json!(0), "t"), "invalid_field"),
        error("a rate of 1 MHz", "viewer", wish("max_rate_hz", json!(1_000_000), "t"), "invalid_field"),
        error("conflate as text", "viewer", wish("conflate", json!("yes"), "t"), "invalid_field"),
        error("a wildcard over other clients", "viewer", subscribe("client:*"), "forbidden"),
        error("a wildcard in the middle", "viewer", subscribe("a*b"), "invalid_name"),
        error("history of a wildcard", "viewer", past("t:*", json!(1)), "invalid_name"),
        error("history of no message", "viewer", past("t", json!(0)), "invalid_field"),
        error("history of 501 messages", "viewer", past("t", json!(501)), "invalid_field"),
        error("history of somebody else", "viewer", past("client:somebody", json!(1)), "forbidden"),
        error("info that is no object", "viewer", info(json!([1])), "invalid_field"),
        error("info of 1 kB", "viewer", info(json!({ "a": "x".repeat(1_024) })), "invalid_field"),
        error("the presence of a bad name", "viewer", r#"{"type":"presence","room":"a/b"}"#, "invalid_name"),
        error("a missing field", "operator", no_data, "missing_field"),
        error("a field of the wrong type", "viewer", r#"{"type":"subscribe","topics":7}"#, "invalid_field"),
        error("a topic name of 10 kB", "viewer", subscribe(&"t".repeat(10_240)), "invalid_name"),
        error("a topic name with a space", "viewer", subscribe("a b"), "invalid_name"),
        error("an empty topic name", "viewer", subscribe(""), "invalid_name"),
        error("a room name with a slash", "viewer", join("a/b"), "invalid_name"),
        error("a key of 10 kB", "operator", publish("t", "key", json!("k".repeat(10_240))), "invalid_field"),
        error("an unknown priority", "operator", publish("t", "priority", json!("now")), "invalid_field"),
        error("a viewer who publishes", "viewer", publish("t", "id", json!("1")), "forbidden"),
        error("what only the hub publishes", "operator", publish("nodes", "id", json!("1")), "forbidden"),
        error("a personal topic of others", "operator", subscribe("user:admin"), "forbidden"),
        error("an agent who reads", "agent", subscribe("metrics_update"), "forbidden"),
        error("words in a room it is not in", "operator", speak, "not_in_room"),
        error(
            "a forged token for refresh",
            "viewer",
            r#"{"type":"refresh","token":"a.b.c"}"#,
            "unauthorized",
        ),
    ]
}

/// Shared state that cannot be read or written.
fn documents() -> Vec<Row> {
    let put = |field: &str, value: Value| {
        let mut write = json!({ "type": "sync_put", "doc": "d", "key": "k", "value": 1, "base_version": 0 });
        write[field] = value;
        write.to_string()
    };
    let row = |name, field, value, code| error(name, "operator", put(field, value), code);
    let no_value = r#"{"type":"sync_put","doc":"d","key":"k","base_version":0}"#;
    let no_base = r#"{"type":"sync_put","doc":"d","key":"k","value":1}"#;
    vec![
        row("a document name with a slash", "doc", json!("a/b"), "invalid_name"),
        row("a document name of 10 kB", "doc", json!("d".repeat(10_240)), "invalid_name"),
        row("an empty key of a document", "key", json!(""), "invalid_field"),
        row("a key of a document of 10 kB", "key", json!("k".repeat(10_240)), "invalid_field"),
        row("a value of 20 kB", "value", json!("v".repeat(20_480)), "invalid_field"),
        row("a version that never was", "base_version", json!(1), "invalid_field"),
        row("a negative version", "base_version", json!(-1), "invalid_field"),
        row("a version that is no number", "base_version", json!("1"), "invalid_field"),
        row("a writer from the year 2200", "timestamp", json!("2200-01-01T00:00:00Z"), "invalid_field"),
        row("a writer's time that is none", "timestamp", json!("soon"), "invalid_field"),
        error("a write without a value", "operator", no_value, "missing_field"),
        error("a write upon nothing", "operator", no_base, "missing_field"),
        error("a viewer who writes", "viewer", put("key", json!("k")), "forbidden"),
        error(
            "keys that are no list",
            "viewer",
            r#"{"type":"sync_get","doc":"d","keys":7}"#,
            "invalid_field",
        ),
        error(
            "words beside shared state",
            "admin",
            r#"{"type":"publish","topic":"sync:d","data":1}"#,
            "forbidden",
        ),
    ]
}

/// A frame of samples: `cpu_percent` with this value, at this time, both as JSON text.
fn metrics(node: &str, value: &str, timestamp: &str) -> String {
    format!(
        r#"{{"type":"metrics","payload":{{"node":"{node}","timestamp":{timestamp},"names":["cpu_percent"],"values":[{value}]}}}}"#
    )
}

/// Samples that cannot be taken.
fn samples() -> Vec<Row> {
    let now = infrawatch::clock::system_unix_ms().to_string();
    let rejected = |name, value: &str, timestamp: &str, reason: &str| {
        row(name, Says("agent", metrics("web-1", value, timestamp)), Rejected(reason.into()))
    };
    let name = metrics("web-1", "1", &now).replace("cpu_percent", "cpu percent");
    let count = metrics("web-1", "1,2", &now);
    vec![
        rejected("a value beyond all numbers", "1e999", &now, "not_finite"),
        rejected("a negative value beyond all numbers", "-1e999", &now, "not_finite"),
        rejected("NaN as text", "\"NaN\"", &now, "not_finite"),
        rejected("infinity as text", "\"Infinity\"", &now, "not_finite"),
        rejected("a value that is no number", "true", &now, "not_finite"),
        rejected("a time in 1970", "1", "\"1970-01-01T00:00:00Z\"", "too_old"),
        rejected("a time in 1969", "1", "\"1969-12-31T23:59:59Z\"", "too_old"),
        rejected("a time in 2200", "1", "\"2200-01-01T00:00:00Z\"", "too_far_ahead"),
        rejected("a time that is none", "1", "\"soon\"", "invalid_timestamp"),
        row("a metric name with a space", Says("agent", name), Rejected("invalid_name".into())),
        error("NaN as a literal", "agent", metrics("web-1", "NaN", &now), "invalid_json"),
        error("more values than names", "agent", count, "invalid_field"),
        error("samples of another node", "agent", metrics("web-2", "1", &now), "forbidden"),
        error("a node name with a slash", "agent", metrics("web/1", "1", &now), "invalid_name"),
        error("a viewer who sends samples", "viewer", metrics("web-1", "1", &now), "forbidden"),
    ]
}

/// Bytes that are no frame.
fn frames() -> Vec<Row> {
    let closed = |name, bytes: Vec<u8>, code| row(name, Sends(bytes), Closed(code));
    let ping = br#"{"type":"ping"}"#;
    let mut unmasked = vec![TEXT, u8::try_from(ping.len()).unwrap()];
    unmasked.extend(ping);
    let mut over_the_limit = frame(TEXT, &vec![b' '; 64 * 1024 + 1]);
    // The header alone: the hub must not wait for the rest.
    over_the_limit.truncate(14);
    vec![
        closed("an unmasked frame", unmasked, 1002),
        closed("text that is not UTF-8", frame(TEXT, b"{\"type\":\"\xff\"}"), 1007),
        closed("half a character at the end", frame(TEXT, b"\"\xe2\x82"), 1007),
        closed("a reserved bit", frame(TEXT | 0x40, ping), 1002),
        closed("a reserved opcode", frame(0x83, ping), 1002),
        closed("a ping in parts", frame(0x09, b""), 1002),
        closed("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        closed("a continuation of nothing", frame(0x80, ping), 1002),
        closed("a close code that does not exist", frame(0x88, &[0x03, 0xed]), 1002),
        closed("a close with half a code", frame(0x88, &[0x03]), 1002),
        closed("one byte over the limit", over_the_limit, 1009),
    ]
}

/// Requests for an upgrade that are refused before it.
fn upgrades() -> Vec<Row> {
    let refused = |name, asks: fn(&crate::hub::Hub) -> Upgrade, status, code: &str| {
        row(name, Asks(asks), Refused(status, code.into()))
    };
    vec![
        refused("no token", |_| Upgrade::to("/ws/a"), 401, "unauthorized"),
        refused(
            "an expired token",
            |hub| Upgrade::to("/ws/a").bearer(&tokens::expired(hub)),
            401,
            "token_expired",
        ),
        refused("a forged token", |_| Upgrade::to("/ws/a").bearer(&tokens::forged()), 401, "unauthorized"),
        refused(
            "an altered token",
            |hub| Upgrade::to("/ws/a").bearer(&tokens::altered(hub)),
            401,
            "unauthorized",
        ),
        refused(
            "a token without a signature",
            |_| Upgrade::to("/ws/a").bearer(&tokens::unsigned()),
            401,
            "unauthorized",
        ),
        refused(
            "a token of 10 kB",
            |_| Upgrade::to("/ws/a").bearer(&"t".repeat(10_240)),
            401,
            "unauthorized",
        ),
        refused(
            "a client id with a slash",
            |hub| Upgrade::to("/ws/a/b").bearer(&hub.token("viewer")),
            400,
            "invalid_name",
        ),
        refused(
            "a client id with an escape",
            |hub| Upgrade::to("/ws/a%2Fb").bearer(&hub.token("viewer")),
            400,
            "invalid_name",
        ),
        refused("no client id", |hub| Upgrade::to("/ws/").bearer(&hub.token("viewer")), 400, "invalid_name"),
        refused(
            "a client id of 129 characters",
            |hub| Upgrade::to(&format!("/ws/{}", "c".repeat(129))).bearer(&hub.token("viewer")),
            400,
            "invalid_name",
        ),
        refused("another path", |hub| Upgrade::to("/socket").bearer(&hub.token("viewer")), 404, "not_found"),
        refused(
            "another page's script",
            |hub| Upgrade::to("/ws/a").bearer(&hub.token("viewer")).header("Origin", "http://evil.example"),
            403,
            "origin_refused",
        ),
        refused(
            "somebody else's client id",
            |hub| Upgrade::to("/ws/witness").bearer(&hub.token("admin")),
            403,
            "forbidden",
        ),
        refused(
            "a sub-protocol that is not spoken",
            |hub| Upgrade::to("/ws/a").bearer(&hub.token("viewer")).header("Sec-WebSocket-Protocol", "mqtt"),
            400,
            "invalid_field",
        ),
    ]
}

/// What takes more than one step.
fn plays() -> Vec<Row> {
    vec![
        row(
            "a binary frame",
            Plays(|hub| Box::pin(scenes::binary(hub))),
            Error("unsupported_encoding".into()),
        ),
        row("a frame of 100 MB", Plays(|hub| Box::pin(scenes::hundred_megabytes(hub))), Closed(1009)),
        row("a message of many small parts", Plays(|hub| Box::pin(scenes::endless_parts(hub))), Closed(1009)),
        row("a frame that stops half way", Plays(|hub| Box::pin(scenes::half_a_frame(hub))), Closed(4010)),
        row("a client that never pongs", Plays(|hub| Box::pin(scenes::never_pongs(hub))), Closed(4010)),
        row("a client that never reads", Plays(|hub| Box::pin(scenes::never_reads(hub))), Closed(4008)),
        row("100 bad frames in a row", Plays(|hub| Box::pin(scenes::bad_frames(hub))), Closed(4400)),
        row(
            "10,000 topics",
            Plays(|hub| Box::pin(scenes::ten_thousand_topics(hub))),
            Error("too_many_topics".into()),
        ),
        row(
            "1,000 rooms",
            Plays(|hub| Box::pin(scenes::thousand_rooms(hub))),
            Error("too_many_rooms".into()),
        ),
        row("a second connection", Plays(|hub| Box::pin(scenes::second_connection(hub))), Closed(4001)),
        row(
            "more connections than allowed",
            Plays(|hub| Box::pin(scenes::connection_limit(hub))),
            Refused(503, "overloaded".into()),
        ),
    ]
}
