//! What a former owner of alerts publishes late does not get out.

use infrawatch::broker::Draft;
use infrawatch::ids::TopicName;
use infrawatch::ownership::{Fence, Unit};
use infrawatch::store::{HubNodeRecord, Place};
use infrawatch::telemetry::Cause;
use infrawatch::topic::Reply;
use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::hub::{Inside, until, within};

const HOUR_MS: u64 = 3_600_000;
const TOPIC: &str = "alerts_warning";

/// A hub node that owns alerts, under that fence.
struct Scene {
    hub: Inside,
    fence: u64,
    _servers: (Redis, Postgres),
}

impl Scene {
    async fn start() -> Self {
        let servers = (Redis::start(), Postgres::start());
        let hub = Inside::with(|options| {
            options.redis_url = Some(servers.0.url());
            options.store = Some(Place::postgres(&servers.1.url()).unwrap());
            options.settings.sampler.enabled = false;
        });
        let fence = until("it owns alerts", async || match hub.state.services.ownership.held(Unit::Alerts) {
            Some(Fence::Number(fence)) if hub.state.services.alerts.duty().is_some() => Some(fence),
            _ => None,
        });
        let fence = fence.await;
        Self { hub, fence, _servers: servers }
    }

    /// Another hub node owns alerts, which this one does not hear of before its next beat: the fence of the other.
    async fn is_overtaken(&self) -> u64 {
        let (leases, ownership) = (self.hub.state.store.leases(), &self.hub.state.services.ownership);
        let other = HubNodeRecord { instance: "other".into(), node: "other".into(), address: "x:1".into() };
        leases.beat(other, HOUR_MS).await.unwrap();
        let lives = || ownership.live().iter().any(|hub| hub.instance == "other");
        until("it has just beaten", async || lives().then_some(())).await;
        let own = ownership.tenure(Unit::Alerts).unwrap().owner.instance;
        until("the other has the lease", async || {
            leases.leave(&own).await.unwrap();
            leases.take(Unit::Alerts.as_str(), "other", HOUR_MS).await.unwrap()
        })
        .await
    }

    async fn publish(&self, fence: u64, text: &str) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        let draft = Draft::of(&json!(text)).unwrap().under(Fence::Number(fence));
        let (topic, reply) = (TopicName::parse(TOPIC).unwrap(), Reply::Caller(reply));
        self.hub.state.services.broker.publish(&topic, draft, reply, &Cause::own()).unwrap();
        within("an answer", answer).await.unwrap().ok().map(|published| published.offset)
    }

    /// How far the store has the topic.
    async fn last_offset(&self) -> Option<u64> {
        self.hub.state.store.topic_head(TOPIC).await.unwrap().map(|head| head.last_offset)
    }
}

#[tokio::test]
async fn a_message_under_an_older_fence_reaches_nobody() {
    let scene = Scene::start().await;
    let mut screen = scene.hub.client("screen").await;
    screen.subscribe(TOPIC).await;
    assert_eq!(scene.publish(scene.fence, "of the owner").await, Some(1));
    let next = scene.is_overtaken().await;
    assert!(next > scene.fence);
    assert_eq!(scene.publish(scene.fence, "late").await, None);
    assert_eq!(scene.publish(next, "of the next").await, Some(2));
    for expected in ["of the owner", "of the next"] {
        assert_eq!(screen.message().await.payload, expected);
    }
}

#[tokio::test]
async fn what_a_former_owner_had_not_told_yet_is_left_to_the_next() {
    let scene = Scene::start().await;
    let alerts = json!({ "subsystem": "alerts" });
    assert_eq!(scene.hub.post("/api/v1/operations/degrade", &alerts).await.0, 200);
    let posted = json!({ "title": "t", "message": "m", "severity": "warning" });
    assert_eq!(scene.hub.post("/api/v1/alerts", &posted).await.0, 202);
    scene.is_overtaken().await;
    // Now it would tell, as the owner that it takes itself for.
    assert_eq!(scene.hub.post("/api/v1/operations/recover", &alerts).await.0, 200);
    until("it knows better", async || scene.hub.state.services.alerts.duty().is_none().then_some(())).await;
    assert_eq!(scene.last_offset().await, None, "nobody was told");
    let owed = scene.hub.state.store.unannounced_transitions(9).await.unwrap();
    assert_eq!(owed.len(), 1, "the next owner tells");
    let (_, _, problem) = scene.hub.post("/api/v1/alerts", &posted).await;
    assert_eq!(problem["code"], Value::from("no_owner"), "{problem}");
}
