//! A document crashes while commits are under way, or its topic does while updates are.

use std::collections::BTreeSet;

use infrawatch::supervision::fault::Phase;
use serde_json::json;

use crate::hub::Inside;
use crate::hub::{Client, until};

const WRITES: u64 = 20;

async fn write_many(client: &mut Client, from: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for n in from..from + WRITES {
        let write = json!({ "doc": "plan", "key": format!("k{n}"), "value": n, "base_version": 0 });
        ids.push(client.send("sync_put", write).await);
    }
    ids
}

/// Keys that updates were heard of, until there are so many.
async fn heard(client: &mut Client, count: usize) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        let update = client.next_of("sync_update").await;
        keys.insert(update["payload"]["key"].as_str().unwrap().to_owned());
    }
    keys
}

/// Who wrote gets an answer; what the store committed all the same is there and is told; nothing is lost.
#[tokio::test]
async fn a_document_that_crashes_answers_everybody_and_tells_what_was_committed() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("sync:plan").await;
    let first = json!({ "doc": "plan", "key": "first", "value": 0, "base_version": 0 });
    client.request("sync_put", first, "sync_applied").await;
    let lock = hub.hold_commits();
    let uncommitted = write_many(&mut client, 0).await;
    until("a commit is under way and writes wait behind it", async || {
        (hub.row("document").mailbox_depth as u64 >= WRITES).then_some(())
    })
    .await;
    hub.crash("document", "plan", Phase::Handler);
    hub.back("document", 1).await;
    for id in &uncommitted {
        let answer = client.answer_to(id).await;
        assert_eq!((&answer["type"], &answer["payload"]["code"]), (&json!("error"), &json!("internal")));
    }
    let later = write_many(&mut client, WRITES).await;
    drop(lock);
    for id in &later {
        let answer = client.answer_to(id).await;
        assert_eq!((&answer["type"], &answer["payload"]["version"]), (&json!("sync_applied"), &json!(1)));
    }
    let doc = client.request("sync_get", json!({ "doc": "plan" }), "sync_doc").await;
    let kept: BTreeSet<String> =
        doc["entries"].as_array().unwrap().iter().map(|e| e["key"].as_str().unwrap().to_owned()).collect();
    // Of the first ones those are there that were with the store already.
    assert!(kept.len() as u64 > WRITES && kept.contains("first") && kept.contains("k0"), "{kept:?}");
    assert!((WRITES..2 * WRITES).all(|n| kept.contains(&format!("k{n}"))), "{kept:?}");
    assert_eq!(heard(&mut client, kept.len()).await, kept);
}

/// Writers do not wait for the topic; it gets every write when it is back.
#[tokio::test]
async fn updates_outlive_a_crash_of_their_topic() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("sync:plan").await;
    let mut ids = write_many(&mut client, 0).await;
    hub.crash("topic", "sync:plan", Phase::Handler);
    ids.extend(write_many(&mut client, WRITES).await);
    hub.back("topic", 1).await;
    for id in &ids {
        assert_eq!(client.answer_to(id).await["type"], "sync_applied");
    }
    assert_eq!(heard(&mut client, ids.len()).await.len() as u64, 2 * WRITES);
}
