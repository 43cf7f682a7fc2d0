//! Everybody is told of a breaker: connections, readers of `system`, health, metrics.

use infrawatch::auth::Role;
use serde_json::json;

use super::{OPEN_MS, degrade, recover, timed};
use crate::hub::Inside;

#[tokio::test]
async fn every_connection_and_the_system_topic_are_told() {
    let hub = Inside::start();
    let mut clients = Vec::new();
    for n in 0..6 {
        clients.push(hub.client(&format!("client-{n}")).await);
    }
    clients[0].subscribe("system").await;
    degrade(&hub, "alerts").await;
    for client in &mut clients {
        let told = client.next_of("degraded").await["payload"].clone();
        assert_eq!((&told["subsystem"], &told["state"]), (&json!("alerts"), &json!("open")), "{told}");
        assert_eq!((&told["forced"], &told["reason"]), (&json!(true), &json!("degraded by ann")));
        assert!(infrawatch::clock::parse_rfc3339(told["since"].as_str().unwrap()).is_some());
    }
    recover(&hub, "alerts").await;
    for client in &mut clients {
        let told = client.next_of("recovered").await["payload"].clone();
        assert_eq!((&told["subsystem"], &told["state"]), (&json!("alerts"), &json!("closed")), "{told}");
    }
    let heard = [clients[0].message().await, clients[0].message().await];
    let events: Vec<_> = heard.iter().map(|m| m.payload["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["degraded", "recovered"]);
    let history = hub.topic("system").await;
    assert_eq!(history.offset, 2, "who comes later reads it there");
}

#[tokio::test]
async fn health_and_metrics_show_it() {
    let hub = Inside::start();
    assert_eq!(hub.get("/api/health").await.2["checks"]["breakers"]["status"], "healthy");
    degrade(&hub, "events").await;
    let report = crate::hub::until("a fresh report", async || {
        let (status, _, report) = hub.get("/api/health").await;
        assert_eq!(status, 200, "degraded is not unhealthy");
        (report["checks"]["breakers"]["status"] == "degraded").then_some(report)
    })
    .await;
    assert_eq!(report["checks"]["breakers"]["detail"], "events is open: degraded by ann");
    let text = reqwest::get(hub.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(text.contains("infrawatch_breaker_state{subsystem=\"events\"} 2"), "{text}");
}

#[tokio::test]
async fn only_operators_switch_and_only_what_there_is() {
    let hub = Inside::start();
    let url = hub.url("/api/v1/operations/degrade");
    let body = json!({ "subsystem": "events" });
    let request = reqwest::Client::new().post(url).json(&body).bearer_auth(hub.token(Role::Viewer));
    assert_eq!(request.send().await.unwrap().status(), 403);
    let (status, _, problem) = hub.post("/api/v1/operations/degrade", &json!({ "subsystem": "disk" })).await;
    assert_eq!(status, 400);
    assert_eq!(problem["errors"][0]["pointer"], "/subsystem");
    assert_eq!(problem["errors"][0]["detail"], "must be streaming, alerts, events or store");
    let (status, _, answer) = hub.post("/api/v1/operations/recover", &json!({})).await;
    assert_eq!((status, &answer["recovered"]), (200, &json!([])));
}

#[tokio::test]
async fn forced_open_outlasts_any_time() {
    let (hub, hand) = timed(|_options| {});
    degrade(&hub, "events").await;
    hand.advance_ms(100 * OPEN_MS);
    hub.state.services.breakers.tick();
    let (status, _, problem) = hub.post("/api/v1/events/publish", &super::event()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("breaker_open")));
    recover(&hub, "events").await;
}
