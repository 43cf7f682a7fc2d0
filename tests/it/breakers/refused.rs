//! What an open breaker of streaming and events refuses, and what goes on all the same.

use infrawatch::breaker::{State, Subsystem};
use serde_json::json;

use super::{OPEN_MS, degrade, event, fails, reaches, recover, state, timed};
use crate::hub::{Inside, until};

#[tokio::test]
async fn without_streaming_clients_are_refused_and_what_is_critical_goes() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("bench:a").await;
    client.subscribe("metrics_update").await;
    client.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    let answer = degrade(&hub, "streaming").await;
    assert_eq!((&answer["until"], &answer["while_open"]), (&json!("recover"), &json!("refuse")));

    let refused = fails(&mut client, "publish", json!({ "topic": "bench:a", "data": 1 })).await;
    assert_eq!(
        (&refused["code"], &refused["retryable"]),
        (&json!("breaker_open"), &json!(true)),
        "{refused}"
    );
    let flow = client.next_of("flow").await["payload"].clone();
    assert_eq!(
        (&flow["pause_ms"], &flow["reason"]),
        (&refused["retry_after_ms"], &json!("streaming is degraded"))
    );
    let refused = fails(&mut client, "room_message", json!({ "room": "lobby", "data": 1 })).await;
    assert_eq!(refused["code"], "breaker_open");

    let urgent = json!({ "topic": "bench:a", "data": "urgent", "priority": "critical" });
    client.request("publish", urgent, "published").await;
    client.first("the critical message", |f| f["payload"] == "urgent").await;
    client.first("the hub's own topics", |f| f["metadata"]["topic"] == "metrics_update").await;
    assert_eq!(hub.post("/api/v1/events/publish", &event()).await.0, 202, "another subsystem");

    recover(&hub, "streaming").await;
    client.publish("bench:a", json!(2)).await;
}

#[tokio::test]
async fn without_events_publishing_over_http_is_refused_at_once() {
    let hub = Inside::start();
    degrade(&hub, "events").await;
    let (status, retry_after_s, problem) = hub.post("/api/v1/events/publish", &event()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("breaker_open")), "{problem}");
    assert!(retry_after_s.is_some_and(|s| s > 0));
    hub.client("alice").await.publish("bench:a", json!(1)).await;
    recover(&hub, "events").await;
    assert_eq!(hub.post("/api/v1/events/publish", &event()).await.0, 202);
}

async fn the_way_is_free(hub: &Inside) {
    until("the way is free", async || (hub.state.services.broker.under_way() == 0).then_some(())).await;
}

/// The way to sockets is full because the store does not commit: events fail for real, their breaker opens, and
/// closes by probes once they go through again.
#[tokio::test]
async fn events_that_fail_open_their_breaker_and_good_probes_close_it() {
    let (hub, hand) = timed(|options| options.settings.topic.in_flight_messages_max = 64);
    let mut client = hub.client("alice").await;
    client.publish("deployments", json!("first")).await;
    the_way_is_free(&hub).await;
    let lock = hub.hold_commits();
    for n in 0..64 {
        client.send("publish", json!({ "topic": "deployments", "data": n })).await;
    }
    client.request("ping", json!({}), "pong").await;
    for n in 0..20 {
        assert_eq!(state(&hub, Subsystem::Events), State::Closed, "{n} failures");
        let (status, _, problem) = hub.post("/api/v1/events/publish", &event()).await;
        assert_eq!((status, &problem["code"]), (503, &json!("overloaded")));
    }
    let (status, retry_after_s, problem) = hub.post("/api/v1/events/publish", &event()).await;
    assert_eq!((status, retry_after_s, &problem["code"]), (503, Some(30), &json!("breaker_open")));
    drop(lock);
    let last = client.send("publish", json!({ "topic": "deployments", "data": "last" })).await;
    client.answer_to(&last).await;
    the_way_is_free(&hub).await;

    hand.advance_ms(OPEN_MS - 1);
    let (status, retry_after_s, _) = hub.post("/api/v1/events/publish", &event()).await;
    assert_eq!((status, retry_after_s), (503, Some(1)), "one millisecond too early");
    hand.advance_ms(1);
    for probe in 0..3 {
        assert_ne!(state(&hub, Subsystem::Events), State::Closed, "{probe} probes");
        assert_eq!(hub.post("/api/v1/events/publish", &event()).await.0, 202);
    }
    reaches(&hub, Subsystem::Events, State::Closed).await;
}
