//! A store that stops: senders of samples are told to slow down, agents spool, the hub holds no more than its bounds, and
//! everything is there when the store is back.

use std::fs;
use std::path::Path;

use infrawatch::auth::{NewToken, Role};
use infrawatch::clock::system_unix_ms;
use infrawatch::store::SampleQuery;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::hub::{Client, Inside, Running, until};

const INTERVAL_MS: u64 = 200;

/// What the store promises when it stops.
const SPOOLS_WITHIN_MS: u128 = 2_000;

/// The process of an agent of that node.
fn agent(hub: &Inside, node: &str, directory: &Path) -> Running {
    let new = NewToken {
        subject: node.into(),
        role: Role::Agent,
        node: Some(node.into()),
        topics: None,
        ttl_ms: 86_400_000,
    };
    let token = hub.state.services.auth.issue(new, system_unix_ms()).unwrap().0;
    let url = hub.url("").replace("http", "ws");
    let (spool, interval) = (directory.join("spool").display().to_string(), INTERVAL_MS.to_string());
    let arguments =
        ["agent", "--hub", &url, "--token", &token, "--spool-dir", &spool, "--interval-ms", &interval];
    let arguments = [&arguments[..], &["--log-format", "json"]].concat();
    Running::start(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>(), &directory.join("log"))
}

/// Bytes of the agent's spool.
fn spooled(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory.join("spool")) else { return 0 };
    let in_node = entries.map_while(Result::ok).filter_map(|node| fs::read_dir(node.path()).ok()).flatten();
    in_node.map_while(Result::ok).map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// Times at which samples of the node are in the store.
async fn stored_times(hub: &Inside, node: &str, since_ms: u64) -> Vec<u64> {
    let query = SampleQuery {
        node: node.to_owned(),
        metric: "memory_percent".to_owned(),
        labels: [].into(),
        since_ms,
        until_ms: system_unix_ms(),
        points: 10_000,
    };
    hub.state.store.query_samples(query).await.unwrap().points.iter().map(|point| point.0).collect()
}

fn sample(n: u64) -> Value {
    json!({ "node": "n1", "names": ["load1"], "values": [n], "timestamp": system_unix_ms() })
}

/// The next `flow`, and whether it slows down.
async fn flow(client: &mut Client) -> (bool, Value) {
    let flow = client.next_of("flow").await["payload"].clone();
    (!flow["max_rate_hz"].is_null(), flow)
}

#[tokio::test]
async fn agents_spool_when_the_store_stops_and_nothing_is_missing_when_it_is_back() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let (directory, begun_ms) = (tempfile::tempdir().unwrap(), system_unix_ms());
    let mut process = agent(&hub, "web-1", directory.path());
    until("some samples are stored", async || {
        (stored_times(&hub, "web-1", begun_ms).await.len() >= 3).then_some(())
    })
    .await;
    let before = spooled(directory.path());
    let lock = hub.hold_commits();
    let stopped = Instant::now();
    until("the agent spools", async || (spooled(directory.path()) > before + 1_000).then_some(())).await;
    let took_ms = stopped.elapsed().as_millis();
    assert!(took_ms < SPOOLS_WITHIN_MS, "the agent spooled after {took_ms} ms");
    drop(lock);
    let released_ms = system_unix_ms();
    let times = until("the gap is filled", async || {
        let times = stored_times(&hub, "web-1", begun_ms).await;
        let gap_ms = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX);
        (times.last().is_some_and(|last| *last > released_ms) && gap_ms < 3 * INTERVAL_MS).then_some(times)
    })
    .await;
    assert!(times.len() as u64 >= (times[times.len() - 1] - times[0]) / (2 * INTERVAL_MS));
    process.kill();
}

#[tokio::test]
async fn a_sender_is_told_when_to_slow_down_and_when_it_may_go_on() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    let mut reader = hub.client("bob").await;
    client.request("metrics", sample(0), "metrics_ack").await;
    let lock = hub.hold_commits();
    let waiting = client.send("metrics", sample(1)).await;
    let (slows, told) = flow(&mut client).await;
    assert!(slows && told["pause_ms"].as_u64().unwrap() >= 1_000, "{told}");
    assert_eq!(told["reason"], "the store is behind");
    let mut late = hub.client("carol").await;
    late.send("metrics", sample(2)).await;
    assert!(flow(&mut late).await.0, "who begins meanwhile is told too");
    drop(lock);
    assert_eq!(client.answer_to(&waiting).await["payload"]["durable"], true);
    // Told once a second, whatever it sends, until it is over.
    while flow(&mut client).await.0 {}
    while flow(&mut late).await.0 {}
    reader.request("ping", json!({}), "pong").await;
    assert!(!reader.has_waiting("flow"), "who sends no samples has nothing to do with it");
}

#[tokio::test]
async fn what_is_refused_is_not_written() {
    let hub = Inside::with(|options| {
        options.settings.sampler.enabled = false;
        options.settings.ingest.nodes_max = 1;
    });
    let (mut client, begun_ms) = (hub.client("alice").await, system_unix_ms());
    let frame = |node: &str| json!({ "node": node, "names": ["memory_percent"], "values": [1] });
    client.request("metrics", frame("n1"), "metrics_ack").await;
    let refused = client.ask("metrics", frame("n2")).await;
    assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!("overloaded")));
    // Committed behind it.
    client.request("metrics", frame("n1"), "metrics_ack").await;
    assert!(!stored_times(&hub, "n1", begun_ms).await.is_empty());
    assert!(stored_times(&hub, "n2", begun_ms).await.is_empty());
}

/// Senders that do not obey: what the hub holds for them is bounded, the rest is refused and counted.
#[tokio::test]
async fn what_the_hub_holds_while_the_store_is_gone_is_bounded_whoever_goes_on() {
    const BYTES_MAX: usize = 1 << 17;
    let hub = Inside::with(|options| {
        options.settings.sampler.enabled = false;
        options.settings.breaker.spill_bytes_max = BYTES_MAX;
    });
    let body = json!({ "subsystem": "store" });
    assert_eq!(hub.post("/api/v1/operations/degrade", &body).await.0, 200);
    let mut client = hub.client("alice").await;
    let samples = |n: u64| {
        let names: Vec<_> = (0..100).map(|i| format!("metric_{i}")).collect();
        json!({ "node": "n1", "names": names, "values": vec![n; 100], "timestamp": system_unix_ms() })
    };
    let mut sent = Vec::new();
    for n in 0..100 {
        sent.push(client.send("metrics", samples(n)).await);
        let spilled = hub.state.services.ingest.spilled();
        assert!(spilled.bytes <= BYTES_MAX, "{spilled:?}");
    }
    until("some are refused", async || (hub.state.services.ingest.spilled().overflowed > 0).then_some(()))
        .await;
    assert!(flow(&mut client).await.0);
    let sample = |n: u64| json!({ "metric_name": format!("metric_{n}"), "value": 1, "node": "n2" });
    let posted = Value::Array((0..2_000).map(sample).collect());
    let (status, retry_after_s, problem) = hub.post("/api/v1/metrics/ingest", &posted).await;
    assert_eq!((status, &problem["code"]), (503, &json!("overloaded")), "{problem}");
    assert!(retry_after_s.is_some());
    let kept = hub.state.services.ingest.spilled().batches;
    assert_eq!(hub.post("/api/v1/operations/recover", &body).await.0, 200);
    let mut durable = 0;
    for id in &sent {
        durable += usize::from(client.answer_to(id).await["payload"]["durable"] == true);
    }
    assert!(durable > 0 && durable < sent.len() && durable <= kept, "{durable} of {}", sent.len());
    assert_eq!(hub.state.services.ingest.spilled().bytes, 0);
}
