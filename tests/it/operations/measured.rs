//! Figures are measured: they change with what happens, by as much as happened.

use serde_json::{Value, json};

use crate::hub::{Inside, until};

async fn snapshot(hub: &Inside) -> Value {
    let (status, _, snapshot) = hub.get("/api/v1/performance/snapshot").await;
    assert_eq!(status, 200, "{snapshot}");
    snapshot
}

#[tokio::test]
async fn the_snapshot_counts_what_waits_and_what_was_delivered() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.subscribe("bench:a").await;
    let before = snapshot(&hub).await;
    assert_eq!(before["queues"]["outboxes"]["connections"], 1);
    assert_eq!(before["latency"]["by_priority"]["low"], Value::Null, "nothing of that urgency yet");
    assert_eq!(before["pools"]["workers"].as_array().unwrap().len(), 2);
    assert_eq!(before["breakers"].as_array().unwrap().len(), 4);
    assert!(before["memory"]["resident_bytes"].as_u64() > Some(1_000_000));

    for n in 0..3 {
        let message = json!({ "topic": "bench:a", "data": n, "priority": "critical" });
        client.request("publish", message, "published").await;
    }
    for _ in 0..3 {
        client.message().await;
    }
    let after = snapshot(&hub).await;
    let critical = &after["latency"]["by_priority"]["critical"];
    assert_eq!(critical["count"], 3, "{critical}");
    let value = |name: &str| critical[name].as_f64().unwrap();
    assert!(
        value("p50") > 0.0 && value("p50") <= value("p99_9") && value("p99_9") <= value("max"),
        "{critical}"
    );
    let grown =
        |name: &str| after["delivery"][name].as_u64().unwrap() - before["delivery"][name].as_u64().unwrap();
    assert!(grown("published") >= 3 && grown("delivered") >= 3);
}

/// Messages that wait for the store's commit are pending, by their urgency; and gone from there afterwards.
#[tokio::test]
async fn what_is_pending_is_counted_by_urgency() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.publish("deployments", json!("first")).await;
    until("nothing waits", async || (hub.state.services.broker.under_way() == 0).then_some(())).await;
    let lock = hub.hold_commits();
    for (priority, count) in [("critical", 1), ("normal", 3), ("low", 5)] {
        for n in 0..count {
            let message = json!({ "topic": "deployments", "data": n, "priority": priority });
            client.send("publish", message).await;
        }
    }
    client.request("ping", json!({}), "pong").await;
    let topics = snapshot(&hub).await["queues"]["topics"].clone();
    assert_eq!(topics, json!({ "by_priority": { "critical": 1, "normal": 3, "low": 5 }, "pending": 9 }));
    drop(lock);
    until("nothing waits", async || (snapshot(&hub).await["queues"]["topics"]["pending"] == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn topics_are_listed_with_what_happens_on_them() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client
        .request("subscribe", json!({ "topics": ["bench:a", "bench:b", "deployments"] }), "subscribed")
        .await;
    for n in 0..20 {
        client.publish("bench:a", json!(n)).await;
    }
    let (_, _, page) = hub.get("/api/v1/streaming/topics?prefix=bench:").await;
    let items = page["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|item| item["topic"].as_str().unwrap()).collect();
    assert_eq!(names, ["bench:a", "bench:b"], "{page}");
    let busy = &items[0];
    let expected = json!({ "class": "log", "priority": "normal", "kept": "memory", "hub_owned": false,
        "subscribers": 1, "offset": 20, "messages_per_s": 2.0 });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(busy[field], *value, "{field} of {busy}");
    }
    assert_eq!(busy["history"]["messages"], 20);
    assert!(busy["bytes_per_s"].as_f64() > Some(200.0) && busy["history"]["bytes"].as_u64() > Some(2_000));
    assert!(infrawatch::clock::parse_rfc3339(busy["last_message_at"].as_str().unwrap()).is_some());
    assert_eq!((&items[1]["messages_per_s"], &items[1]["last_message_at"]), (&json!(0.0), &Value::Null));
    let (_, _, page) = hub.get("/api/v1/streaming/topics?limit=1&prefix=bench:").await;
    let next = page["next_cursor"].as_str().unwrap();
    let (_, _, page) =
        hub.get(&format!("/api/v1/streaming/topics?limit=1&prefix=bench:&cursor={next}")).await;
    assert_eq!((&page["items"][0]["topic"], &page["next_cursor"]), (&json!("bench:b"), &Value::Null));
}

#[tokio::test]
async fn stats_caches_and_metrics_are_those_of_this_hub() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.request("subscribe", json!({ "topics": ["bench:a", "bench:b"] }), "subscribed").await;
    let (_, _, stats) = hub.get("/api/v1/performance/stats").await;
    assert_eq!((&stats["connections"]["active"], &stats["subscriptions"]), (&json!(1), &json!(2)), "{stats}");
    assert_eq!(stats["workers"], 2);
    for _ in 0..2 {
        hub.get("/api/health").await;
    }
    let (_, _, caches) = hub.get("/api/v1/performance/cache").await;
    let health = &caches["caches"][0];
    assert_eq!(health["name"], "health_report");
    assert!(health["misses"].as_u64() >= Some(1), "{caches}");
    assert!(caches["note"].is_string(), "what is not cached is said");
    let scrape = async |path: &str| {
        let request = reqwest::Client::new().get(hub.url(path));
        let token = hub.token(infrawatch::auth::Role::Viewer);
        let text = request.bearer_auth(token).send().await.unwrap().text().await.unwrap();
        text.lines().filter(|line| line.starts_with("# TYPE")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (scrape("/metrics").await, scrape("/api/v1/performance/prometheus").await);
    assert_eq!(one, other);
    assert!(one.iter().any(|line| line.contains("infrawatch_delivery_seconds")), "{one:?}");
}
