//! Tokens that count as expired.

use infrawatch::auth::Role;
use serde_json::json;

use super::{disable, enable, offsets, recover, timed};
use crate::hub::Ended;

#[tokio::test]
async fn tokens_of_before_are_closed_with_4009_and_who_has_a_new_one_recovers() {
    let (hub, hand) = timed(|options| options.settings.topic.flush_interval_ms = 0);
    let mut alice = hub.client("alice").await;
    let at = alice.subscribe("bench:a").await;
    alice.publish("bench:a", json!(1)).await;
    assert_eq!(offsets(&mut alice, "bench:a", 1).await, [1]);
    let old = hub.token(Role::Viewer);
    let run = enable(&hub, "expired_tokens", json!({})).await;
    assert_eq!(alice.ended().await, Ended::Closed(4009, "token expired".into()));
    let ask = async |token: &str| {
        let answer =
            reqwest::Client::new().get(hub.url("/api/v1/nodes")).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap()["code"].clone())
    };
    assert_eq!(ask(&old).await, (401, json!("token_expired")));
    // Tokens of the next second are new.
    hand.advance_ms(1_000);
    assert_eq!(ask(&hub.token(Role::Viewer)).await.0, 200);
    hub.client("bob").await.publish("bench:a", json!(2)).await;
    let mut alice = hub.client("alice").await;
    assert_eq!(alice.connected["payload"]["resumed"], true);
    recover(&mut alice, "bench:a", &at["epoch"], 1).await;
    assert_eq!(offsets(&mut alice, "bench:a", 1).await, [2]);
    let ended = disable(&hub, "expired_tokens").await;
    assert_eq!(ended["id"], run["id"]);
    assert_eq!(ask(&old).await.0, 200, "good again: nothing was taken back");
}
