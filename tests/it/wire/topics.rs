//! Topics: subscribe, publish, order, current values.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::hub::{Client, Hub, Inside, until, within};

#[tokio::test]
async fn published_says_where_and_subscribers_get_it_unchanged() {
    let hub = Hub::start();
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let mut subscriber = Client::open_as(&hub, "subscriber", "viewer").await;
    let position = subscriber.subscribe("app:orders").await;
    assert_eq!(
        (&position["offset"], &position["recovered"], &position["recovered_count"]),
        (&json!(0), &json!(false), &json!(0))
    );
    let data = r#"{"b":1.50,"a":[null,"ü\u0000"],"big":12345678901234567890}"#;
    publisher
        .send_text(&format!(
            r#"{{"type":"publish","id":"order-1","payload":{{"topic":"app:orders","data":{data},"priority":"critical","key":"k\"1"}}}}"#
        ))
        .await;
    let published = publisher.answer_to("order-1").await;
    assert_eq!(
        published["payload"],
        json!({ "topic": "app:orders", "epoch": position["epoch"], "offset": 1 })
    );
    let frame = subscriber.next_of("message").await;
    assert_eq!(frame["payload"], serde_json::from_str::<Value>(data).unwrap());
    let expected = json!({
        "topic": "app:orders", "offset": 1, "epoch": position["epoch"], "priority": "critical",
        "key": "k\"1", "correlation_id": "order-1",
    });
    assert_eq!((&frame["metadata"], &frame["version"]), (&expected, &json!(1)));
    assert!(frame["id"].as_str().unwrap().len() == 36 && frame["timestamp"].is_string());
}

#[tokio::test]
async fn an_answer_names_its_request_and_fields_may_stand_at_top_level() {
    let hub = Hub::start();
    let mut client = Client::open_as(&hub, "client", "viewer").await;
    let pong = client.ask("ping", json!({ "t": { "any": [1, "value"] } })).await;
    assert_eq!((&pong["type"], &pong["payload"]["t"]), (&json!("pong"), &json!({ "any": [1, "value"] })));
    assert!(infrawatch::clock::parse_rfc3339(pong["payload"]["server_time"].as_str().unwrap()).is_some());
    client.send_text(r#"{"type":"subscribe","id":"s","topics":["a",{"topic":"b"},"a"],"unknown":1}"#).await;
    let answer = client.answer_to("s").await;
    let mut topics: Vec<_> =
        answer["payload"]["topics"].as_array().unwrap().iter().map(|t| t["topic"].clone()).collect();
    topics.sort_by_key(ToString::to_string);
    assert_eq!(topics, ["a", "b"]);
    assert_eq!(client.ask("subscribe", json!({ "topics": [] })).await["payload"], json!({ "topics": [] }));
    let error = client.ask("subscribe", json!({ "topics": ["a b"] })).await;
    assert_eq!(error["payload"]["code"], "invalid_name");
    assert_eq!(error["payload"]["retryable"], false);
}

#[tokio::test]
async fn after_unsubscribe_nothing_more_comes_of_the_topic() {
    let hub = Hub::start();
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let mut subscriber = Client::open_as(&hub, "subscriber", "viewer").await;
    subscriber.request("subscribe", json!({ "topics": ["a", "b"] }), "subscribed").await;
    // Subscribed twice is subscribed once.
    subscriber.subscribe("a").await;
    publisher.publish("a", json!(1)).await;
    assert_eq!(subscriber.message().await.payload, 1);
    let ended = subscriber.request("unsubscribe", json!({ "topics": ["a", "never"] }), "unsubscribed").await;
    assert_eq!(ended, json!({ "topics": ["a"] }));
    publisher.publish("a", json!(2)).await;
    publisher.publish("b", json!(3)).await;
    let message = subscriber.message().await;
    assert_eq!((&*message.topic, &message.payload), ("b", &json!(3)));
    subscriber.subscribe("a").await;
    publisher.publish("a", json!(4)).await;
    let message = subscriber.message().await;
    assert_eq!((message.payload, message.offset), (json!(4), 3));
}

/// One of two topics does not answer yet: messages of the other wait for the answer.
#[tokio::test]
async fn no_message_precedes_the_answer_however_long_that_takes() {
    let hub = Inside::start();
    let mut publisher = hub.client("publisher").await;
    // One on each worker, so that the message has been everywhere.
    let mut others = [hub.client("one").await, hub.client("two").await];
    for other in &mut others {
        other.subscribe("bench:a").await;
    }
    let mut client = hub.client("client").await;
    let held = hub.hold_commits();
    // What the store knows of it is read behind what is written.
    let request = client.send("subscribe", json!({ "topics": ["bench:a", "deployments"] })).await;
    until("one topic has it", async || (hub.topic("bench:a").await.subscribers == 3).then_some(())).await;
    publisher.publish("bench:a", json!("early")).await;
    for other in &mut others {
        assert_eq!(other.message().await.payload, "early");
    }
    drop(held);
    let first = client.next().await.unwrap();
    assert_eq!((&first["type"], &first["metadata"]["reply_to"]), (&json!("subscribed"), &json!(request)));
    assert_eq!(client.message().await.payload, "early");
}

const PUBLISHERS: u64 = 3;
const EACH: u64 = 400;
const ALL: u64 = PUBLISHERS * EACH;

/// Publishes numbers with a few requests under way; the offsets it was told.
async fn publish(mut client: Client, publisher: u64, progress: watch::Sender<u64>) -> Vec<u64> {
    let (mut under_way, mut offsets) = (VecDeque::new(), Vec::new());
    for number in 0..EACH {
        under_way.push_back(
            client.send("publish", json!({ "topic": "bench:t", "data": [publisher, number] })).await,
        );
        if under_way.len() == 8 {
            let answer = client.answer_to(&under_way.pop_front().unwrap()).await;
            offsets.push(answer["payload"]["offset"].as_u64().unwrap());
            progress.send_modify(|published| *published += 1);
        }
    }
    for id in under_way {
        offsets.push(client.answer_to(&id).await["payload"]["offset"].as_u64().unwrap());
    }
    offsets
}

/// Subscribes when `after` messages are published, and checks all that follow; the offset it began at.
async fn follow(mut client: Client, after: u64, mut progress: watch::Receiver<u64>) -> u64 {
    progress.wait_for(|published| *published >= after).await.unwrap();
    client.send("subscribe", json!({ "topics": ["bench:t"] })).await;
    let first = client.next().await.unwrap();
    assert_eq!(first["type"], "subscribed", "the answer precedes any message");
    let from = first["payload"]["topics"][0]["offset"].as_u64().unwrap();
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    for offset in from + 1..=ALL {
        let message = client.message().await;
        assert_eq!(message.offset, offset);
        let (publisher, number) =
            (message.payload[0].as_u64().unwrap(), message.payload[1].as_u64().unwrap());
        let before = newest.insert(publisher, number);
        assert!(before.is_none_or(|before| before + 1 == number), "a publisher's messages keep their order");
    }
    from
}

/// Subscribers on both workers come while publishers are at full speed.
#[tokio::test]
async fn every_subscriber_gets_every_offset_after_the_one_it_was_told() {
    let hub = Hub::start();
    let (progress, seen) = watch::channel(0);
    let mut followers = Vec::new();
    for n in 0..8 {
        let client = Client::open_as(&hub, &format!("subscriber-{n}"), "viewer").await;
        followers.push(tokio::spawn(follow(client, n * 100, seen.clone())));
    }
    let mut publishers = Vec::new();
    for n in 0..PUBLISHERS {
        let client = Client::open_as(&hub, &format!("publisher-{n}"), "operator").await;
        publishers.push(tokio::spawn(publish(client, n, progress.clone())));
    }
    let mut offsets = Vec::new();
    for publisher in publishers {
        let own = within("a publisher", publisher).await.unwrap();
        assert!(own.is_sorted(), "answers come in the order of requests");
        offsets.extend(own);
    }
    offsets.sort_unstable();
    assert!(offsets.into_iter().eq(1..=ALL), "each offset is given once");
    let mut under_way = 0;
    for follower in followers {
        let from = within("a subscriber", follower).await.unwrap();
        under_way += usize::from(0 < from && from < ALL);
    }
    assert!(under_way >= 3, "only {under_way} of 8 came while messages were under way");
}

#[tokio::test]
async fn a_latest_topic_gives_the_current_value_of_every_key_at_once() {
    let hub = Hub::start();
    let mut values = BTreeMap::new();
    for node in ["web-1", "web-2"] {
        let mut agent = Client::open(&hub, &format!("agent-{node}"), &hub.agent_token(node)).await;
        for percent in [10.0, 20.0] {
            let payload = json!({ "node": node, "names": ["cpu_percent"], "values": [percent] });
            let ack = agent.request("metrics", payload, "metrics_ack").await;
            assert_eq!(ack, json!({ "accepted": 1, "rejected": 0, "reasons": {}, "durable": true }));
        }
        values.insert(node.to_owned(), json!(20.0));
    }
    let mut client = Client::open_as(&hub, "late", "viewer").await;
    client.subscribe("metrics_update").await;
    let mut current = BTreeMap::new();
    for _ in 0..2 {
        let message = client.message().await;
        assert_eq!(message.key.as_deref(), message.payload["node"].as_str());
        assert_eq!(message.payload["gpus"], json!([]));
        current.insert(message.key.unwrap(), message.payload["metrics"]["cpu_percent"].clone());
    }
    assert_eq!(current, values);
    // The list form, with labels and a time of its own; every sample of it is on the node's topic.
    client.subscribe("metrics:web-1").await;
    client.message().await;
    let mut agent = Client::open(&hub, "agent-web-1", &hub.agent_token("web-1")).await;
    let samples = json!([
        { "name": "cpu_percent", "value": 30.5 },
        { "name": "cpu_core_percent", "value": 7, "labels": { "core": "0" } },
        { "name": "bad name", "value": 1 },
    ]);
    let ack = agent.request("metrics", json!({ "node": "web-1", "samples": samples }), "metrics_ack").await;
    assert_eq!(
        ack,
        json!({ "accepted": 2, "rejected": 1, "reasons": { "invalid_name": 1 }, "durable": true })
    );
    let (mut update, mut all) = (client.message().await, client.message().await);
    if update.topic != "metrics_update" {
        std::mem::swap(&mut update, &mut all);
    }
    assert_eq!(update.payload["metrics"], json!({ "cpu_percent": 30.5 }));
    let mut samples = all.payload["samples"].as_array().unwrap().clone();
    samples.sort_by_key(|sample| sample["name"].to_string());
    assert_eq!(samples[0], json!({ "name": "cpu_core_percent", "labels": { "core": "0" }, "value": 7.0 }));
    assert_eq!(samples[1], json!({ "name": "cpu_percent", "labels": {}, "value": 30.5 }));
}
