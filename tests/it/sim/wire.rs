//! Faults on the way to clients.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{disable, enable, offsets, recover};
use crate::hub::Inside;

const TOPIC: &str = "bench:a";

fn at_once() -> Inside {
    Inside::with(|options| options.settings.topic.flush_interval_ms = 0)
}

#[tokio::test]
async fn latency_delays_the_clients_it_names_and_nobody_else() {
    const DELAY: Duration = Duration::from_millis(700);
    let hub = at_once();
    let (mut far, mut near) = (hub.client("far-1").await, hub.client("near").await);
    far.subscribe(TOPIC).await;
    near.subscribe(TOPIC).await;
    let told = json!({ "clients": "far-*", "delay_ms": DELAY.as_millis() as u64, "jitter_ms": 100 });
    enable(&hub, "latency", told).await;
    let begin = Instant::now();
    for n in 1..=5 {
        near.publish(TOPIC, json!(n)).await;
    }
    let hears = async |client| (offsets(client, TOPIC, 5).await, begin.elapsed());
    let ((near_offsets, near_took), (far_offsets, far_took)) =
        tokio::join!(hears(&mut near), hears(&mut far));
    assert_eq!((near_offsets, far_offsets), (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5]));
    assert!(far_took >= DELAY && near_took < far_took, "{near_took:?} {far_took:?}");
    let run = disable(&hub, "latency").await;
    assert!(run["observed"]["now"].as_u64() > run["observed"]["before"].as_u64(), "{run}");
    // Held back for an hour it would never come.
    near.publish(TOPIC, json!(6)).await;
    assert_eq!(offsets(&mut far, TOPIC, 1).await, [6]);
}

#[tokio::test]
async fn dropped_frames_show_as_a_gap_that_recovery_fills_and_are_counted_as_dropped() {
    let hub = at_once();
    let (mut lossy, mut other) = (hub.client("lossy").await, hub.client("other").await);
    let at = lossy.subscribe(TOPIC).await;
    other.subscribe(TOPIC).await;
    other.publish(TOPIC, json!(1)).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 1).await, [1]);
    enable(&hub, "drop_frames", json!({ "clients": "lossy", "topics": "bench:*", "percent": 100 })).await;
    for n in 2..=10 {
        other.publish(TOPIC, json!(n)).await;
    }
    assert_eq!(offsets(&mut other, TOPIC, 10).await, (1..=10).collect::<Vec<_>>());
    let run = disable(&hub, "drop_frames").await;
    let counted = |field: &str| run["observed"][field].as_u64().unwrap();
    assert!(counted("now") - counted("before") >= 9, "{run}");
    other.publish(TOPIC, json!(11)).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 1).await, [11], "the gap is there to be seen");
    let told = recover(&mut lossy, TOPIC, &at["epoch"], 1).await;
    assert_eq!((&told["recovered"], &told["recovered_count"]), (&json!(true), &json!(10)));
    assert_eq!(offsets(&mut lossy, TOPIC, 10).await, (2..=11).collect::<Vec<_>>());
    enable(&hub, "drop_frames", json!({ "clients": "lossy", "percent": 100 })).await;
    other.publish(TOPIC, json!(12)).await;
    assert_eq!(offsets(&mut other, TOPIC, 2).await, [11, 12]);
    disable(&hub, "drop_frames").await;
    let (_, _, told) = hub.get("/api/sim/status").await;
    assert_eq!(told["recent"][1], run, "what a run has shown at its end stays");
    recover(&mut lossy, TOPIC, &at["epoch"], 11).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 1).await, [12]);
    lossy.leave().await;
    let lossy = hub.client("lossy").await;
    let place = &lossy.connected["payload"]["subscriptions"][0];
    assert_eq!(place["offset"], 12, "what was recovered is not missing any more: {}", lossy.connected);
}

#[tokio::test]
async fn a_session_remembers_the_place_before_what_was_withheld() {
    let hub = at_once();
    let (mut lossy, mut other) = (hub.client("lossy").await, hub.client("other").await);
    lossy.subscribe(TOPIC).await;
    other.publish(TOPIC, json!(1)).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 1).await, [1]);
    enable(&hub, "drop_frames", json!({ "clients": "lossy", "percent": 100 })).await;
    other.publish(TOPIC, json!(2)).await;
    disable(&hub, "drop_frames").await;
    other.publish(TOPIC, json!(3)).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 1).await, [3]);
    lossy.leave().await;
    let mut lossy = hub.client("lossy").await;
    let place = lossy.connected["payload"]["subscriptions"][0].clone();
    assert_eq!((&place["topic"], &place["offset"]), (&json!(TOPIC), &json!(1)), "{}", lossy.connected);
    recover(&mut lossy, TOPIC, &place["epoch"], 1).await;
    assert_eq!(offsets(&mut lossy, TOPIC, 2).await, [2, 3]);
}

#[tokio::test]
async fn doubled_frames_have_the_same_offsets_and_nothing_is_missing() {
    let hub = at_once();
    let (mut twice, mut other) = (hub.client("twice").await, hub.client("other").await);
    twice.subscribe(TOPIC).await;
    other.subscribe(TOPIC).await;
    enable(&hub, "duplicate_frames", json!({ "clients": "twice", "percent": 100 })).await;
    for n in 1..=3 {
        other.publish(TOPIC, json!(n)).await;
    }
    assert_eq!(offsets(&mut twice, TOPIC, 6).await, [1, 1, 2, 2, 3, 3]);
    disable(&hub, "duplicate_frames").await;
    other.publish(TOPIC, json!(4)).await;
    assert_eq!(offsets(&mut other, TOPIC, 4).await, [1, 2, 3, 4]);
    assert_eq!(offsets(&mut twice, TOPIC, 1).await, [4]);
}
