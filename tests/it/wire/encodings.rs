//! Encodings: JSON and MessagePack, compressed and not, on the same topics.

use serde_json::{Value, json};

use crate::hub::{
    BINARY, COMPRESSED, Hub, RawEvent, RawSocket, Speaker, TEXT, Tongue, Upgrade, deflate, frame,
};

const TOPIC: &str = "bench:formats";

/// Something like what monitoring publishes, some 2 kB long.
fn sample(n: u64) -> Value {
    let metrics: serde_json::Map<String, Value> =
        (0..40).map(|m| (format!("gpu_{m}_utilisation_percent"), json!(n as f64 + m as f64 / 8.0))).collect();
    json!({ "node": format!("gpu-{n}"), "ok": true, "none": null, "big": u64::MAX, "small": i64::MIN, "metrics": metrics })
}

async fn publish(speaker: &mut Speaker, data: &Value, priority: &str) -> u64 {
    let request = json!({ "topic": TOPIC, "data": data, "priority": priority });
    let published = speaker.ask("publish", request).await;
    assert_eq!(published["type"], "published", "{published}");
    published["payload"]["offset"].as_u64().unwrap()
}

async fn subscribers(hub: &Hub, count: usize, tongue: Tongue) -> Vec<Speaker> {
    let mut speakers = Vec::new();
    for n in 0..count {
        let name = format!("subscriber-{n}-{}-{}", tongue.msgpack, tongue.deflate);
        let mut speaker = Speaker::open_as(hub, &name, "viewer", tongue).await;
        let answer = speaker.ask("subscribe", json!({ "topics": [TOPIC] })).await;
        assert_eq!(answer["payload"]["topics"][0]["topic"], TOPIC, "{answer}");
        speakers.push(speaker);
    }
    speakers
}

#[tokio::test]
async fn one_topic_says_the_same_in_every_encoding() {
    let hub = Hub::start();
    let (mut readers, mut writers) = (Vec::new(), Vec::new());
    for tongue in Tongue::ALL {
        // Two of each, so that both workers have some.
        readers.extend(subscribers(&hub, 2, tongue).await);
        let name = format!("writer-{}-{}", tongue.msgpack, tongue.deflate);
        writers.push(Speaker::open_as(&hub, &name, "operator", tongue).await);
    }
    // At once and alone, then several that leave together in a batch.
    let mut expected = Vec::new();
    for (n, priority) in (0..).zip(["critical", "critical", "normal", "normal", "normal", "normal"]) {
        for writer in &mut writers {
            let data = if n % 2 == 0 { sample(n) } else { json!(n) };
            expected.push((publish(writer, &data, priority).await, data));
        }
    }
    assert!(expected.iter().map(|(offset, _)| *offset).eq(1..=24), "{expected:?}");
    for reader in &mut readers {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            seen.extend(reader.messages().await);
        }
        assert_eq!(seen, expected, "{:?}", reader.tongue);
        assert_eq!(reader.raw.compressed > 0, reader.tongue.deflate, "{:?}", reader.tongue);
    }
}

#[tokio::test]
async fn a_broadcast_is_compressed_once_however_many_get_it() {
    const MESSAGES: u64 = 8;
    const SUBSCRIBERS: usize = 30;
    let hub = Hub::start();
    let mut readers = subscribers(&hub, SUBSCRIBERS, Tongue::JSON_DEFLATE).await;
    let mut writer = Speaker::open_as(&hub, "writer", "operator", Tongue::JSON).await;
    let metrics =
        ["deflate_frames", "deflate_bytes_in", "deflate_bytes_out", "bytes_saved_total{how=\"deflate\"}"];
    let read = async || {
        let mut values = Vec::new();
        for metric in metrics {
            let metric = if metric.contains('{') { metric.to_owned() } else { format!("{metric}_total") };
            values.push(hub.metric(&format!("infrawatch_{metric}")).await);
        }
        values
    };
    let before = read().await;
    for n in 1..=MESSAGES {
        assert_eq!(publish(&mut writer, &sample(n), "critical").await, n);
        for reader in &mut readers {
            assert_eq!(reader.messages().await, [(n, sample(n))]);
        }
    }
    let after = read().await;
    let [frames, bytes_in, bytes_out, saved] = std::array::from_fn(|metric| after[metric] - before[metric]);
    assert_eq!(frames, MESSAGES, "compressed once for {SUBSCRIBERS} on two workers");
    assert!(bytes_in > MESSAGES * 1_500 && bytes_out * 2 < bytes_in, "{bytes_in} to {bytes_out}");
    let spared = (bytes_in - bytes_out) * SUBSCRIBERS as u64;
    assert!(saved.abs_diff(spared) < spared / 50, "{saved} saved, {spared} expected");
}

#[tokio::test]
async fn answers_and_errors_come_in_the_encoding_of_the_connection() {
    let hub = Hub::start();
    for tongue in Tongue::ALL {
        let mut speaker = Speaker::open_as(&hub, "talker", "viewer", tongue).await;
        assert_eq!(speaker.connected["payload"]["client_id"], "talker");
        let t = json!({ "any": [1, -2, 0.5, "größe\n", null, true] });
        let pong = speaker.ask("ping", json!({ "t": t })).await;
        assert_eq!((&pong["type"], &pong["payload"]["t"]), (&json!("pong"), &t), "{tongue:?}");
        let error = speaker.ask("publish", json!({ "topic": "nodes", "data": 1 })).await;
        assert_eq!(error["payload"]["code"], "forbidden", "{tongue:?}");
        // A message of the other kind is answered in the connection's own.
        let foreign =
            if tongue.msgpack { frame(TEXT, b"{\"type\":\"ping\"}") } else { frame(BINARY, b"\x80") };
        speaker.raw.send(&foreign).await;
        let error = speaker.first(|frame| frame["type"] == "error").await;
        assert_eq!(error["payload"]["code"], "unsupported_encoding");
        let expected =
            if tongue.msgpack { "infrawatch.v1.msgpack has binary" } else { "infrawatch.v1.json has text" };
        assert!(error["payload"]["message"].as_str().unwrap().starts_with(expected), "{error}");
        let preset =
            Speaker::open_as(&hub, "live", "viewer", tongue).await.first(|f| f["type"] == "subscribed").await;
        assert_eq!(preset["payload"]["topics"].as_array().unwrap().len(), 3, "{tongue:?}");
    }
}

#[tokio::test]
async fn a_compressed_request_may_come_in_parts() {
    let hub = Hub::start();
    let mut speaker = Speaker::open_as(&hub, "parts", "viewer", Tongue::JSON_DEFLATE).await;
    let request = deflate(br#"{"type":"ping","id":"1","t":"abcabcabcabcabcabcabcabc"}"#);
    let (front, back) = request.split_at(request.len() / 2);
    let parts = [frame(0x01 | COMPRESSED, front), frame(0x89, b"between"), frame(0x80, back)].concat();
    for byte in parts {
        speaker.raw.send(&[byte]).await;
    }
    assert_eq!(speaker.raw.next().await, RawEvent::Pong);
    let pong = speaker.first(|frame| frame["metadata"]["reply_to"] == "1").await;
    assert_eq!(pong["payload"]["t"], "abcabcabcabcabcabcabcabc");
}

#[tokio::test]
async fn compression_is_agreed_on_only_when_it_is_wanted_and_possible() {
    let answer = async |hub: &Hub, offer: &str| {
        let upgrade = Upgrade::to("/ws/offers").bearer(&hub.token("viewer"));
        let raw = RawSocket::open(hub, &upgrade.header("Sec-WebSocket-Extensions", offer)).await.unwrap();
        let line = raw.head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        line.map(str::to_owned)
    };
    let confirmed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let hub = Hub::start();
    let browsers = answer(&hub, "permessage-deflate; client_max_window_bits").await;
    assert_eq!(browsers.as_deref(), Some(confirmed));
    let bounded = answer(&hub, "permessage-deflate; server_max_window_bits=15").await;
    assert_eq!(bounded, Some(format!("{confirmed}; server_max_window_bits=15")));
    assert_eq!(answer(&hub, "permessage-deflate; server_max_window_bits=9").await, None);
    let off = Hub::with(|settings| settings.connection.deflate = false);
    assert_eq!(answer(&off, "permessage-deflate").await, None);
}

#[tokio::test]
async fn lists_and_counts_say_how_each_connection_speaks() {
    let hub = Hub::start();
    let mut open = Vec::new();
    for (name, tongue) in ["a", "b", "c", "d"].into_iter().zip(Tongue::ALL) {
        open.push(Speaker::open_as(&hub, name, "viewer", tongue).await);
    }
    let get = async |path: &str| -> Value {
        let url = format!("http://{}/api/v1/connections/{path}", hub.address);
        let answer = reqwest::Client::new().get(url).bearer_auth(hub.token("viewer")).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let stats = get("stats").await;
    assert_eq!(stats["by_encoding"], json!({ "json": 2, "msgpack": 2 }));
    assert_eq!(stats["deflate_connections"], 2);
    let list = get("list").await;
    let rows = list["items"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.map(|row| (row["encoding"].as_str(), row["deflate"].as_bool())).collect();
    let expected = [("json", false), ("json", true), ("msgpack", false), ("msgpack", true)];
    assert_eq!(rows, expected.map(|(encoding, deflate)| (Some(encoding), Some(deflate))));
    assert_eq!(hub.metric("infrawatch_connections_by_format{format=\"msgpack_deflate\"}").await, 1);
}

#[tokio::test]
async fn what_is_shorter_than_the_setting_is_not_compressed() {
    let hub = Hub::with(|settings| settings.connection.deflate_bytes_min = 100_000);
    let mut readers = subscribers(&hub, 1, Tongue::MSGPACK_DEFLATE).await;
    let mut writer = Speaker::open_as(&hub, "writer", "operator", Tongue::MSGPACK_DEFLATE).await;
    publish(&mut writer, &sample(1), "critical").await;
    assert_eq!(readers[0].messages().await, [(1, sample(1))]);
    assert_eq!(readers[0].raw.compressed, 0);
    assert_eq!(hub.metric("infrawatch_deflate_frames_total").await, 0);
}
