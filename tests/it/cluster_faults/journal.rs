//! Samples while PostgreSQL is gone: acknowledged, on disk, and in the store once when it is back, whatever is killed.

use infrawatch::clock::system_unix_ms;
use infrawatch::config::Settings;
use infrawatch_servers::Postgres;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, RawSocket, until};

const NODE: &str = "web-1";

fn hub(server: &Postgres, bytes_max: u64) -> Hub {
    hub_with(server, bytes_max, |_settings| {})
}

fn hub_with(server: &Postgres, bytes_max: u64, change: impl FnOnce(&mut Settings)) -> Hub {
    Hub::with_arguments(&["--postgres-url", &server.url(), "--limits", "off"], |settings| {
        settings.breaker.open_ms = 300;
        settings.store.journal_bytes_max = bytes_max;
        change(settings);
    })
}

async fn agent(hub: &Hub) -> Client {
    Client::open(hub, "agent", &hub.agent_token(NODE)).await
}

fn frame(at_ms: u64, values: usize) -> Value {
    let names: Vec<String> = (0..values).map(|n| format!("metric_{n}")).collect();
    json!({ "node": NODE, "timestamp": at_ms, "names": names, "values": vec![1.5; values] })
}

/// One frame at a moment of its own; whether it is durable.
async fn send(agent: &mut Client, at_ms: u64, values: usize) -> bool {
    agent.request("metrics", frame(at_ms, values), "metrics_ack").await["durable"] == true
}

async fn health(hub: &Hub, check: &str) -> Value {
    let report: Value = serde_json::from_str(&RawSocket::get(hub, "/api/health").await.body).unwrap();
    report["checks"][check].clone()
}

async fn holds_some(hub: &Hub) {
    until("the journal holds some", async || {
        (hub.metric("infrawatch_journal_bytes").await > 0).then_some(())
    })
    .await;
}

/// After [`holds_some`]: what is told may be a moment old.
async fn is_empty(hub: &Hub) {
    until("the journal is empty", async || {
        (hub.metric("infrawatch_journal_bytes").await == 0
            && health(hub, "journal").await["status"] == "healthy")
            .then_some(())
    })
    .await;
}

async fn stored(hub: &Hub, since_ms: u64, until_ms: u64) -> usize {
    let span = format!("since={since_ms}&until={until_ms}&points=1920&node={NODE}&metric=metric_0");
    let url = format!("http://{}/api/v1/streaming/metrics/history?{span}", hub.address);
    let request = reqwest::Client::new().get(url).bearer_auth(hub.token("viewer"));
    let past: Value = request.send().await.unwrap().json().await.unwrap();
    past["points"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn samples_are_acknowledged_while_postgresql_is_gone_and_outlive_the_hub() {
    let mut server = Postgres::start();
    let mut hub = hub(&server, 8 << 20);
    let mut sender = agent(&hub).await;
    let begun_ms = system_unix_ms() - 120_000;
    let at = |n: u64| begun_ms + n * 1_000;
    for n in 0..10 {
        assert!(send(&mut sender, at(n), 3).await);
    }
    server.kill();
    for n in 10..40 {
        assert!(send(&mut sender, at(n), 3).await, "{n}: on disk, and so acknowledged");
    }
    let journal = until("the journal is told of", async || {
        let journal = health(&hub, "journal").await;
        (journal["status"] == "degraded").then_some(journal)
    })
    .await;
    assert!(
        journal["detail"].as_str().unwrap().starts_with("30 frames of samples wait on disk"),
        "{journal}"
    );
    holds_some(&hub).await;
    assert_eq!(hub.metric("infrawatch_samples_spilled_total{outcome=\"journaled\"}").await, 90);

    // A hub needs its store to begin, so PostgreSQL is back first; the journal is what a kill left of it.
    hub.process.kill();
    server.resume();
    hub.start_again();
    let mut sender = agent(&hub).await;
    // The agent had no answer for one that is in the journal, and sends it again.
    assert!(send(&mut sender, at(39), 3).await);
    for n in 40..50 {
        assert!(send(&mut sender, at(n), 3).await, "live ones go beside the replay");
    }
    is_empty(&hub).await;
    assert_eq!(stored(&hub, at(0), at(50)).await, 50, "each once");
    assert_eq!(hub.metric("infrawatch_samples_spilled_total{outcome=\"replayed\"}").await, 90);
}

#[tokio::test]
async fn a_hub_goes_on_by_itself_when_postgresql_is_back_and_a_full_journal_refuses() {
    let mut server = Postgres::start();
    let hub = hub(&server, 1 << 20);
    let mut sender = agent(&hub).await;
    let begun_ms = system_unix_ms() - 600_000;
    let at = |n: u64| begun_ms + n * 1_000;
    server.kill();
    let (mut kept, mut n) = (0, 0);
    while send(&mut sender, at(n), 400).await {
        (kept, n) = (kept + 1, n + 1);
        assert!(n < 500, "1 MiB is full some time");
    }
    assert!(!send(&mut sender, at(n), 400).await, "its sender keeps it");
    assert!(hub.metric("infrawatch_samples_spilled_total{outcome=\"refused\"}").await >= 800);
    holds_some(&hub).await;
    server.resume();
    is_empty(&hub).await;
    assert_eq!(stored(&hub, at(0), at(n)).await, kept);
    assert!(send(&mut sender, at(n), 400).await, "and its sender sends it again");
    assert_eq!(stored(&hub, at(0), at(n) + 1).await, kept + 1);
    assert_eq!(health(&hub, "store").await["status"], "healthy");
}

/// Posts samples of one moment as a program does; status, `Retry-After`, body.
async fn post(hub: &Hub, token: &str, at_ms: u64, values: usize) -> (u16, Option<u64>, Value) {
    let sample =
        |n| json!({ "node": NODE, "metric_name": format!("metric_{n}"), "value": 1.5, "timestamp": at_ms });
    let samples: Vec<Value> = (0..values).map(sample).collect();
    let url = format!("http://{}/api/v1/metrics/ingest", hub.address);
    let answer = reqwest::Client::new().post(url).bearer_auth(token).json(&samples).send().await.unwrap();
    let retry_after_s = answer.headers().get("retry-after").map(|s| s.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), retry_after_s, answer.json().await.unwrap())
}

async fn over_http(calls_min: u32) {
    let mut server = Postgres::start();
    let hub = hub_with(&server, 1 << 20, |settings| settings.breaker.calls_min = calls_min);
    let token = hub.agent_token(NODE);
    let begun_ms = system_unix_ms() - 600_000;
    let at = |n: u64| begun_ms + n * 1_000;
    server.kill();
    // Large ones until none fits, then small ones: whatever the journal says, nobody is told of a sample that it is
    // taken when it is not.
    let (mut durable, mut n, mut refused) = (0, 0, Vec::new());
    for values in [400, 1] {
        let problem = loop {
            let (status, retry_after_s, answer) = post(&hub, &token, at(n), values).await;
            n += 1;
            assert!(n < 590, "1 MiB is full some time");
            if status != 201 {
                break (status, retry_after_s.is_some(), answer["code"].clone());
            }
            assert_eq!(answer["durable"], true, "{answer}");
            durable += 1;
        };
        assert_eq!(problem, (503, true, json!("overloaded")));
        refused.push((at(n - 1), values));
    }
    assert!(durable > 50, "{durable}");
    holds_some(&hub).await;
    server.resume();
    is_empty(&hub).await;
    assert_eq!(stored(&hub, at(0), at(n)).await, durable, "what was durable, and nothing that was refused");
    for (at_ms, values) in refused {
        assert_eq!(post(&hub, &token, at_ms, values).await.0, 201, "it is sent again");
    }
    assert_eq!(stored(&hub, at(0), at(n)).await, durable + 2);
}

#[tokio::test]
async fn over_http_a_full_journal_is_503_and_what_was_answered_durable_is_there_afterwards() {
    over_http(20).await;
}

/// As where few samples come: nobody knows that the server is gone before it is asked.
#[tokio::test]
async fn over_http_a_full_journal_is_503_also_before_the_breaker_is_open() {
    over_http(1_000_000).await;
}

#[tokio::test]
async fn what_is_replayed_when_postgresql_goes_again_is_replayed_again() {
    let mut server = Postgres::start();
    // A frame at a time, ten a second.
    let hub = hub_with(&server, 8 << 20, |settings| settings.store.journal_replay_hz = 10);
    let mut sender = agent(&hub).await;
    let begun_ms = system_unix_ms() - 120_000;
    let at = |n: u64| begun_ms + n * 1_000;
    server.kill();
    for n in 0..40 {
        assert!(send(&mut sender, at(n), 3).await);
    }
    server.resume();
    let replayed = "infrawatch_samples_spilled_total{outcome=\"replayed\"}";
    until("some are replayed", async || (hub.metric(replayed).await >= 9).then_some(())).await;
    server.kill();
    until("it is known to be gone", async || {
        (health(&hub, "store").await["status"] == "degraded").then_some(())
    })
    .await;
    let before = hub.metric(replayed).await;
    assert!(before < 120, "{before}: it went in the middle");
    server.resume();
    is_empty(&hub).await;
    assert_eq!(stored(&hub, at(0), at(40)).await, 40, "each once");
    assert_eq!(hub.metric("infrawatch_samples_spilled_total{outcome=\"lost\"}").await, 0);
}

#[tokio::test]
async fn a_postgresql_that_hangs_is_taken_for_gone_and_nothing_acknowledged_is_lost() {
    let server = Postgres::start();
    let hub = hub(&server, 8 << 20);
    let mut sender = agent(&hub).await;
    let begun_ms = system_unix_ms() - 120_000;
    let at = |n: u64| begun_ms + n * 1_000;
    assert!(send(&mut sender, at(0), 3).await);
    server.pause();
    // All at once: the first ones are with the server when it stops to answer.
    let mut asked = Vec::new();
    for n in 1..40 {
        asked.push(sender.send("metrics", frame(at(n), 3)).await);
    }
    for id in asked {
        let answer = sender.answer_to(&id).await;
        assert_eq!(answer["payload"]["durable"], true, "{answer}");
    }
    until("the store is given a rest", async || {
        (health(&hub, "store").await["status"] == "degraded").then_some(())
    })
    .await;
    for n in 40..50 {
        assert!(send(&mut sender, at(n), 3).await, "at once, on disk");
    }
    holds_some(&hub).await;
    server.go_on();
    is_empty(&hub).await;
    assert_eq!(stored(&hub, at(0), at(50)).await, 50, "each once, those in doubt too");
}
