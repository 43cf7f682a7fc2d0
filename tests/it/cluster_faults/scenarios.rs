//! The fault scenarios of what hub nodes stand on: each is enabled on one of two nodes, and what it promises is looked at.

use std::collections::HashSet;
use std::path::Path;

use infrawatch::auth::{KEY_FILE, Tokens};
use infrawatch::clock::system_unix_ms;
use infrawatch::ownership::Unit;
use infrawatch::store::{Place, SampleQuery};
use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

use crate::hub::{Client, Inside, until};

/// Degraded after so long at most, and all as before so long after the end.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

const LIVE: &str = "orders:eu";
const KEPT: &str = "deployments";

struct Scene {
    here: Inside,
    there: Inside,
    _servers: (Redis, Postgres),
    _keys: TempDir,
}

fn node(name: &str, (redis, postgres): &(Redis, Postgres), keys: &Path) -> Inside {
    Inside::with(|options| {
        options.signing_key = Some(keys.join(KEY_FILE));
        options.redis_url = Some(redis.url());
        options.store = Some(Place::postgres(&postgres.url()).unwrap());
        options.settings.sampler.enabled = false;
        options.settings.sampler.node = name.into();
        options.settings.breaker.open_ms = 300;
    })
}

impl Scene {
    fn start() -> Self {
        let servers = (Redis::start(), Postgres::start());
        let keys = tempfile::tempdir().unwrap();
        drop(Tokens::open(keys.path()).unwrap());
        let node = |name| node(name, &servers, keys.path());
        let (here, there) = (node("here"), node("there"));
        Self { here, there, _servers: servers, _keys: keys }
    }
}

async fn enable(hub: &Inside, name: &str) {
    let (status, _, run) = hub.post("/api/sim/enable", &json!({ "name": name })).await;
    assert_eq!((status, &run["state"]), (200, &json!("active")), "{run}");
}

async fn disable(hub: &Inside, name: &str) {
    let (status, _, run) = hub.post("/api/sim/disable", &json!({ "name": name })).await;
    assert_eq!((status, &run["ended_by"]), (200, &json!("disabled")), "{run}");
}

/// Reads until this message of the topic comes; its offset.
async fn hears(client: &mut Client, topic: &str, data: &Value) -> u64 {
    loop {
        let message = client.message().await;
        if message.topic == topic && message.payload == *data {
            return message.offset;
        }
    }
}

/// Waits for a change of Redis on topic `system`, within the bound.
async fn is_told(watcher: &mut Client, event: &str) {
    let begun = Instant::now();
    loop {
        let message = watcher.message().await;
        if message.topic == "system" && message.payload["subsystem"] == "engine" {
            assert_eq!(message.payload["event"], event, "{}", message.payload);
            assert!(begun.elapsed() < KNOWN_WITHIN, "{event} after {:?}", begun.elapsed());
            return;
        }
    }
}

async fn without_redis(name: &str) {
    let scene = Scene::start();
    let mut watcher = scene.here.client("watcher").await;
    watcher.subscribe("system").await;
    let (mut here, mut there) = (scene.here.client("here").await, scene.there.client("there").await);
    for client in [&mut here, &mut there] {
        client.subscribe(LIVE).await;
        client.subscribe(KEPT).await;
    }
    let mut places = HashSet::new();
    let shared = here.place(LIVE, json!("shared")).await;
    assert_eq!(hears(&mut there, LIVE, &json!("shared")).await, shared.1);
    assert!(places.insert(shared.clone()));

    enable(&scene.here, name).await;
    is_told(&mut watcher, "degraded").await;
    let (_, _, report) = scene.here.get("/api/health").await;
    assert_eq!(report["checks"]["store"]["status"], "healthy", "{report}");
    let own = here.place(LIVE, json!("own")).await;
    assert_ne!(own.0, shared.0, "continuity is not faked");
    assert_eq!(hears(&mut here, LIVE, &json!("own")).await, own.1);
    assert!(places.insert(own));
    let meanwhile = there.place(LIVE, json!("meanwhile")).await;
    assert_eq!(meanwhile.0, shared.0, "the other node goes on as before");
    assert!(places.insert(meanwhile));
    // Kept ones go on both ways: the store has them.
    let from_there = there.place(KEPT, json!("from there")).await;
    assert_eq!(hears(&mut here, KEPT, &json!("from there")).await, from_there.1);
    let from_here = here.place(KEPT, json!("from here")).await;
    assert_eq!(hears(&mut there, KEPT, &json!("from here")).await, from_here.1);
    assert_eq!((from_here.0, from_here.1), (from_there.0, from_there.1 + 1));

    disable(&scene.here, name).await;
    is_told(&mut watcher, "recovered").await;
    let back = there.place(LIVE, json!("back")).await;
    assert_eq!(hears(&mut here, LIVE, &json!("back")).await, back.1);
    assert!(places.insert(back), "no place is given twice");
}

#[tokio::test]
async fn without_redis_each_node_goes_on_alone_and_comes_back() {
    without_redis("redis_gone").await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_goes_on_alone_and_comes_back() {
    without_redis("partition").await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_does_not_reach_the_owner_of_alerts_either() {
    let scene = Scene::start();
    let other = until("one node has another answer", async || {
        let owner = |hub: &Inside| hub.state.services.ownership.owner(Unit::Alerts);
        [&scene.here, &scene.there].into_iter().find(|hub| owner(hub).is_some())
    })
    .await;
    let answers = async || (other.get("/api/v1/rules").await.0 == 200).then_some(());
    until("the owner answers", answers).await;
    enable(other, "partition").await;
    let (status, retry_after_s, problem) = other.get("/api/v1/rules").await;
    assert_eq!((status, &problem["code"]), (503, &json!("no_owner")), "{problem}");
    assert!(retry_after_s.is_some());
    disable(other, "partition").await;
    until("the owner answers again", answers).await;
}

async fn stored(hub: &Inside, since_ms: u64) -> usize {
    let query = SampleQuery {
        node: "web-1".into(),
        metric: "load1".into(),
        labels: Default::default(),
        since_ms,
        until_ms: since_ms + 600_000,
        points: 10_000,
    };
    hub.state.store.query_samples(query).await.unwrap().points.len()
}

#[tokio::test]
async fn without_postgresql_samples_are_kept_the_rest_is_refused_and_the_hub_comes_back() {
    let scene = Scene::start();
    let mut client = scene.here.client("here").await;
    let begun_ms = system_unix_ms() - 300_000;
    let before = client.place(KEPT, json!("before")).await;
    enable(&scene.here, "postgres_gone").await;
    for n in 0..60 {
        let frame =
            json!({ "node": "web-1", "timestamp": begun_ms + n * 1_000, "names": ["load1"], "values": [n] });
        let ack = client.request("metrics", frame, "metrics_ack").await;
        assert_eq!(ack["durable"], true, "{ack}");
    }
    let refused = client.request("publish", json!({ "topic": KEPT, "data": 0 }), "error").await;
    assert_eq!(refused["code"], "store_unavailable", "{refused}");
    client.publish(LIVE, json!("goes on")).await;
    let (_, _, report) = scene.here.get("/api/health").await;
    assert_eq!(report["checks"]["store"]["status"], "degraded", "{report}");
    assert_eq!(stored(&scene.there, begun_ms).await, 0, "the other node reads what the server has");

    disable(&scene.here, "postgres_gone").await;
    until("everything is in the store", async || (stored(&scene.there, begun_ms).await == 60).then_some(()))
        .await;
    until("nothing waits", async || (scene.here.state.services.ingest.spilled().batches == 0).then_some(()))
        .await;
    let after = until("kept topics are kept again", async || {
        let answer = client.ask("publish", json!({ "topic": KEPT, "data": "after" })).await;
        (answer["type"] == "published").then(|| answer["payload"].clone())
    })
    .await;
    assert_eq!((&after["epoch"], &after["offset"]), (&json!(before.0), &json!(before.1 + 1)), "no gap");
}

#[tokio::test]
async fn a_hub_alone_has_nothing_of_it() {
    let hub = Inside::with(|options| options.settings.sampler.enabled = false);
    for (name, flag) in
        [("redis_gone", "--redis-url"), ("partition", "--redis-url"), ("postgres_gone", "--postgres-url")]
    {
        let (status, _, problem) = hub.post("/api/sim/enable", &json!({ "name": name })).await;
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with(flag), "{problem}");
        assert_eq!(hub.get("/api/sim/status").await.2["active"], json!([]));
    }
}
