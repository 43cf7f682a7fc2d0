//! What waits while the breakers of alerts and of the store are open, and that nothing acknowledged is lost.

use infrawatch::breaker::{State, Subsystem};
use infrawatch::store::SampleQuery;
use serde_json::{Value, json};

use super::{OPEN_MS, degrade, fails, reaches, recover, timed};
use crate::hub::{Hub, Inside, until};

fn alert(n: usize) -> Value {
    json!({ "severity": "error", "title": format!("alert {n}"), "message": "m", "service": "s" })
}

async fn titles(hub: &Inside) -> Vec<String> {
    let (_, _, page) = hub.get("/api/v1/streaming/alerts?severity=error").await;
    let items = page["items"].as_array().unwrap().iter().rev();
    items.map(|item| item["payload"]["alert"]["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn alerts_are_queued_and_published_in_order_at_recovery() {
    let hub = Inside::with(|options| options.settings.breaker.alerts_queue_max = 3);
    let mut client = hub.client("alice").await;
    client.subscribe("alerts_error").await;
    assert_eq!(hub.post("/api/v1/streaming/alerts", &alert(0)).await.0, 201);
    degrade(&hub, "alerts").await;
    for n in 1..=3_usize {
        let (status, _, taken) = hub.post("/api/v1/streaming/alerts", &alert(n)).await;
        assert_eq!((status, &taken["queued"]), (202, &json!(true)), "{taken}");
        assert!(taken["position"].as_u64().is_some_and(|at| at >= 1), "{taken}");
        assert_eq!((&taken["offset"], &taken["alert"]["state"]), (&Value::Null, &json!("firing")));
        until("it waits", async || (hub.state.services.alerts.waiting() == n).then_some(())).await;
    }
    let (status, retry_after_s, problem) = hub.post("/api/v1/streaming/alerts", &alert(4)).await;
    assert_eq!((status, &problem["code"]), (503, &json!("breaker_open")), "the queue is full");
    assert!(retry_after_s.is_some());
    assert_eq!(titles(&hub).await, ["alert 0"], "nothing is published meanwhile");
    let (_, _, snapshot) = hub.post("/api/v1/operations/recover", &json!({ "subsystem": "store" })).await;
    assert_eq!(snapshot["breakers"][1]["held"]["items"], 3, "{snapshot}");
    assert_eq!(snapshot["breakers"][1]["held"]["overflowed"], 1);

    recover(&hub, "alerts").await;
    for n in 0..=3 {
        let heard = client.message().await;
        assert_eq!(heard.payload["alert"]["title"], format!("alert {n}"));
        assert_eq!(heard.payload["transition"]["to"], "firing");
    }
    until("the queue is empty", async || (hub.state.services.alerts.waiting() == 0).then_some(())).await;
    assert_eq!(hub.post("/api/v1/streaming/alerts", &alert(5)).await.0, 201);
    assert_eq!(titles(&hub).await, ["alert 0", "alert 1", "alert 2", "alert 3", "alert 5"]);
}

/// A queued alert was answered with 202: it is in the store, and a hub that is killed publishes it when it is back.
#[tokio::test]
async fn queued_alerts_outlive_a_hub_that_is_killed() {
    let mut hub = Hub::start();
    let token = hub.token("operator");
    let url = |hub: &Hub, path: &str| format!("http://{}{path}", hub.address);
    let post = async |hub: &Hub, path: &str, body: &Value| {
        let request = reqwest::Client::new().post(url(hub, path)).bearer_auth(&token).json(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(&hub, "/api/v1/operations/degrade", &json!({ "subsystem": "alerts" })).await, 200);
    for n in 0..20 {
        assert_eq!(post(&hub, "/api/v1/streaming/alerts", &alert(n)).await, 202);
    }
    hub.process.kill();
    hub.start_again();
    let expected: Vec<String> = (0..20).map(|n: usize| format!("alert {n}")).collect();
    let titles = until("the queued alerts are published", async || {
        let request = reqwest::Client::new().get(url(&hub, "/api/v1/streaming/alerts")).bearer_auth(&token);
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let items = page["items"].as_array().unwrap().iter().rev();
        let titles: Vec<_> =
            items.map(|item| item["payload"]["alert"]["title"].as_str().unwrap().to_owned()).collect();
        (titles.len() >= 20).then_some(titles)
    })
    .await;
    assert_eq!(titles, expected);
}

fn samples(n: u64, names: usize) -> Value {
    let names: Vec<String> = (0..names).map(|i| format!("metric_{i}")).collect();
    let values = vec![n; names.len()];
    // Apart, so that each is a point of its own.
    let timestamp = infrawatch::clock::system_unix_ms() - 20_000 + 100 * n;
    json!({ "node": "n1", "timestamp": timestamp, "names": names, "values": values })
}

async fn stored(hub: &Inside) -> usize {
    let now_ms = infrawatch::clock::system_unix_ms();
    let query = SampleQuery {
        node: "n1".into(),
        metric: "metric_0".into(),
        labels: Default::default(),
        since_ms: now_ms - 60_000,
        until_ms: now_ms + 60_000,
        points: 10_000,
    };
    hub.state.store.query_samples(query).await.unwrap().points.len()
}

#[tokio::test]
async fn without_the_store_samples_wait_and_kept_topics_are_refused_at_once() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.subscribe("metrics_update").await;
    degrade(&hub, "store").await;
    let mut waiting = Vec::new();
    for n in 0..10 {
        waiting.push(client.send("metrics", samples(n, 1)).await);
    }
    client.first("the node is live all the same", |f| f["payload"]["metrics"]["metric_0"] == 9.0).await;
    let refused = fails(&mut client, "publish", json!({ "topic": "deployments", "data": 1 })).await;
    assert_eq!(refused["code"], "store_unavailable", "{refused}");
    let put = json!({ "doc": "board", "key": "a", "value": 1, "base_version": 0 });
    assert_eq!(fails(&mut client, "sync_put", put.clone()).await["code"], "store_unavailable");
    client.publish("bench:memory", json!(1)).await;
    let deployment = json!({ "service": "s", "version": "1", "status": "started" });
    let (status, retry_after_s, problem) = hub.post("/api/v1/streaming/deployments", &deployment).await;
    assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{problem}");
    assert!(retry_after_s.is_some());
    assert!(!client.has_waiting("metrics_ack"), "nothing is acknowledged that is not committed");
    assert_eq!((stored(&hub).await, hub.state.services.ingest.spilled().batches), (0, 10));

    recover(&hub, "store").await;
    for id in &waiting {
        let ack = client.answer_to(id).await;
        assert_eq!(
            (&ack["type"], &ack["payload"]["durable"]),
            (&json!("metrics_ack"), &json!(true)),
            "{ack}"
        );
    }
    assert_eq!(stored(&hub).await, 10);
    let spilled = hub.state.services.ingest.spilled();
    assert_eq!((spilled.batches, spilled.bytes, spilled.overflowed), (0, 0, 0));
    client.publish("deployments", json!(1)).await;
    client.request("sync_put", put, "sync_applied").await;
}

#[tokio::test]
async fn samples_beyond_the_spill_are_not_durable_and_counted() {
    let hub = Inside::with(|options| {
        options.settings.sampler.enabled = false;
        options.settings.breaker.spill_bytes_max = 1 << 16;
    });
    let mut client = hub.client("alice").await;
    degrade(&hub, "store").await;
    let kept = client.send("metrics", samples(0, 500)).await;
    let ack = client.request("metrics", samples(1, 500), "metrics_ack").await;
    assert_eq!((&ack["accepted"], &ack["durable"]), (&json!(500), &json!(false)), "{ack}");
    assert_eq!(hub.state.services.ingest.spilled().overflowed, 1);
    recover(&hub, "store").await;
    assert_eq!(client.answer_to(&kept).await["payload"]["durable"], true);
}

/// The disk hangs: writes are late, the breaker opens, samples wait; when it is back they are the probes.
#[tokio::test]
async fn a_store_that_hangs_opens_its_breaker_and_what_waited_closes_it() {
    let (hub, hand) = timed(|options| options.settings.breaker.call_ms_max = 100);
    let mut client = hub.client("alice").await;
    let lock = hub.hold_commits();
    let mut sent = Vec::new();
    for n in 0..40 {
        sent.push(client.send("metrics", samples(n, 1)).await);
    }
    reaches(&hub, Subsystem::Store, State::Open).await;
    for n in 40..60 {
        sent.push(client.send("metrics", samples(n, 1)).await);
    }
    until("samples wait", async || (hub.state.services.ingest.spilled().batches == 20).then_some(())).await;
    let refused = fails(&mut client, "publish", json!({ "topic": "deployments", "data": 1 })).await;
    assert_eq!(
        (&refused["code"], &refused["retry_after_ms"]),
        (&json!("store_unavailable"), &json!(OPEN_MS))
    );
    drop(lock);
    hand.advance_ms(OPEN_MS);
    reaches(&hub, Subsystem::Store, State::Closed).await;
    for id in &sent {
        let ack = client.answer_to(id).await["payload"].clone();
        assert_eq!((&ack["accepted"], &ack["durable"]), (&json!(1), &json!(true)), "{ack}");
    }
    assert_eq!(stored(&hub).await, 60, "nothing acknowledged is lost");
}
