//! A topic that is kept in the store crashes while commits are under way.

use std::collections::BTreeSet;

use infrawatch::supervision::fault::Phase;
use serde_json::json;

use crate::hub::{Client, Inside, until};

const TOPIC: &str = "deployments";
const MESSAGES: u64 = 20;

async fn publish_many(client: &mut Client) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..MESSAGES {
        ids.push(client.send("publish", json!({ "topic": TOPIC, "data": n })).await);
    }
    ids
}

/// The topic crashes while messages wait for their commit. Who sent them gets an answer, and what comes later
/// gets other offsets, although the store has not caught up.
#[tokio::test]
async fn a_kept_topic_that_crashes_answers_everybody_and_gives_no_offset_twice() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    let epoch = client.publish(TOPIC, json!("first")).await["epoch"].clone();
    let lock = hub.hold_commits();
    let uncommitted = publish_many(&mut client).await;
    until("the messages wait for their commit", async || {
        (hub.topic(TOPIC).await.waiting as u64 == MESSAGES).then_some(())
    })
    .await;
    hub.crash("topic", TOPIC, Phase::Handler);
    hub.back("topic", 1).await;
    for id in &uncommitted {
        let answer = client.answer_to(id).await;
        assert_eq!((&answer["type"], &answer["payload"]["code"]), (&json!("error"), &json!("internal")));
    }
    let later = publish_many(&mut client).await;
    drop(lock);
    for (n, id) in later.iter().enumerate() {
        let answer = client.answer_to(id).await;
        let offset = 2 + MESSAGES + n as u64;
        assert_eq!(answer["payload"], json!({ "topic": TOPIC, "epoch": epoch, "offset": offset }));
    }
    let stored = hub.state.store.events_after(TOPIC, epoch.as_str().unwrap(), 0, 10_000).await.unwrap();
    let stored: BTreeSet<u64> = stored.iter().map(|event| event.offset).collect();
    assert!(stored.into_iter().eq(1..=1 + 2 * MESSAGES), "the whole log is there");
}
