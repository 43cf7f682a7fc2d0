//! The life of a scenario: it is told, it ends, and nothing about it is unbounded.

use infrawatch::fault::Point;
use infrawatch::lab::faults::SCENARIOS;
use infrawatch::store::Place;
use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};

use super::{active, disable, enable, timed};
use crate::hub::{Ended, Inside, until};

#[tokio::test]
async fn a_scenario_ends_by_itself_and_every_change_is_told() {
    let (hub, hand) = timed(|options| options.settings.topic.flush_interval_ms = 0);
    let mut client = hub.client("alice").await;
    client.subscribe("testing").await;
    let wish = json!({ "name": "latency", "parameters": { "clients": "nobody" }, "duration_s": 5 });
    let (status, _, run) = hub.post("/api/sim/enable", &wish).await;
    assert_eq!(
        (status, &run["started_by"], &run["parameters"]["delay_ms"]),
        (200, &json!("ann"), &json!(200))
    );
    let told = client.message().await.payload["fault"].clone();
    assert_eq!(
        (&told["id"], &told["state"], &told["ended_at"]),
        (&run["id"], &json!("active"), &Value::Null)
    );
    hand.advance_ms(4_999);
    assert_eq!(active(&hub).await, ["latency"]);
    hand.advance_ms(1);
    let told = client.message().await.payload["fault"].clone();
    assert_eq!((&told["state"], &told["ended_by"]), (&json!("ended"), &json!("expired")), "{told}");
    assert_eq!((&told["ends_at"], &told["ended_at"]), (&run["ends_at"], &run["ends_at"]));
    assert!(active(&hub).await.is_empty());
    let (_, _, status) = hub.get("/api/sim/status").await;
    assert_eq!(status["recent"], json!([told]));
}

#[tokio::test]
async fn one_of_each_name_at_most_and_reset_ends_all() {
    let hub = Inside::start();
    enable(&hub, "latency", json!({ "clients": "nobody" })).await;
    enable(&hub, "drop_frames", json!({ "clients": "nobody" })).await;
    let (status, _, problem) = hub.post("/api/sim/enable", &json!({ "name": "latency" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    assert_eq!(active(&hub).await, ["latency", "drop_frames"]);
    let (status, _, ended) = hub.post("/api/sim/reset", &json!({})).await;
    assert_eq!((status, ended["ended"].as_array().unwrap().len()), (200, 2), "{ended}");
    assert!(active(&hub).await.is_empty());
    let (status, _, problem) = hub.post("/api/sim/disable", &json!({ "name": "latency" })).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{problem}");
    enable(&hub, "latency", json!({ "clients": "nobody" })).await;
    disable(&hub, "latency").await;
}

#[tokio::test]
async fn what_a_scenario_switches_on_is_off_at_its_end() {
    // With both servers, so that there is what each scenario is about.
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let hub = Inside::with(|options| {
        options.settings.sampler.enabled = false;
        options.redis_url = Some(redis.url());
        options.store = Some(Place::postgres(&postgres.url()).unwrap());
    });
    let faults = hub.state.services.faults.clone().unwrap();
    let points = [
        Point::Latency,
        Point::Frames,
        Point::Store,
        Point::Tokens,
        Point::Poison,
        Point::Redis,
        Point::Postgres,
    ];
    let is_off = || {
        let points = points.iter().all(|point| !faults.is_on(*point));
        points && faults.clock_offset_ms() == 0 && !faults.actors().is_on()
    };
    // Whoever asks would be refused with its token.
    for row in SCENARIOS.iter().filter(|row| row.name != "expired_tokens") {
        let parameters = match row.name {
            "actor_panic" | "hung_actor" => json!({ "actor": "topic", "instance": "bench:nobody" }),
            "memory_pressure" => json!({ "mib": 1 }),
            _ => json!({}),
        };
        enable(&hub, row.name, parameters).await;
        disable(&hub, row.name).await;
        assert!(is_off(), "{} goes on", row.name);
    }
}

#[tokio::test]
async fn what_is_not_in_the_row_is_refused_by_name() {
    let hub = Inside::start();
    for (wish, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": "meteor" }), "/name"),
        (json!({ "name": "latency", "duration_s": 301 }), "/duration_s"),
        (json!({ "name": "latency", "duration_s": 0 }), "/duration_s"),
        (json!({ "name": "latency", "parameters": 7 }), "/parameters"),
        (json!({ "name": "latency", "parameters": { "delay_ms": 3_001 } }), "/parameters/delay_ms"),
        (json!({ "name": "latency", "parameters": { "speed/x": 1 } }), "/parameters/speed~1x"),
        (json!({ "name": "hung_actor", "parameters": { "actor": "lab_faults" } }), "/parameters/actor"),
        (json!({ "name": "hot_topic", "parameters": { "topic": "alerts_critical" } }), "/parameters/topic"),
    ] {
        let (status, _, problem) = hub.post("/api/sim/enable", &wish).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!(pointer)), "{wish}: {problem}");
    }
    assert!(active(&hub).await.is_empty());
}

/// A hub that stops lets nothing go wrong on purpose: a shard that hangs could not close its connections.
#[tokio::test]
async fn all_scenarios_end_when_the_hub_drains() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("testing").await;
    enable(&hub, "store_gone", json!({})).await;
    enable(&hub, "hung_actor", json!({ "actor": "shard" })).await;
    let stopping = tokio::task::spawn_blocking(move || drop(hub));
    assert_eq!(client.ended().await, Ended::Closed(1012, "restart".into()));
    until("the hub is gone", async || stopping.is_finished().then_some(())).await;
    stopping.await.unwrap();
}
