//! What time does to a connection: pings, and tokens that run out.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::hub::{Client, Ended, Hub, RawEvent, RawSocket, frame};

#[tokio::test]
async fn the_hub_pings_at_its_interval_and_a_pong_keeps_the_connection() {
    let hub = Hub::with(|settings| {
        settings.connection.ping_interval_ms = 200;
        settings.connection.pong_grace_ms = 100;
    });
    let mut raw = RawSocket::open_as(&hub, "raw", "viewer").await;
    let begin = Instant::now();
    for _ in 0..6 {
        assert_eq!(raw.next().await, RawEvent::Ping);
        raw.send(&frame(0x8a, b"")).await;
    }
    let took = begin.elapsed();
    assert!(took > Duration::from_millis(5 * 200 - 100), "6 pings in {took:?}");
    // A client's own ping is answered with what it carries.
    raw.send(&frame(0x89, b"abc")).await;
    assert_eq!(raw.next_but_pings().await, RawEvent::Pong);
}

#[tokio::test]
async fn a_token_that_runs_out_is_told_and_a_new_one_keeps_the_connection() {
    let hub = Hub::with(|settings| settings.connection.token_warning_ms = 60_000);
    let short = || hub.token_with(&["--role", "viewer", "--sub", "ann", "--ttl", "2s"]);
    let mut kept = Client::open(&hub, "kept", &short()).await;
    let mut lost = Client::open(&hub, "lost", &short()).await;
    kept.subscribe("bench:t").await;
    for client in [&mut kept, &mut lost] {
        let warning = client.next_of("token_expiring").await;
        assert!(
            infrawatch::clock::parse_rfc3339(warning["payload"]["expires_at"].as_str().unwrap()).is_some()
        );
    }
    let others = hub.token_with(&["--role", "viewer", "--sub", "eve"]);
    let refused = kept.ask("refresh", json!({ "token": others })).await;
    assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!("forbidden")));
    let longer = hub.token_with(&["--role", "viewer", "--sub", "ann", "--ttl", "1h"]);
    let refreshed = kept.request("refresh", json!({ "token": longer }), "refreshed").await;
    let expires_ms = infrawatch::clock::parse_rfc3339(refreshed["expires_at"].as_str().unwrap()).unwrap();
    assert!(expires_ms > infrawatch::clock::system_unix_ms() + 3_500_000, "{refreshed}");
    assert_eq!(lost.ended().await, Ended::Closed(4009, "token expired".into()));
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    publisher.publish("bench:t", json!("still here")).await;
    assert_eq!(kept.message().await.payload, "still here");
}
