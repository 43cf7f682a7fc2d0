//! Real runs by the real engine, under the rate limits of the hub: what is said is what happened.

use std::collections::BTreeMap;
use std::time::Duration;

use infrawatch::ids::TopicName;
use infrawatch::telemetry::Cause;
use infrawatch::topic::log::Stored;
use serde_json::{Value, json};

use super::{asked, begin, carry_out, look, over, stop};
use crate::hub::{Inside, until};

fn hub() -> Inside {
    Inside::with(|options| options.rate_limits = true)
}

#[tokio::test]
async fn twenty_five_connections_get_everything() {
    let hub = hub();
    let run = carry_out(&hub, &asked(25, 2)).await;
    assert_eq!((&run["status"], &run["failure"]), (&json!("completed"), &Value::Null), "{run:#}");
    assert_eq!(run["success_rate"], 100.0);
    assert_eq!(run["connections"], json!({ "planned": 25, "connected": 25, "failed": 0, "lost": 0 }));
    let messages = &run["messages"];
    assert_eq!((&messages["published"], &messages["expected"]), (&json!(100), &json!(2_500)), "2 s of 50 Hz");
    assert_eq!((&messages["delivered"], &messages["lost"]), (&json!(2_500), &json!(0)));
    assert_eq!((&messages["duplicated"], &messages["reordered"]), (&json!(0), &json!(0)));
    let (p50, max) = (run["latency"]["p50_ms"].as_f64().unwrap(), run["latency"]["max_ms"].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= max, "{run:#}");
    let counted: u64 =
        run["histogram"].as_array().unwrap().iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 2_500, "{run:#}");
    let kinds: Vec<_> = run["phases"].as_array().unwrap().iter().map(|phase| phase["kind"].clone()).collect();
    assert_eq!(kinds, ["ramp_up", "steady"]);
    let topic = hub.topic(&format!("testing-load:{}", run["id"].as_str().unwrap())).await;
    assert_eq!(topic.offset, 100, "what was measured went through the hub");
}

/// The newest messages of a topic.
async fn told(hub: &Inside, topic: &'static str) -> Vec<Stored> {
    let topic = hub.state.services.broker.open(&TopicName::well_known(topic)).unwrap();
    topic.view(500, &Cause::own()).await.unwrap().messages
}

/// The nodes that the hub knows, with whether they are made up.
async fn nodes(hub: &Inside) -> BTreeMap<String, bool> {
    let (_, _, page) = hub.get("/api/v1/nodes?limit=500").await;
    let nodes = page["items"].as_array().unwrap().iter();
    nodes.map(|n| (n["id"].as_str().unwrap().to_owned(), n["synthetic"].as_bool().unwrap())).collect()
}

#[tokio::test]
async fn nodes_of_a_run_are_labelled_and_gone_when_it_is_over() {
    let hub = hub();
    let mut agent = hub.client("agent").await;
    for node in ["web-1", "load-test-77"] {
        let report = json!({ "node": node, "names": ["load1"], "values": [1] });
        agent.request("metrics", report, "metrics_ack").await;
    }
    let real = BTreeMap::from([("here", false), ("load-test-77", false), ("web-1", false)]);
    let real: BTreeMap<String, bool> =
        real.into_iter().map(|(name, made_up)| (name.to_owned(), made_up)).collect();
    until("the hub's own node", async || (nodes(&hub).await == real).then_some(())).await;
    for is_stopped in [false, true] {
        let mut load = asked(5, if is_stopped { 30 } else { 1 });
        load["scenario"] = "ingest".into();
        let id = begin(&hub, load).await;
        until("its nodes", async || (nodes(&hub).await.len() == 8).then_some(())).await;
        let made_up: Vec<_> = nodes(&hub).await.into_iter().filter(|(_, made_up)| *made_up).collect();
        let names: Vec<_> = made_up.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["load-test-1", "load-test-2", "load-test-3", "load-test-4", "load-test-5"]);
        if is_stopped {
            assert_eq!(stop(&hub, &id).await.0, 202);
        }
        let run = over(&hub, &id).await;
        assert_eq!(run["status"], if is_stopped { "cancelled" } else { "completed" }, "{run:#}");
        until("its nodes are gone", async || (nodes(&hub).await == real).then_some(())).await;
        let newest = told(&hub, "metrics_update").await;
        let mut keys = newest.iter().map(|message| message.key.as_deref().unwrap());
        assert!(keys.all(|key| real.contains_key(key)), "{newest:?}");
        // Not because they were silent for long enough. The topic is kept, so its word follows its commit.
        for name in names {
            until("its last word", async || {
                let told = told(&hub, "nodes").await;
                let last = told.iter().rfind(|message| message.key.as_deref() == Some(name))?;
                let why: Value = serde_json::from_str(last.payload_text()).unwrap();
                let is_last = why["to"] == "retired";
                assert!(!is_last || why["reason"] == "its load test is over", "{why}");
                is_last.then_some(())
            })
            .await;
        }
        let kept = hub.state.store.nodes(None, 100).await.unwrap();
        assert!(kept.iter().all(|node| real.contains_key(&node.name)), "{kept:?}");
    }
}

/// Whoever carries a load test out need not be this hub, and may be cut off.
#[tokio::test]
async fn nodes_of_a_test_that_nobody_ends_go_when_they_are_silent() {
    let hub = hub();
    let mut agent = hub.client("agent").await;
    for (node, labels) in [("left", json!({ "synthetic": "true", "load_test": "t" })), ("stays", json!({}))] {
        let report = json!({ "node": node, "names": ["load1"], "values": [1], "labels": labels, "interval_ms": 200,
            "ttl_ms": 200 });
        agent.request("metrics", report, "metrics_ack").await;
    }
    until("it is gone", async || (!nodes(&hub).await.contains_key("left")).then_some(())).await;
    let (_, _, stays) = hub.get("/api/v1/nodes/stays").await;
    assert_eq!((&stays["synthetic"], hub.get("/api/v1/nodes/left").await.0), (&json!(false), 404));
}

#[tokio::test]
async fn connections_that_are_cut_are_missing_in_the_result() {
    let hub = hub();
    let id = begin(&hub, asked(10, 3)).await;
    until("the load", async || {
        (look(&hub, &id).await["messages"]["delivered"].as_u64() > Some(0)).then_some(())
    })
    .await;
    let (_, _, sessions) = hub.get("/api/v1/connections/list").await;
    let subscribers: Vec<String> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|session| session["topics"][0] == format!("testing-load:{id}"))
        .map(|session| session["client_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(subscribers.len(), 10, "{sessions:#}");
    for client in &subscribers[..2] {
        let cutting = reqwest::Client::new().delete(hub.url(&format!("/api/v1/connections/{client}")));
        let cut = cutting.bearer_auth(hub.token(infrawatch::auth::Role::Operator)).send().await.unwrap();
        assert_eq!(cut.status(), 204);
    }
    let run = over(&hub, &id).await;
    assert_eq!((&run["status"], &run["success_rate"]), (&json!("failed"), &json!(80.0)), "{run:#}");
    assert_eq!((&run["connections"]["connected"], &run["connections"]["lost"]), (&json!(10), &json!(2)));
    assert!(run["messages"]["lost"].as_u64() > Some(0) && run["failure"].is_string(), "{run:#}");
}

#[tokio::test]
async fn two_hundred_rapid_reconnects_lose_nothing() {
    let hub = hub();
    let (status, _, run) = hub.post("/api/v1/testing/chaos/reconnect", &json!({})).await;
    assert_eq!(
        (status, &run["status"], &run["failure"]),
        (200, &json!("completed"), &Value::Null),
        "{run:#}"
    );
    let reconnects = &run["reconnects"];
    assert_eq!((&reconnects["attempted"], &reconnects["succeeded"]), (&json!(200), &json!(200)), "{run:#}");
    assert_eq!((&reconnects["success_rate"], &reconnects["recovered"]), (&json!(100.0), &json!(200)));
    assert_eq!((&reconnects["gaps"], &reconnects["duplicates"]), (&json!(0), &json!(0)));
    assert!(reconnects["back_p50_ms"].as_f64() > Some(0.0));
    assert_eq!((&run["scenario"], &run["success_rate"]), (&json!("reconnect"), &json!(100.0)));
}

#[tokio::test]
async fn how_a_run_goes_is_told_to_whoever_subscribes() {
    let hub = hub();
    let mut told = hub.client("watcher").await;
    told.subscribe("testing").await;
    let id = begin(&hub, asked(5, 3)).await;
    let mut elapsed = Vec::new();
    let last = loop {
        let payload = told.message().await.payload;
        assert_eq!(payload["run"]["id"], id, "{payload}");
        if payload["progress"].is_null() {
            break payload;
        }
        assert_eq!(
            payload["run"],
            json!({ "id": id, "name": "evening", "scenario": "paced", "status": "running" })
        );
        assert!(payload["progress"]["latency"].is_object() && payload["progress"]["histogram"].is_array());
        elapsed.push(payload["progress"]["elapsed_s"].as_f64().unwrap());
    };
    assert!(elapsed.windows(2).all(|pair| pair[0] < pair[1]), "{elapsed:?}");
    assert!((3..=9).contains(&elapsed.len()), "4 s, twice a second: {elapsed:?}");
    assert_eq!(last["run"], look(&hub, &id).await);
    assert_eq!(last["run"]["status"], "completed");
}

#[tokio::test]
async fn a_run_that_is_stopped_has_what_was_measured() {
    let hub = hub();
    let id = begin(&hub, asked(5, 60)).await;
    until("the load", async || {
        (look(&hub, &id).await["messages"]["delivered"].as_u64() > Some(0)).then_some(())
    })
    .await;
    assert_eq!(stop(&hub, &id).await.0, 202);
    let run = over(&hub, &id).await;
    assert_eq!((&run["status"], &run["success_rate"]), (&json!("cancelled"), &Value::Null), "{run:#}");
    assert!(run["messages"]["delivered"].as_u64() > Some(0) && run["phases"].is_array(), "{run:#}");
    let seconds = run["duration_s"].as_f64().unwrap();
    assert!(Duration::from_secs_f64(seconds) < Duration::from_secs(30), "{seconds}");
    until("the clients are gone", async || (hub.state.services.clients.counts().0 == 0).then_some(())).await;
}
