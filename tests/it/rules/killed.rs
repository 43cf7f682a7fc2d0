//! `kill -9` in the middle of pending and in a storm of alerts: none is lost, no step comes twice, pending goes on.

use std::collections::BTreeMap;

use infrawatch::clock::system_unix_ms;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, until};

const NODE: &str = "web-1";

/// Series that breach, in frames of so many.
const SERIES: usize = 400;
const PER_FRAME: usize = 20;

async fn ask(hub: &Hub, token: &str, path: &str) -> Value {
    let request = reqwest::Client::new().get(format!("http://{}{path}", hub.address)).bearer_auth(token);
    request.send().await.unwrap().json().await.unwrap()
}

async fn make_rule(hub: &Hub, token: &str, for_duration_seconds: u64) {
    make(hub, token, json!({ "for_duration_seconds": for_duration_seconds })).await;
}

async fn make(hub: &Hub, token: &str, fields: Value) {
    let mut rule = json!({ "id": "queue", "name": "Queue", "kind": "threshold", "metric": "queue_depth",
        "comparison": ">", "value": 10, "severity": "critical" });
    rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let url = format!("http://{}/api/v1/rules", hub.address);
    let made = reqwest::Client::new().post(url).bearer_auth(token).json(&rule).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
}

/// A frame of samples of these queues at a time.
fn frame(queues: std::ops::Range<usize>, at_ms: u64) -> Value {
    let sample = |queue: usize| json!({ "name": "queue_depth", "labels": { "queue": format!("q{queue:03}") }, "value": 50, "timestamp": at_ms });
    json!({ "node": NODE, "samples": queues.map(sample).collect::<Vec<_>>() })
}

/// All broadcasts of critical alerts: how often each step of each alert was told.
async fn broadcasts(hub: &Hub, token: &str) -> BTreeMap<(String, u64), usize> {
    let (mut told, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/v1/streaming/alerts?severity=critical&limit=500{cursor}");
        let page = ask(hub, token, &path).await;
        for item in page["items"].as_array().unwrap() {
            let id = item["payload"]["alert"]["id"].as_str().unwrap().to_owned();
            let version = item["payload"]["version"].as_u64().unwrap();
            *told.entry((id, version)).or_default() += 1;
        }
        let Some(next) = page["next_cursor"].as_str() else { return told };
        cursor = format!("&cursor={next}");
    }
}

async fn alerts(hub: &Hub, token: &str) -> Vec<Value> {
    let (mut alerts, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(hub, token, &format!("/api/v1/alerts?limit=500{cursor}")).await;
        alerts.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return alerts };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_pending_alert_goes_on_from_its_first_breach_after_kill_9() {
    let mut hub = Hub::start();
    let token = hub.token("admin");
    make_rule(&hub, &token, 60).await;
    let begin_ms = system_unix_ms() - 120_000;
    let mut agent = Client::open(&hub, "agent", &token).await;
    agent.request("metrics", frame(0..1, begin_ms), "metrics_ack").await;
    let pending = until("it is pending", async || alerts(&hub, &token).await.pop()).await;
    assert_eq!(pending["state"], "pending");
    hub.process.kill();
    hub.start_again();
    let mut agent = Client::open(&hub, "agent", &token).await;
    // A second before it is due nothing happens; then it fires, 60 s after the breach of the former life.
    agent.request("metrics", frame(0..1, begin_ms + 59_000), "metrics_ack").await;
    agent.request("metrics", frame(0..1, begin_ms + 60_000), "metrics_ack").await;
    let firing = until("it fires", async || {
        alerts(&hub, &token).await.pop().filter(|alert| alert["state"] == "firing")
    })
    .await;
    assert_eq!((&firing["id"], &firing["started_at"]), (&pending["id"], &pending["started_at"]));
    assert_eq!(firing["reason"], "value 50 > 10 for 60 s");
    assert_eq!(alerts(&hub, &token).await.len(), 1);
}

#[tokio::test]
async fn in_a_storm_no_alert_is_lost_and_no_step_is_told_twice_however_often_the_hub_is_killed() {
    let mut hub = Hub::start();
    let token = hub.token("admin");
    make_rule(&hub, &token, 0).await;
    let begin_ms = system_unix_ms() - 120_000;
    for round in 0..4_u64 {
        let mut agent = Client::open(&hub, "agent", &token).await;
        let (at_ms, frames) = (begin_ms + round * 10_000, SERIES / PER_FRAME);
        // Killed a little later in each round, with the rest of the storm under way.
        for n in 0..frames {
            agent.send("metrics", frame(n * PER_FRAME..(n + 1) * PER_FRAME, at_ms + n as u64)).await;
        }
        for _ in 0..=round * frames as u64 / 4 {
            agent.next_of("metrics_ack").await;
        }
        hub.process.kill();
        hub.start_again();
    }
    let mut agent = Client::open(&hub, "agent", &token).await;
    for n in 0..SERIES / PER_FRAME {
        let queues = n * PER_FRAME..(n + 1) * PER_FRAME;
        agent.request("metrics", frame(queues, begin_ms + 60_000 + n as u64), "metrics_ack").await;
    }
    let open = until("every series has its alert", async || {
        let open = alerts(&hub, &token).await;
        (open.len() >= SERIES).then_some(open)
    })
    .await;
    let mut queues: Vec<&str> = open.iter().map(|alert| alert["labels"]["queue"].as_str().unwrap()).collect();
    queues.sort_unstable();
    queues.dedup();
    assert_eq!((open.len(), queues.len()), (SERIES, SERIES), "one alert each");
    let told = until("every alert is told", async || {
        let told = broadcasts(&hub, &token).await;
        (told.len() >= SERIES).then_some(told)
    })
    .await;
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(told.len(), SERIES, "each fired once");
}

#[tokio::test]
async fn a_series_that_is_silent_over_kill_9_has_one_alert_that_is_told_once() {
    let mut hub = Hub::start();
    let token = hub.token("admin");
    make(&hub, &token, json!({ "value": 60, "no_data": "alert", "no_data_seconds": 2 })).await;
    let mut agent = Client::open(&hub, "agent", &token).await;
    agent.request("metrics", frame(0..1, system_unix_ms()), "metrics_ack").await;
    let silent = until("it is silent", async || alerts(&hub, &token).await.pop()).await;
    assert_eq!((&silent["state"], &silent["labels"]["no_data"]), (&json!("firing"), &json!("true")));
    for round in 1..=3 {
        hub.process.kill();
        hub.start_again();
        // Another series comes, and its silence is told: by then that of the first would have been told again.
        let mut agent = Client::open(&hub, "agent", &token).await;
        agent.request("metrics", frame(round..round + 1, system_unix_ms()), "metrics_ack").await;
        until("another is silent", async || (alerts(&hub, &token).await.len() > round).then_some(())).await;
    }
    let open = alerts(&hub, &token).await;
    let first = open.iter().find(|alert| alert["id"] == silent["id"]).unwrap();
    assert_eq!((&first["state"], &first["started_at"]), (&json!("firing"), &silent["started_at"]));
    assert_eq!(open.len(), 4, "one for each series");
    let mut agent = Client::open(&hub, "agent", &token).await;
    agent.request("metrics", frame(0..1, system_unix_ms()), "metrics_ack").await;
    until("it is heard", async || {
        let all = alerts(&hub, &token).await;
        all.iter().any(|alert| alert["id"] == silent["id"] && alert["state"] == "resolved").then_some(())
    })
    .await;
    let told = until("its end is told", async || {
        let mut told = broadcasts(&hub, &token).await;
        // It may be silent again by now, which is another alert.
        told.retain(|(id, _), _| open.iter().any(|alert| alert["id"] == id.as_str()));
        (told.len() >= 5).then_some(told)
    })
    .await;
    assert!(told.values().all(|times| *times == 1) && told.len() == 5, "{told:?}");
}
