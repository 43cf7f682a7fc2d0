//! Shared state: what is written is read back, told, merged and kept.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::http::call;
use crate::hub::{Client, Hub, RawSocket, until, within};

async fn get(hub: &Hub, path: &str, token: &str) -> Value {
    call(hub, Method::GET, path, token, None, 200).await
}

async fn put(client: &mut Client, key: &str, value: Value, base_version: u64) -> Value {
    let write = json!({ "doc": "plan", "key": key, "value": value, "base_version": base_version });
    client.request("sync_put", write, "sync_applied").await
}

async fn read(client: &mut Client, keys: Option<&[&str]>) -> Vec<Value> {
    let asked = match keys {
        Some(keys) => json!({ "doc": "plan", "keys": keys }),
        None => json!({ "doc": "plan" }),
    };
    let doc = client.request("sync_get", asked, "sync_doc").await;
    assert_eq!(doc["doc"], "plan");
    doc["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_written_is_read_back_and_told_to_subscribers() {
    let hub = Hub::start();
    let mut writer = Client::open_as(&hub, "writer", "operator").await;
    let mut reader = Client::open_as(&hub, "reader", "viewer").await;
    assert!(read(&mut reader, None).await.is_empty());
    let position = reader.subscribe("sync:plan").await;
    let applied = put(&mut writer, "title", json!({ "a": [1, "ü"] }), 0).await;
    assert_eq!((&applied["version"], &applied["conflict"]), (&json!(1), &json!(false)));
    let update = reader.next_of("sync_update").await;
    let expected = json!({
        "doc": "plan", "key": "title", "value": { "a": [1, "ü"] }, "version": 1,
        "timestamp": applied["timestamp"], "writer": "writer",
    });
    assert_eq!(update["payload"], expected);
    let meta = &update["metadata"];
    assert_eq!((&meta["topic"], &meta["offset"]), (&json!("sync:plan"), &json!(1)));
    assert_eq!((&meta["epoch"], &meta["key"]), (&position["epoch"], &json!("title")));
    put(&mut writer, "owner", json!("ann"), 0).await;
    let gone = put(&mut writer, "title", Value::Null, 1).await;
    assert_eq!((&gone["version"], &gone["conflict"]), (&json!(2), &json!(false)));
    for version in [1, 2] {
        assert_eq!(reader.next_of("sync_update").await["payload"]["version"], version);
    }
    let entries = read(&mut reader, None).await;
    let shown: Vec<_> = entries.iter().map(|e| (&e["key"], &e["value"], &e["version"])).collect();
    assert_eq!(
        shown,
        [(&json!("owner"), &json!("ann"), &json!(1)), (&json!("title"), &Value::Null, &json!(2))],
        "by key, and what was deleted keeps its version"
    );
    assert_eq!(read(&mut reader, Some(&["owner", "nothing", "owner"])).await, entries[..1]);
    let shown = get(&hub, "/api/v1/events/sync/plan", &hub.token("viewer")).await;
    assert_eq!(shown["entries"], json!(entries));
    assert_eq!((&shown["version"], &shown["keys"], &shown["offset"]), (&json!(3), &json!(1), &json!(3)));
    assert_eq!((&shown["topic"], &shown["epoch"]), (&json!("sync:plan"), &position["epoch"]));
    let listed = get(&hub, "/api/v1/events/sync", &hub.token("viewer")).await["items"][0].clone();
    for field in ["doc", "topic", "version", "keys", "bytes", "conflicts", "updated_at"] {
        assert_eq!(listed[field], shown[field], "{field}");
    }
}

#[tokio::test]
async fn of_two_writers_the_later_one_wins_and_both_are_told() {
    let hub = Hub::start();
    let mut ann = Client::open_as(&hub, "ann", "operator").await;
    let mut bob = Client::open_as(&hub, "bob", "operator").await;
    let base = put(&mut ann, "k", json!("base"), 0).await["version"].as_u64().unwrap();
    put(&mut ann, "k", json!("ann's"), base).await;
    let write = |value: &str, timestamp: Value| json!({ "doc": "plan", "key": "k", "value": value, "base_version": base, "timestamp": timestamp });
    let lost =
        bob.request("sync_put", write("too late", json!("2026-01-01T00:00:00Z")), "sync_conflict").await;
    let current = &lost["current"];
    assert_eq!((&current["value"], &current["version"]), (&json!("ann's"), &json!(2)));
    assert_eq!(
        (&current["writer"], &lost["doc"], &lost["key"]),
        (&json!("ann"), &json!("plan"), &json!("k"))
    );
    assert_eq!(*current, {
        let entry = &read(&mut bob, None).await[0];
        json!({ "value": entry["value"], "version": entry["version"], "timestamp": entry["timestamp"], "writer": entry["writer"] })
    });
    let ahead_ms = infrawatch::clock::system_unix_ms() + 30_000;
    let won = bob.request("sync_put", write("bob's", json!(ahead_ms)), "sync_applied").await;
    assert_eq!((&won["version"], &won["conflict"]), (&json!(3), &json!(true)));
    // Who knows of it writes after it, although the clock of the hub is behind.
    let after = put(&mut ann, "k", json!("after"), 3).await;
    assert!(after["timestamp"].as_str() > won["timestamp"].as_str(), "{after} after {won}");
    let shown = get(&hub, "/api/v1/events/sync/plan", &hub.token("viewer")).await;
    assert_eq!(shown["conflicts"], json!({ "total": 2, "won": 1, "lost": 1 }));
    for (outcome, count) in [("applied", 3), ("conflict_won", 1), ("conflict_lost", 1), ("refused", 0)] {
        let sample = format!("infrawatch_sync_puts_total{{outcome=\"{outcome}\"}}");
        assert_eq!(hub.metric(&sample).await, count, "{outcome}");
    }
}

/// A replica: it follows the topic, and of two writes keeps the later one.
fn absorb(replica: &mut BTreeMap<String, Value>, update: &Value) {
    let rank = |entry: &Value| (entry["timestamp"].to_string(), entry["writer"].to_string());
    let key = update["key"].as_str().unwrap().to_owned();
    if replica.get(&key).is_none_or(|known| rank(update) > rank(known)) {
        replica.insert(key, update.clone());
    }
}

/// Several write to the same keys at once, each in ignorance of the others.
#[tokio::test]
async fn everybody_who_follows_ends_with_what_the_hub_has() {
    const WRITERS: u64 = 3;
    const EACH: u64 = 100;
    let hub = Hub::start();
    let mut follower = Client::open_as(&hub, "follower", "viewer").await;
    follower.subscribe("sync:plan").await;
    let mut writers = Vec::new();
    for n in 0..WRITERS {
        let mut client = Client::open_as(&hub, &format!("writer-{n}"), "operator").await;
        writers.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for round in 0..EACH {
                // Some have clocks that are behind.
                let time_ms = infrawatch::clock::system_unix_ms() - 60_000 * (round % 2) - n;
                let write = json!({
                    "doc": "plan", "key": format!("k{}", round % 5), "value": [n, round], "base_version": 0,
                    "timestamp": time_ms,
                });
                ids.push(client.send("sync_put", write).await);
            }
            let mut applied = 0;
            for id in ids {
                let answer = client.answer_to(&id).await;
                assert!(
                    ["sync_applied", "sync_conflict"].contains(&answer["type"].as_str().unwrap()),
                    "{answer}"
                );
                applied += u64::from(answer["type"] == "sync_applied");
            }
            applied
        }));
    }
    let mut applied = 0;
    for writer in writers {
        applied += within("a writer", writer).await.unwrap();
    }
    let mut replica = BTreeMap::new();
    for offset in 1..=applied {
        let update = follower.next_of("sync_update").await;
        assert_eq!(update["metadata"]["offset"], offset, "every write that was applied is told once");
        absorb(&mut replica, &update["payload"]);
    }
    for entry in read(&mut follower, None).await {
        let known = &replica[entry["key"].as_str().unwrap()];
        for field in ["value", "version", "timestamp", "writer"] {
            assert_eq!(known[field], entry[field], "{entry}");
        }
    }
    let shown = get(&hub, "/api/v1/events/sync/plan", &hub.token("viewer")).await;
    let conflicts = shown["conflicts"]["total"].as_u64().unwrap();
    assert_eq!(conflicts, WRITERS * EACH - 5, "all but the first write to each key");
    assert_eq!(shown["version"], applied);
}

#[tokio::test]
async fn kill_9_loses_no_write_that_was_acknowledged_and_every_write_is_told() {
    let mut hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let mut acknowledged: BTreeMap<String, (u64, Value)> = BTreeMap::new();
    let mut conflicts = 0;
    for round in 0..3 {
        let (progress, mut seen) = watch::channel(0_u64);
        let mut writer = Client::open_as(&hub, "writer", "operator").await;
        let mut versions: BTreeMap<String, u64> =
            acknowledged.iter().map(|(key, (version, _))| (key.clone(), *version)).collect();
        let writing = tokio::spawn(async move {
            let (mut under_way, mut safe) = (VecDeque::new(), Vec::new());
            for n in 0_u64.. {
                let key = format!("k{}", n % 7);
                let version = versions.entry(key.clone()).or_default();
                let value = json!([round, n]);
                let write = json!({ "doc": "plan", "key": key, "value": value, "base_version": *version });
                *version += 1;
                under_way.push_back((writer.send("sync_put", write).await, key, value));
                if under_way.len() < 16 {
                    continue;
                }
                let (id, key, value) = under_way.pop_front().unwrap();
                let Some(answer) = writer.answer_or_end(&id).await else { break };
                assert_eq!(answer["type"], "sync_applied", "{answer}");
                safe.push((key, answer["payload"]["version"].as_u64().unwrap(), value));
                progress.send_modify(|acknowledged| *acknowledged += 1);
            }
            safe
        });
        let moment = rand::rng().random_range(20..500);
        within("the writes", seen.wait_for(|count| *count >= moment)).await.unwrap();
        hub.process.kill();
        for (key, version, value) in within("the writer's end", writing).await.unwrap() {
            acknowledged.insert(key, (version, value));
        }
        hub.start_again();
        let shown = get(&hub, "/api/v1/events/sync/plan", &hub.token("viewer")).await;
        for entry in shown["entries"].as_array().unwrap() {
            let (version, value) = &acknowledged[entry["key"].as_str().unwrap()];
            let found = entry["version"].as_u64().unwrap();
            assert!(found >= *version, "{entry}: version {version} was acknowledged");
            assert!(found > *version || entry["value"] == *value, "{entry}: {value} was acknowledged");
        }
        assert_eq!(shown["entries"].as_array().unwrap().len(), acknowledged.len());
        // What was committed and not told before the end is told now, although nobody opens the document.
        let token = hub.token("viewer");
        until("the topic has the newest write of each key", async || {
            let listed = get(&hub, "/api/v1/events?topic=sync:plan&limit=500", &token).await;
            let told = |entry: &Value| {
                listed["items"].as_array().unwrap().iter().any(|item| {
                    item["payload"]["key"] == entry["key"] && item["payload"]["version"] == entry["version"]
                })
            };
            shown["entries"].as_array().unwrap().iter().all(told).then_some(())
        })
        .await;
        // Who goes on from what is there has no conflict.
        for entry in shown["entries"].as_array().unwrap() {
            let key = entry["key"].as_str().unwrap().to_owned();
            acknowledged.insert(key, (entry["version"].as_u64().unwrap(), entry["value"].clone()));
        }
        conflicts += shown["conflicts"]["total"].as_u64().unwrap();
    }
    assert_eq!(conflicts, 0);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_bound() {
    let hub = Hub::with(|settings| {
        settings.sync.documents_max = 1;
        settings.sync.keys_max = 2;
        settings.connection.outbox_bytes_max = 16 * 1024;
    });
    let mut client = Client::open_as(&hub, "client", "operator").await;
    let long = "x".repeat(9_000);
    put(&mut client, "a", json!(long), 0).await;
    put(&mut client, "b", json!(2), 0).await;
    let refused = |answer: Value| {
        assert_eq!(answer["type"], "error", "{answer}");
        (answer["payload"]["code"].clone(), answer["payload"]["message"].as_str().unwrap().to_owned())
    };
    let third = json!({ "doc": "plan", "key": "c", "value": 3, "base_version": 0 });
    let (code, message) = refused(client.ask("sync_put", third).await);
    assert!(code == "invalid_field" && message.contains("2 keys"), "{message}");
    let other = json!({ "doc": "other", "key": "c", "value": 3, "base_version": 0 });
    let (code, message) = refused(client.ask("sync_put", other).await);
    assert!(code == "overloaded" && message.contains("1 documents"), "{message}");
    // An answer that would end the connection is an error that says what to ask instead.
    let (code, message) = refused(client.ask("sync_get", json!({ "doc": "plan" })).await);
    assert!(code == "too_large" && message.contains("`keys`"), "{message}");
    assert_eq!(read(&mut client, Some(&["b"])).await[0]["value"], 2);
    let gone = json!({ "doc": "plan", "key": "a", "value": null, "base_version": 1 });
    client.request("sync_put", gone, "sync_applied").await;
    assert_eq!(read(&mut client, None).await.len(), 2);
    let answer = RawSocket::get(&hub, "/api/v1/events/sync/plan").await;
    assert_eq!(answer.status, 401);
}
