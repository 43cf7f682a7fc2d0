//! Redis, then PostgreSQL, killed under load for some seconds: 3 s here, as many as `OUTAGE_S` says otherwise (`make outage`: 30).
//!
//! Two hub nodes, writers of kept topics and of topics in memory at both, an agent at one. What was acknowledged is compared with
//! what is there afterwards.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use infrawatch::clock::system_unix_ms;
use infrawatch::store::{Place, SampleQuery, Store, StoreOptions};
use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};
use tokio::time::{Instant, interval, sleep};

use crate::hub::{Client, Hub, until};

const KEPT: &str = "deployments";
const LIVE: &str = "orders:eu";
const NODE: &str = "web-1";

/// Between two messages of a writer, and two frames of the agent.
const PACE: Duration = Duration::from_millis(20);

/// Frames are a millisecond apart, so many at most: each is a point of its own.
const MOMENTS_MAX: u64 = 9_000;

/// Load before an outage and after it.
const CALM: Duration = Duration::from_secs(1);

fn node(redis: &Redis, postgres: &Postgres) -> Hub {
    let arguments = ["--redis-url", &redis.url(), "--postgres-url", &postgres.url(), "--limits", "off"];
    Hub::with_arguments(&arguments, |settings| {
        settings.engine.probe_ms = 500;
        settings.engine.call_ms_max = 500;
        settings.breaker.open_ms = 500;
    })
}

/// What a writer was answered.
#[derive(Default)]
struct Answered {
    /// Place and text of what was published.
    published: Vec<((String, u64), String)>,
    refused: BTreeMap<String, u64>,
}

async fn write(hub: &Hub, name: &str, topic: &str, over: &AtomicBool) -> Answered {
    let mut client = Client::open_as(hub, name, "admin").await;
    let (mut answered, mut pace, mut n) = (Answered::default(), interval(PACE), 0);
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        n += 1;
        let text = format!("{name} {n}");
        let answer = client.ask("publish", json!({ "topic": topic, "data": text })).await;
        let payload = &answer["payload"];
        if answer["type"] == "published" {
            let epoch = payload["epoch"].as_str().unwrap().to_owned();
            answered.published.push(((epoch, payload["offset"].as_u64().unwrap()), text));
        } else {
            *answered.refused.entry(payload["code"].to_string()).or_default() += 1;
        }
    }
    answered
}

/// Frames of moments of their own from `begun_ms` on: how many were acknowledged as durable, and which not.
async fn sample(hub: &Hub, begun_ms: u64, over: &AtomicBool) -> (Vec<u64>, u64) {
    let mut client = Client::open(hub, "agent", &hub.agent_token(NODE)).await;
    let (mut durable, mut refused, mut pace) = (Vec::new(), 0, interval(PACE));
    for n in 0..MOMENTS_MAX {
        if over.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let at_ms = begun_ms + n;
        let frame = json!({ "node": NODE, "timestamp": at_ms, "names": ["load1"], "values": [1] });
        match client.request("metrics", frame, "metrics_ack").await["durable"] {
            Value::Bool(true) => durable.push(at_ms),
            _ => refused += 1,
        }
    }
    (durable, refused)
}

/// What the store has of the kept topic, by offset.
async fn kept(store: &Store) -> Vec<(u64, String)> {
    let events = store.tail_events(KEPT, 1_000_000, None).await.unwrap();
    let text = |payload: &[u8]| serde_json::from_slice::<String>(payload).unwrap();
    events.into_iter().map(|event| (event.offset, text(&event.payload))).collect()
}

async fn moments(store: &Store, begun_ms: u64) -> HashSet<u64> {
    let query = SampleQuery {
        node: NODE.into(),
        metric: "load1".into(),
        labels: Default::default(),
        since_ms: begun_ms,
        until_ms: begun_ms + MOMENTS_MAX,
        points: 10_000,
    };
    store.query_samples(query).await.unwrap().points.into_iter().map(|(at_ms, _)| at_ms).collect()
}

/// Both outages, one after the other, while the load goes on.
async fn outages(redis: &mut Redis, postgres: &mut Postgres, nodes: [&Hub; 2], over: &AtomicBool) {
    let seconds = std::env::var("OUTAGE_S").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let outage = Duration::from_secs(seconds);
    sleep(CALM).await;
    redis.kill();
    sleep(outage).await;
    redis.resume();
    let back = Instant::now();
    for hub in nodes {
        until("Redis is back", async || (hub.metric("infrawatch_engine_up").await == 1).then_some(())).await;
    }
    eprintln!("Redis gone for {outage:?}, used again after {:?}", back.elapsed());
    sleep(CALM).await;
    postgres.kill();
    sleep(outage).await;
    postgres.resume();
    let back = Instant::now();
    let mut watcher = Client::open_as(nodes[0], "watcher", "admin").await;
    until("PostgreSQL is back", async || {
        let answer = watcher.ask("publish", json!({ "topic": KEPT, "data": "back" })).await;
        (answer["type"] == "published").then_some(())
    })
    .await;
    eprintln!("PostgreSQL gone for {outage:?}, written to again after {:?}", back.elapsed());
    sleep(CALM).await;
    over.store(true, Ordering::Relaxed);
    for hub in nodes {
        until("nothing waits", async || (hub.metric("infrawatch_journal_bytes").await == 0).then_some(()))
            .await;
    }
    eprintln!("journal replayed {:?} after that", back.elapsed());
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_no_offset_is_given_twice_when_redis_and_postgresql_are_killed() {
    let (mut redis, mut postgres) = (Redis::start(), Postgres::start());
    let url = postgres.url();
    let (one, two) = (node(&redis, &postgres), node(&redis, &postgres));
    let (over, begun_ms) = (AtomicBool::new(false), system_unix_ms() - 3_600_000);
    let (kept_one, kept_two, live_one, live_two, (durable, refused), ()) = tokio::join!(
        write(&one, "kept-one", KEPT, &over),
        write(&two, "kept-two", KEPT, &over),
        write(&one, "live-one", LIVE, &over),
        write(&two, "live-two", LIVE, &over),
        sample(&one, begun_ms, &over),
        outages(&mut redis, &mut postgres, [&one, &two], &over),
    );
    let place = Place::postgres(&url).unwrap();
    let store = tokio::task::spawn_blocking(move || Store::open(place, &StoreOptions::default(), 0));
    let store = store.await.unwrap().unwrap();

    let there = kept(&store).await;
    let offsets: Vec<u64> = there.iter().map(|(offset, _)| *offset).collect();
    assert!(
        offsets.iter().zip(1..).all(|(offset, n)| *offset == n),
        "kept offsets have neither gap nor duplicate"
    );
    let by_offset: BTreeMap<_, _> = there.into_iter().collect();
    for ((_, offset), text) in kept_one.published.iter().chain(&kept_two.published) {
        assert_eq!(by_offset.get(offset), Some(text), "offset {offset} was acknowledged");
    }
    let mut places = HashSet::new();
    for (place, text) in live_one.published.iter().chain(&live_two.published) {
        assert!(places.insert(place), "{place:?} was given twice, once to {text}");
    }
    assert!(live_one.refused.is_empty() && live_two.refused.is_empty(), "{:?}", live_one.refused);
    let stored = moments(&store, begun_ms).await;
    let lost: Vec<_> = durable.iter().filter(|at_ms| !stored.contains(at_ms)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged frames are lost", lost.len(), durable.len());
    eprintln!(
        "kept: {} acknowledged, {:?} and {:?} refused; in memory: {} acknowledged; frames: {} durable, {refused} not",
        kept_one.published.len() + kept_two.published.len(),
        kept_one.refused,
        kept_two.refused,
        places.len(),
        durable.len()
    );
    assert!(durable.len() > 100 && kept_one.published.len() > 50);
    store.close().await;
}
