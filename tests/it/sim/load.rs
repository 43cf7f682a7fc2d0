//! Much at once: a hot topic, a client that does not read, connections that are cut, memory.

use std::time::Duration;

use infrawatch::telemetry::Counter;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{active, disable, enable, offsets, recover};
use crate::hub::{Client, Ended, Inside, until};

async fn in_order(client: &mut Client, count: u64) {
    let first = client.message().await;
    assert_eq!(first.payload["synthetic"], true);
    for n in 1..count {
        let message = client.message().await;
        assert_eq!((message.topic.as_str(), message.offset), ("lab:hot", first.offset + n));
    }
}

/// How many clients are there that do not read.
async fn deaf(hub: &Inside) -> usize {
    let (_, _, page) = hub.get("/api/v1/connections/list").await;
    let rows: &[Value] = page["items"].as_array().unwrap();
    let is_deaf = |row: &&Value| row["client_id"].as_str().unwrap().starts_with("lab-slow-");
    rows.iter().filter(is_deaf).filter(|row| row["state"] == "connected").count()
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_everybody_else_gets_every_message() {
    let hub = Inside::with(|options| {
        options.settings.connection.outbox_bytes_max = 512 * 1024;
        options.settings.connection.close_grace_ms = 100;
    });
    let mut witness = hub.client("witness").await;
    witness.subscribe("lab:hot").await;
    enable(&hub, "slow_consumer", json!({})).await;
    until("the slow client is there", async || (deaf(&hub).await == 1).then_some(())).await;
    let slow = || Counter::ConnectionsClosed.by_label().get("slow").copied().unwrap_or(0);
    let before = slow();
    enable(&hub, "hot_topic", json!({ "rate_hz": 300, "payload_bytes": 4_096 })).await;
    in_order(&mut witness, 300).await;
    until("the slow client is closed", async || {
        // Read on, or the witness is slow itself.
        in_order(&mut witness, 20).await;
        (slow() > before).then_some(())
    })
    .await;
    disable(&hub, "hot_topic").await;
    disable(&hub, "slow_consumer").await;
    witness.request("ping", json!({}), "pong").await;
}

#[tokio::test]
async fn what_a_scenario_has_started_ends_with_it() {
    let hub = Inside::with(|options| {
        options.settings.topic.flush_interval_ms = 0;
        // Who does not read is not closed for that.
        let connection = &mut options.settings.connection;
        (connection.ping_interval_ms, connection.pong_grace_ms) = (3_600_000, 600_000);
    });
    let mut client = hub.client("alice").await;
    client.subscribe("lab:hot").await;
    enable(&hub, "slow_consumer", json!({})).await;
    until("the slow client is there", async || (deaf(&hub).await == 1).then_some(())).await;
    let begin = Instant::now();
    enable(&hub, "hot_topic", json!({ "rate_hz": 1 })).await;
    offsets(&mut client, "lab:hot", 2).await;
    assert!(begin.elapsed() >= Duration::from_millis(1_900), "at its rate: {:?}", begin.elapsed());
    disable(&hub, "hot_topic").await;
    disable(&hub, "slow_consumer").await;
    until("the slow client is gone", async || (deaf(&hub).await == 0).then_some(())).await;
    enable(&hub, "hot_topic", json!({ "rate_hz": 5_000 })).await;
    disable(&hub, "hot_topic").await;
    let last = hub.topic("lab:hot").await.offset;
    // Their actor lives on for more turns than one.
    let wish = json!({ "name": "latency", "parameters": { "clients": "nobody" }, "duration_s": 1 });
    assert_eq!(hub.post("/api/sim/enable", &wish).await.0, 200);
    until("a second is over", async || active(&hub).await.is_empty().then_some(())).await;
    assert_eq!(hub.topic("lab:hot").await.offset, last);
}

#[tokio::test]
async fn a_hot_topic_does_not_delay_what_is_critical_elsewhere() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("alerts_critical").await;
    let run = enable(&hub, "hot_topic", json!({ "rate_hz": 2_000 })).await;
    until("it is hot", async || (Counter::Published.total() > 200).then_some(())).await;
    let alert = json!({ "severity": "critical", "title": "t", "message": "m" });
    let (status, _, posted) = hub.post("/api/v1/streaming/alerts", &alert).await;
    assert_eq!(status, 201, "{posted}");
    assert_eq!(client.message().await.topic, "alerts_critical");
    let ended = disable(&hub, "hot_topic").await;
    assert_eq!(ended["id"], run["id"]);
    assert!(ended["observed"]["now"].as_u64() > ended["observed"]["before"].as_u64(), "{ended}");
}

#[tokio::test]
async fn who_is_cut_comes_back_with_its_session_and_without_a_gap() {
    let hub = Inside::with(|options| {
        options.settings.topic.flush_interval_ms = 0;
        // Nobody is closed because this test does not answer its pings.
        let connection = &mut options.settings.connection;
        (connection.ping_interval_ms, connection.pong_grace_ms) = (3_600_000, 600_000);
    });
    let mut clients = Vec::new();
    for n in 0..6 {
        let mut client = hub.client(&format!("c-{n}")).await;
        client.subscribe("bench:a").await;
        clients.push(client);
    }
    let at = clients[0].publish("bench:a", json!(1)).await;
    for client in &mut clients {
        assert_eq!(offsets(client, "bench:a", 1).await, [1]);
    }
    enable(&hub, "reconnect_storm", json!({ "connections": 4 })).await;
    let gone = async || hub.state.services.clients.counts().0;
    until("four are cut", async || (gone().await == 2).then_some(())).await;
    let mut publisher = hub.client("publisher").await;
    publisher.publish("bench:a", json!(2)).await;
    let mut cut = 0;
    for (n, client) in clients.iter_mut().enumerate() {
        client.send("ping", json!({})).await;
        let id = client.send("ping", json!({})).await;
        if client.answer_or_end(&id).await.is_none() {
            assert_eq!(client.ended().await, Ended::Cut, "without a close frame");
            *client = hub.client(&format!("c-{n}")).await;
            assert_eq!(client.connected["payload"]["resumed"], true, "{}", client.connected);
            recover(client, "bench:a", &at["epoch"], 1).await;
            cut += 1;
        }
        assert_eq!(offsets(client, "bench:a", 1).await, [2]);
    }
    assert_eq!(cut, 4);
}

#[tokio::test]
async fn messages_go_on_under_memory_pressure_and_it_is_given_back() {
    const MIB: u64 = 1 << 20;
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("bench:a").await;
    let run = enable(&hub, "memory_pressure", json!({ "mib": 64 })).await;
    let before = run["observed"]["before"].as_u64().unwrap();
    let (_, _, told) = hub.get("/api/sim/status").await;
    let held = told["active"][0]["observed"]["now"].as_u64().unwrap();
    assert!(held > before + 48 * MIB, "{told}");
    client.publish("bench:a", json!(1)).await;
    assert_eq!(offsets(&mut client, "bench:a", 1).await, [1]);
    let ended = disable(&hub, "memory_pressure").await;
    assert!(ended["observed"]["now"].as_u64().unwrap() < held - 32 * MIB, "{ended}");
}
