//! Actors that crash, hang, or are sent poison.

use infrawatch::fault::Point;
use infrawatch::supervision::fault::Phase;
use infrawatch::telemetry::Cause;
use serde_json::json;

use super::{active, disable, enable, offsets};
use crate::hub::{Inside, until};

#[tokio::test]
async fn an_actor_that_panics_comes_back_alone_and_not_too_often() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    let former = client.publish("bench:a", json!(1)).await;
    let sibling = client.publish("bench:b", json!(1)).await;
    enable(&hub, "actor_panic", json!({ "actor": "topic", "instance": "bench:a" })).await;
    hub.back("topic", 1).await;
    assert_eq!(&*hub.row("topic").last_failure.unwrap().instance, "bench:a");
    let again = client.publish("bench:a", json!(2)).await;
    assert_ne!(again["epoch"], former["epoch"]);
    let next = client.publish("bench:b", json!(2)).await;
    assert_eq!((&next["epoch"], &next["offset"]), (&sibling["epoch"], &json!(2)));
    disable(&hub, "actor_panic").await;
    // A second time within the minute could be once too often for supervision.
    let again = json!({ "name": "actor_panic", "parameters": { "actor": "broker" } });
    let (status, retry_after_s, problem) = hub.post("/api/sim/enable", &again).await;
    assert_eq!((status, &problem["code"]), (429, &json!("rate_limited")), "{problem}");
    assert!(retry_after_s.is_some_and(|seconds| (1..=60).contains(&seconds)));
    assert_eq!(hub.row("topic").restarts, 1);
}

#[tokio::test]
async fn others_go_on_while_an_actor_hangs_and_what_waited_is_handled_afterwards() {
    let hub = Inside::with(|options| options.settings.topic.flush_interval_ms = 0);
    let mut client = hub.client("alice").await;
    let topics = json!({ "topics": ["bench:a", "bench:b"] });
    client.request("subscribe", topics, "subscribed").await;
    enable(&hub, "hung_actor", json!({ "actor": "topic", "instance": "bench:a" })).await;
    let mut waiting = Vec::new();
    for n in 0..20 {
        waiting.push(client.send("publish", json!({ "topic": "bench:a", "data": n })).await);
        client.publish("bench:b", json!(n)).await;
        assert!(!client.has_waiting("published"), "an actor that hangs has answered");
    }
    assert_eq!(offsets(&mut client, "bench:b", 20).await, (1..=20).collect::<Vec<_>>());
    disable(&hub, "hung_actor").await;
    for id in &waiting {
        assert_eq!(client.answer_to(id).await["type"], "published");
    }
    assert_eq!(offsets(&mut client, "bench:a", 20).await, (1..=20).collect::<Vec<_>>());
    assert_eq!(hub.row("topic").restarts, 0);
}

#[tokio::test]
async fn a_panic_that_did_not_happen_is_taken_back_at_the_end() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    enable(&hub, "actor_panic", json!({ "actor": "topic", "instance": "bench:later", "times": 3 })).await;
    disable(&hub, "actor_panic").await;
    let first = client.publish("bench:later", json!(1)).await;
    let second = client.publish("bench:later", json!(2)).await;
    assert_eq!((&first["epoch"], hub.row("topic").restarts), (&second["epoch"], 0));
}

#[tokio::test]
async fn a_poison_message_crashes_its_topic_once_and_what_comes_after_it_is_handled() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("lab:poison").await;
    let sibling = client.publish("bench:b", json!(1)).await;
    enable(&hub, "poison_message", json!({})).await;
    hub.back("topic", 1).await;
    client.publish("lab:poison", json!("after")).await;
    let heard = client.first("what comes after", |f| f["type"] == "message" && f["payload"] == "after").await;
    assert_eq!(heard["metadata"]["offset"], 1, "a new epoch, and the poison is not in it");
    assert_eq!(client.publish("bench:b", json!(2)).await["epoch"], sibling["epoch"]);
    assert_eq!(hub.row("topic").restarts, 1, "it is not handled again");
    disable(&hub, "poison_message").await;
}

#[tokio::test]
async fn a_poison_message_crashes_its_document_once_and_leaves_no_trace() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    let put = |key: &str| json!({ "doc": "lab:poison", "key": key, "value": 1, "base_version": 0 });
    client.request("sync_put", put("before"), "sync_applied").await;
    enable(&hub, "poison_message", json!({ "actor": "document" })).await;
    hub.back("document", 1).await;
    client.request("sync_put", put("after"), "sync_applied").await;
    let doc = client.request("sync_get", json!({ "doc": "lab:poison" }), "sync_doc").await;
    let mut keys: Vec<_> = doc["entries"].as_array().unwrap().iter().map(|e| e["key"].clone()).collect();
    keys.sort_by_key(ToString::to_string);
    assert_eq!(keys, [json!("after"), json!("before")]);
    assert_eq!(hub.row("document").restarts, 1);
}

#[tokio::test]
async fn all_scenarios_end_when_their_owner_crashes() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    client.subscribe("testing").await;
    client.publish("deployments", json!(0)).await;
    enable(&hub, "disk_full", json!({})).await;
    enable(&hub, "hung_actor", json!({ "actor": "topic", "instance": "bench:*" })).await;
    enable(&hub, "latency", json!({ "clients": "nobody" })).await;
    enable(&hub, "actor_panic", json!({ "actor": "topic", "instance": "bench:later", "times": 3 })).await;
    client.request("publish", json!({ "topic": "deployments", "data": 1 }), "error").await;
    let waiting = client.send("publish", json!({ "topic": "bench:a", "data": 1 })).await;
    hub.crash("lab_faults", "lab_faults", Phase::Handler);
    hub.back("lab_faults", 1).await;
    until("nothing is active", async || active(&hub).await.is_empty().then_some(())).await;
    assert_eq!(client.answer_to(&waiting).await["type"], "published");
    until("writing goes on", async || {
        let answer = client.ask("publish", json!({ "topic": "deployments", "data": 2 })).await;
        (answer["type"] == "published").then_some(())
    })
    .await;
    let (_, _, told) = hub.get("/api/sim/status").await;
    let recent = told["recent"].as_array().unwrap();
    assert!(recent.len() == 4 && recent.iter().all(|run| run["ended_by"] == "crashed"), "{told}");
    client.first("the end is told", |f| f["payload"]["fault"]["ended_by"] == "crashed").await;
    client.publish("bench:later", json!(1)).await;
    assert_eq!(hub.row("topic").restarts, 0, "a panic that did not happen is taken back");
}

#[tokio::test]
async fn all_scenarios_end_when_their_owner_is_given_up_and_no_other_begins() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    let mut client = hub.client("alice").await;
    let too_often = hub.row("lab_faults").intensity_max + 1;
    for crash in 1..too_often {
        hub.crash("lab_faults", "lab_faults", Phase::Handler);
        hub.back("lab_faults", crash.into()).await;
    }
    enable(&hub, "latency", json!({ "clients": "nobody" })).await;
    enable(&hub, "hung_actor", json!({ "actor": "topic", "instance": "bench:*" })).await;
    let waiting = client.send("publish", json!({ "topic": "bench:a", "data": 1 })).await;
    hub.crash("lab_faults", "lab_faults", Phase::Handler);
    until("they are given up", async || (hub.row("lab_faults").given_up == 1).then_some(())).await;
    assert_eq!(client.answer_to(&waiting).await["type"], "published");
    let faults = hub.state.services.faults.clone().unwrap();
    until("nothing is on", async || (!faults.is_on(Point::Latency)).then_some(())).await;
    until("nothing is active", async || active(&hub).await.is_empty().then_some(())).await;
    let (status, _, problem) = hub.post("/api/sim/enable", &json!({ "name": "latency" })).await;
    assert_eq!((status, &problem["code"]), (503, &json!("overloaded")), "{problem}");
}

#[tokio::test]
async fn a_reset_that_gets_no_answer_ends_what_goes_wrong_all_the_same() {
    let hub = Inside::start();
    enable(&hub, "latency", json!({ "clients": "nobody" })).await;
    let faults = hub.state.services.faults.clone().unwrap();
    assert!(faults.is_on(Point::Latency));
    hub.state.services.tree.hang("lab_faults", "lab_faults");
    // The time of this test alone: nobody waits for the answer that does not come.
    tokio::time::pause();
    let unanswered = hub.state.scenarios.as_ref().unwrap().reset(&Cause::own()).await;
    tokio::time::resume();
    assert!(unanswered.is_err());
    assert!(!faults.is_on(Point::Latency), "it goes on");
    let (status, _, ended) = hub.post("/api/sim/reset", &json!({})).await;
    assert_eq!((status, active(&hub).await.len()), (200, 0), "their owner answers again: {ended}");
}
