//! How soon everybody knows that Redis is gone, by the clock: killed, and hanging.

use infrawatch_servers::Redis;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::hub::{Client, Hub, RawSocket, until};

/// Within so long topic `system`, health and metrics say so, with the settings as they are by default.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// Time between two looks at health and metrics, which anybody may ask for once a second.
const LOOK: Duration = Duration::from_millis(100);

async fn engine(hub: &Hub) -> Value {
    let report: Value = serde_json::from_str(&RawSocket::get(hub, "/api/health").await.body).unwrap();
    report["checks"]["engine"]["status"].clone()
}

/// Redis goes, and comes back; how long each took to be told.
async fn is_told(mut redis: Redis, go: impl FnOnce(&mut Redis), come: impl FnOnce(&mut Redis)) {
    let hub = Hub::with_arguments(&["--redis-url", &redis.url(), "--limits", "off"], |_settings| {});
    let mut watcher = Client::open_as(&hub, "watcher", "admin").await;
    watcher.subscribe("system").await;
    until("a probe went through", async || (engine(&hub).await == "healthy").then_some(())).await;
    // Just asked for: what is kept of this report counts too.
    go(&mut redis);
    let gone = Instant::now();
    let told = watcher.message().await;
    let by_topic = gone.elapsed();
    assert_eq!((&told.payload["event"], &told.payload["subsystem"]), (&"degraded".into(), &"engine".into()));
    let mut looks = tokio::time::interval(LOOK);
    while engine(&hub).await != "degraded" || hub.metric("infrawatch_engine_up").await != 0 {
        looks.tick().await;
        assert!(gone.elapsed() < 2 * KNOWN_WITHIN, "health or metrics do not tell");
    }
    let by_health = gone.elapsed();
    eprintln!("topic system after {by_topic:?}, health and metrics after {by_health:?}");
    assert!(by_topic < KNOWN_WITHIN && by_health < KNOWN_WITHIN, "{by_topic:?}, {by_health:?}");
    come(&mut redis);
    let told = watcher.message().await;
    assert_eq!((&told.payload["event"], &told.payload["subsystem"]), (&"recovered".into(), &"engine".into()));
    until("health is good again", async || (engine(&hub).await == "healthy").then_some(())).await;
}

#[tokio::test]
async fn a_killed_redis_is_told_within_five_seconds() {
    is_told(Redis::start(), Redis::kill, Redis::resume).await;
}

#[tokio::test]
async fn a_hanging_redis_is_told_within_five_seconds() {
    is_told(Redis::start(), |redis| redis.pause(), |redis| redis.go_on()).await;
}
