//! Delivery: batches, urgency, what comes back after an absence, wishes of a subscription, wildcards.

use std::time::Duration;

use infrawatch::config::{Class, Kept, NamespaceSection, Settings};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::hub::{Client, Hub};

const FOREVER_MS: u64 = 60_000;

fn namespace(settings: &mut Settings, name: &str, class: Option<Class>, kept: Option<Kept>) {
    let section = NamespaceSection { class, kept, ..NamespaceSection::default() };
    settings.topic.namespaces.insert(name.into(), section);
}

/// Messages wait until something else than time sends them out.
fn patient(settings: &mut Settings) {
    settings.topic.flush_interval_ms = FOREVER_MS;
    settings.topic.flush_interval_low_ms = FOREVER_MS;
}

/// Every message goes out by itself.
fn at_once(settings: &mut Settings) {
    settings.topic.flush_interval_ms = 0;
    settings.topic.flush_interval_low_ms = 0;
}

async fn pair(hub: &Hub) -> [Client; 2] {
    [Client::open_as(hub, "publisher", "operator").await, Client::open_as(hub, "subscriber", "viewer").await]
}

async fn publish(client: &mut Client, topic: &str, data: Value, more: Value) -> Value {
    let mut payload = json!({ "topic": topic, "data": data });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.request("publish", payload, "published").await
}

/// Subscribes with wishes; the topic's row of the answer.
async fn subscribe(client: &mut Client, topic: Value) -> Value {
    let answer = client.request("subscribe", json!({ "topics": [topic] }), "subscribed").await;
    answer["topics"][0].clone()
}

#[tokio::test]
async fn messages_of_one_flush_share_a_frame() {
    let hub = Hub::with(|settings| {
        patient(settings);
        settings.topic.batch_messages_max = 3;
    });
    let [mut publisher, mut subscriber] = pair(&hub).await;
    subscriber.whole_batches = true;
    let position = subscriber.subscribe("app:a").await;
    publish(&mut publisher, "app:a", json!(1), json!({ "key": "k" })).await;
    publish(&mut publisher, "app:a", json!(2), json!({ "priority": "low" })).await;
    publish(&mut publisher, "app:a", json!(3), json!({})).await;
    let batch = subscriber.next_of("batch").await;
    let expected = json!({ "topic": "app:a", "epoch": position["epoch"], "first_offset": 1, "count": 3, "priority": "normal" });
    assert_eq!(batch["metadata"], expected);
    let items = batch["payload"]["items"].as_array().unwrap();
    let seen: Vec<_> =
        items.iter().map(|i| (&i["offset"], &i["payload"], &i["key"], &i["priority"])).collect();
    let (none, low, key) = (Value::Null, json!("low"), json!("k"));
    let numbers: Vec<_> = (1..=3).map(|n| json!(n)).collect();
    assert_eq!(
        seen,
        [
            (&numbers[0], &numbers[0], &key, &none),
            (&numbers[1], &numbers[1], &none, &low),
            (&numbers[2], &numbers[2], &none, &none)
        ]
    );
    assert!(items.iter().all(|item| item["id"].is_string() && item["timestamp"].is_string()));
}

#[tokio::test]
async fn normal_messages_wait_100_ms_and_low_ones_a_second() {
    let hub = Hub::start();
    let [mut publisher, mut subscriber] = pair(&hub).await;
    subscriber.subscribe("app:a").await;
    for (priority, wait_ms) in [("normal", 100), ("low", 1_000), ("critical", 0)] {
        let begin = Instant::now();
        publish(&mut publisher, "app:a", json!(priority), json!({ "priority": priority })).await;
        assert_eq!(subscriber.message().await.payload, priority);
        // Rounding of two clocks.
        assert!(begin.elapsed() + Duration::from_millis(2) >= Duration::from_millis(wait_ms), "{priority}");
    }
}

#[tokio::test]
async fn a_critical_message_leaves_at_once_and_takes_along_what_waits_of_its_topic() {
    let hub = Hub::with(patient);
    let [mut publisher, mut subscriber] = pair(&hub).await;
    subscriber.request("subscribe", json!({ "topics": ["app:a", "app:b"] }), "subscribed").await;
    publish(&mut publisher, "app:b", json!("waits"), json!({})).await;
    for (data, priority) in [(1, "low"), (2, "normal"), (3, "critical")] {
        publish(&mut publisher, "app:a", json!(data), json!({ "priority": priority })).await;
    }
    for offset in 1..=3 {
        let message = subscriber.message().await;
        assert_eq!((&*message.topic, message.offset), ("app:a", offset));
    }
    publish(&mut publisher, "app:b", json!("urgent"), json!({ "priority": "critical" })).await;
    assert_eq!(subscriber.message().await.payload, "waits");
}

#[tokio::test]
async fn of_newest_values_only_the_last_of_a_flush_comes() {
    let hub = Hub::with(|settings| {
        patient(settings);
        namespace(settings, "gauge", Some(Class::Latest), None);
    });
    let [mut publisher, mut subscriber] = pair(&hub).await;
    subscriber.subscribe("gauge:a").await;
    for (key, value) in [("x", 1), ("y", 2), ("x", 3)] {
        publish(&mut publisher, "gauge:a", json!(value), json!({ "key": key })).await;
    }
    publish(&mut publisher, "gauge:a", json!(4), json!({ "key": "z", "priority": "critical" })).await;
    for expected in [2, 3, 4] {
        let message = subscriber.message().await;
        assert_eq!((message.payload, message.offset), (json!(expected), expected));
    }
    // Who comes later has the newest of every key at once.
    let mut later = Client::open_as(&hub, "later", "viewer").await;
    let told = later.subscribe("gauge:a").await;
    assert_eq!(
        (&told["class"], &told["offset"], &told["recovered"]),
        (&json!("latest"), &json!(4), &json!(false))
    );
    for expected in [2, 3, 4] {
        assert_eq!(later.message().await.payload, expected);
    }
}

#[tokio::test]
async fn recovery_brings_what_was_missed_or_says_that_it_cannot() {
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.topic.history_messages_max = 5;
    });
    let [mut publisher, mut subscriber] = pair(&hub).await;
    let epoch = subscriber.subscribe("app:a").await["epoch"].clone();
    for n in 1..=10 {
        publisher.publish("app:a", json!(n)).await;
    }
    let ask = |epoch: &Value, offset: u64| json!({ "topic": "app:a", "recover": { "epoch": epoch, "offset": offset } });
    for (asked, recovered, count) in [
        (ask(&epoch, 5), true, 5),
        (ask(&epoch, 10), true, 0),
        (ask(&epoch, 4), false, 0),
        (ask(&epoch, 11), false, 0),
        (ask(&json!("another"), 9), false, 0),
    ] {
        let mut returned = Client::open_as(&hub, "returned", "viewer").await;
        let told = subscribe(&mut returned, asked.clone()).await;
        let expected = json!({ "topic": "app:a", "class": "log", "epoch": epoch, "offset": 10,
            "recovered": recovered, "recovered_count": count });
        assert_eq!(told, expected, "{asked}");
        for n in 11 - count..=10 {
            assert_eq!(returned.message().await.offset, n);
        }
        returned.leave().await;
    }
}

#[tokio::test]
async fn recovery_reaches_beyond_memory_into_the_store_and_across_a_kill() {
    let mut hub = Hub::with(|settings| {
        namespace(settings, "jobs", None, Some(Kept::Store));
        settings.topic.room_history_messages = 3;
    });
    let [mut publisher, mut subscriber] = pair(&hub).await;
    let epoch = subscriber.subscribe("jobs:a").await["epoch"].clone();
    for n in 1..=20 {
        publisher.publish("jobs:a", json!(n)).await;
    }
    hub.process.kill();
    hub.start_again();
    // The new process holds three of them in memory.
    let [mut publisher, mut subscriber] = pair(&hub).await;
    let asked = json!({ "topic": "jobs:a", "recover": { "epoch": epoch, "offset": 2 } });
    let told = subscribe(&mut subscriber, asked).await;
    assert_eq!((&told["recovered"], &told["recovered_count"]), (&json!(true), &json!(18)), "{told}");
    publisher.publish("jobs:a", json!(21)).await;
    for n in 3..=21 {
        let message = subscriber.message().await;
        assert_eq!((message.offset, message.payload), (n, json!(n)));
    }
}

#[tokio::test]
async fn recovery_and_live_messages_meet_without_a_gap_or_a_duplicate() {
    const MESSAGES: u64 = 1_500;
    let hub = Hub::with(|settings| settings.topic.flush_interval_ms = 5);
    let [mut publisher, mut subscriber] = pair(&hub).await;
    let epoch = subscriber.subscribe("app:a").await["epoch"].clone();
    let publishing = tokio::spawn(async move {
        for n in 1..=MESSAGES {
            publisher.publish("app:a", json!(n)).await;
        }
    });
    let mut last = 0;
    while last < MESSAGES {
        for _ in 0..40.min(MESSAGES - last) {
            let message = subscriber.message().await;
            assert_eq!((message.offset, &message.payload), (last + 1, &json!(last + 1)));
            last += 1;
        }
        drop(subscriber);
        subscriber = Client::open_as(&hub, "subscriber", "viewer").await;
        let asked = json!({ "topic": "app:a", "recover": { "epoch": epoch, "offset": last } });
        assert_eq!(subscribe(&mut subscriber, asked).await["recovered"], true);
    }
    publishing.await.unwrap();
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names() {
    let hub = Hub::with(at_once);
    let [mut publisher, mut by_key] = pair(&hub).await;
    let mut by_label = Client::open_as(&hub, "by-label", "viewer").await;
    subscribe(&mut by_key, json!({ "topic": "app:a", "filter": { "keys": ["db", "web-*"] } })).await;
    subscribe(&mut by_label, json!({ "topic": "app:a", "filter": { "labels": { "dc": "x" } } })).await;
    for (key, dc) in [("db", "x"), ("cache", "x"), ("web-7", "y"), ("db2", "y"), ("db", "z")] {
        publish(&mut publisher, "app:a", json!({ "labels": { "dc": dc } }), json!({ "key": key })).await;
    }
    for offset in [1, 3, 5] {
        assert_eq!(by_key.message().await.offset, offset);
    }
    for offset in [1, 2] {
        assert_eq!(by_label.message().await.offset, offset);
    }
    // What was missed is filtered like what is live.
    let at = json!({ "epoch": publisher.publish("app:a", json!(0)).await["epoch"], "offset": 0 });
    let asked = json!({ "topic": "app:a", "recover": at, "filter": { "keys": ["cache"] } });
    let mut later = Client::open_as(&hub, "later", "viewer").await;
    let told = subscribe(&mut later, asked).await;
    assert_eq!((&told["recovered"], &told["recovered_count"]), (&json!(true), &json!(1)));
    assert_eq!(later.message().await.offset, 2);
}

#[tokio::test]
async fn a_rate_bounds_frames_and_ends_with_the_newest_value() {
    let hub = Hub::with(at_once);
    let [mut publisher, mut subscriber] = pair(&hub).await;
    subscriber.whole_batches = true;
    subscribe(&mut subscriber, json!({ "topic": "app:a", "max_rate_hz": 20 })).await;
    let begin = Instant::now();
    for n in 1..=300 {
        publish(&mut publisher, "app:a", json!(n), json!({ "key": if n % 2 == 0 { "even" } else { "odd" } }))
            .await;
    }
    let (mut frames, mut offset) = (0, 0);
    while offset < 300 {
        let message = subscriber.message().await;
        assert!(message.offset > offset);
        offset = message.offset;
        frames += 1;
    }
    // Two keys may share a frame.
    let most = 2 * (begin.elapsed().as_millis() as u64 / 50 + 2);
    assert!(frames <= most, "{frames} frames in {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_wildcard_names_what_is_there_and_what_comes_with_its_first_message() {
    let hub = Hub::with(at_once);
    let [mut publisher, mut subscriber] = pair(&hub).await;
    publisher.publish("orders:old", json!(0)).await;
    let answer = subscriber.request("subscribe", json!({ "topics": ["orders:*"] }), "subscribed").await;
    assert_eq!(answer["topics"][0]["topic"], "orders:old");
    for (topic, data) in [("orders:new", 1), ("orders:old", 2), ("other:new", 3), ("orders:new", 4)] {
        publisher.publish(topic, json!(data)).await;
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = subscriber.message().await;
        seen.push((message.topic, message.payload.as_u64().unwrap()));
    }
    // Topics are not ordered against each other.
    seen.sort();
    assert_eq!(seen, [("orders:new".into(), 1), ("orders:new".into(), 4), ("orders:old".into(), 2)]);
    let ended = subscriber.request("unsubscribe", json!({ "topics": ["orders:*"] }), "unsubscribed").await;
    assert_eq!(ended["topics"], json!(["orders:*"]));
    // Nothing more comes, neither of what it named nor of what it would name.
    subscriber.subscribe("other:new").await;
    for topic in ["orders:old", "orders:newer", "other:new"] {
        publisher.publish(topic, json!("after")).await;
    }
    assert_eq!(subscriber.message().await.topic, "other:new");
    let error = subscriber.ask("subscribe", json!({ "topics": ["client:*"] })).await;
    assert_eq!(error["payload"]["code"], "forbidden");
}

#[tokio::test]
async fn history_is_read_forward_from_a_place_or_back_from_the_newest() {
    let hub = Hub::with(at_once);
    let [mut publisher, mut reader] = pair(&hub).await;
    for n in 1..=9 {
        publisher.publish("app:a", json!(n)).await;
    }
    let newest = reader.request("history", json!({ "topic": "app:a", "limit": 3 }), "history").await;
    let offsets = |page: &Value| -> Vec<u64> {
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|message| message["offset"].as_u64().unwrap()).collect()
    };
    assert_eq!((offsets(&newest), &newest["truncated"]), (vec![7, 8, 9], &json!(true)));
    let (mut at, mut seen) = (0, Vec::new());
    loop {
        let since = json!({ "epoch": newest["epoch"], "offset": at });
        let asked = json!({ "topic": "app:a", "since": since, "limit": 4 });
        let page = reader.request("history", asked, "history").await;
        assert_eq!((&page["recovered"], &page["offset"]), (&json!(true), &json!(9)));
        seen.extend(offsets(&page));
        at = *seen.last().unwrap();
        if page["truncated"] == false {
            break;
        }
    }
    assert_eq!(seen, (1..=9).collect::<Vec<_>>());
    // What does not fit into one answer is cut where the reader goes on.
    for n in 1..=9 {
        publisher.publish("app:b", json!([n, "x".repeat(60_000)])).await;
    }
    let epoch = reader.subscribe("app:b").await["epoch"].clone();
    let (mut at, mut pages) = (0, 0);
    while at < 9 {
        let since = json!({ "epoch": epoch, "offset": at });
        let page = reader.request("history", json!({ "topic": "app:b", "since": since }), "history").await;
        let next = offsets(&page);
        assert_eq!(page["truncated"], next.last() != Some(&9));
        assert!(next.iter().copied().eq(at + 1..=at + next.len() as u64), "{next:?} after {at}");
        at += next.len() as u64;
        pages += 1;
    }
    assert!(pages > 1);
    let newest = reader.request("history", json!({ "topic": "app:b" }), "history").await;
    assert_eq!((offsets(&newest).last(), &newest["truncated"]), (Some(&9), &json!(true)));
    let lost = json!({ "topic": "app:a", "since": { "epoch": "another", "offset": 1 } });
    assert_eq!(reader.request("history", lost, "history").await["recovered"], false);
}
