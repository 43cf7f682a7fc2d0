//! Faults of the store: slow, gone, full.

use infrawatch::breaker::{State, Subsystem};
use serde_json::{Value, json};

use super::{disable, enable, timed};
use crate::hub::{Client, Inside, until};

/// As long as a breaker stays open.
const OPEN_MS: u64 = 30_000;

const KEPT: &str = "deployments";

fn deployment() -> Value {
    json!({ "service": "s", "version": "1", "status": "started" })
}

/// A publish that must fail; the code of the error.
async fn fails(client: &mut Client, topic: &str) -> Value {
    client.request("publish", json!({ "topic": topic, "data": 0 }), "error").await["code"].clone()
}

async fn reaches(hub: &Inside, wanted: State) {
    until("the breaker of the store", async || {
        (hub.state.services.breakers.one(Subsystem::Store).change.state == wanted).then_some(())
    })
    .await;
}

/// What the store has of the kept topic: offsets and payloads.
async fn kept(hub: &Inside) -> Vec<(u64, String)> {
    let events = hub.state.store.tail_events(KEPT, 100, None).await.unwrap();
    events.into_iter().map(|e| (e.offset, String::from_utf8(e.payload.to_vec()).unwrap())).collect()
}

/// Publishes as soon as the topic has learned from the store where it stands.
async fn publish_again(client: &mut Client, data: &str) {
    until("the topic is back", async || {
        let answer = client.ask("publish", json!({ "topic": KEPT, "data": data })).await;
        (answer["type"] == "published").then_some(())
    })
    .await;
}

fn texts(texts: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(texts.iter().map(|text| format!("{text:?}"))).collect()
}

#[tokio::test]
async fn a_slow_store_delays_what_it_keeps_and_nothing_else() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    enable(&hub, "store_slow", json!({ "delay_ms": 2_000 })).await;
    let id = client.send("publish", json!({ "topic": KEPT, "data": "slow" })).await;
    for n in 0..20 {
        let sent = client.send("publish", json!({ "topic": "bench:memory", "data": n })).await;
        assert_eq!(client.answer_to(&sent).await["type"], "published");
        assert!(!client.has_waiting("published"), "acknowledged before its commit");
    }
    disable(&hub, "store_slow").await;
    assert_eq!(client.answer_to(&id).await["type"], "published");
    assert_eq!(kept(&hub).await, texts(&["slow"]));
}

#[tokio::test]
async fn without_the_store_nothing_acknowledged_is_lost_and_samples_are_acknowledged_later() {
    let (hub, hand) = timed(|_options| {});
    let mut client = hub.client("alice").await;
    client.publish(KEPT, json!("before")).await;
    let run = enable(&hub, "store_gone", json!({})).await;
    assert_eq!(fails(&mut client, KEPT).await, "store_unavailable");
    let (status, retry_after_s, problem) = hub.post("/api/v1/streaming/deployments", &deployment()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{problem}");
    assert!(retry_after_s.is_some());
    until("the breaker opens", async || {
        let sample = json!({ "node": "n0", "names": ["load1"], "values": [0] });
        assert_eq!(client.request("metrics", sample, "metrics_ack").await["durable"], false);
        (!hub.state.services.breakers.is_closed(Subsystem::Store)).then_some(())
    })
    .await;
    client.publish("bench:memory", json!(1)).await;
    let now_ms = infrawatch::clock::system_unix_ms();
    let mut sent = Vec::new();
    for n in 0..10 {
        let sample =
            json!({ "node": "n1", "names": ["load1"], "values": [n], "timestamp": now_ms - 5_000 + 100 * n });
        sent.push(client.send("metrics", sample).await);
    }
    until("samples wait", async || (hub.state.services.ingest.spilled().batches == 10).then_some(())).await;
    assert!(!client.has_waiting("metrics_ack"), "nothing is acknowledged that is not committed");
    let ended = disable(&hub, "store_gone").await;
    assert_eq!(ended["id"], run["id"]);
    assert!(ended["observed"]["now"].as_u64() > ended["observed"]["before"].as_u64(), "{ended}");
    until("the file is open", async || hub.state.store.stats().writer_running.then_some(())).await;
    hand.advance_ms(OPEN_MS);
    reaches(&hub, State::Closed).await;
    for id in &sent {
        assert_eq!(client.answer_to(id).await["payload"]["durable"], true);
    }
    publish_again(&mut client, "after").await;
    assert_eq!(kept(&hub).await, texts(&["before", "after"]));
}

#[tokio::test]
async fn on_a_full_disk_who_waits_is_told_and_writing_goes_on_when_there_is_room() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.publish(KEPT, json!("before")).await;
    enable(&hub, "disk_full", json!({})).await;
    let refused = client.request("publish", json!({ "topic": KEPT, "data": 0 }), "error").await;
    assert_eq!(refused["code"], "store_unavailable");
    assert!(refused["message"].as_str().unwrap().contains("full"), "as SQLite says it: {refused}");
    let put = json!({ "doc": "board", "key": "a", "value": 1, "base_version": 0 });
    assert_eq!(client.request("sync_put", put.clone(), "error").await["code"], "store_unavailable");
    let ended = disable(&hub, "disk_full").await;
    assert!(ended["observed"]["now"].as_u64() > ended["observed"]["before"].as_u64(), "{ended}");
    publish_again(&mut client, "after").await;
    assert_eq!(kept(&hub).await, texts(&["before", "after"]), "nothing half-written stays");
    until("the document is back", async || {
        (client.ask("sync_put", put.clone()).await["type"] == "sync_applied").then_some(())
    })
    .await;
}

/// Offsets of a kept topic have no gap for its subscribers, although commits failed in between.
#[tokio::test]
async fn offsets_of_a_kept_topic_go_on_without_a_gap_after_commits_that_failed() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.subscribe(KEPT).await;
    client.publish(KEPT, json!("before")).await;
    enable(&hub, "disk_full", json!({})).await;
    for _ in 0..3 {
        fails(&mut client, KEPT).await;
    }
    disable(&hub, "disk_full").await;
    publish_again(&mut client, "after").await;
    assert_eq!(super::offsets(&mut client, KEPT, 2).await, [1, 2]);
}
