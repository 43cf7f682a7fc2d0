//! The hub owns alerts, owns them no more, and owns them again: nothing is evaluated or changed meanwhile, and what was
//! goes on.

use std::pin::pin;

use futures_util::FutureExt;
use infrawatch::alert::{AlertError, Posted, Severity, Text};
use infrawatch::ownership::{Fence, Unit};
use infrawatch::telemetry::Cause;
use serde_json::{Value, json};

use super::Scene;
use crate::hub::until;

impl Scene {
    /// Another hub node owns alerts from now on.
    async fn lose(&self) {
        let services = &self.hub.state.services;
        services.ownership.hold(Unit::Alerts, None);
        until("it is noticed", async || {
            (services.alerts.duty().is_none() && services.rules.find("any").is_err_and(is_not_owner))
                .then_some(())
        })
        .await;
    }

    /// Takes the lease from whoever has it; its fence.
    async fn taken_by(&self, instance: &str) -> u64 {
        let leases = self.hub.state.store.leases();
        leases.leave("this").await.unwrap();
        leases.take(Unit::Alerts.as_str(), instance, HOUR_MS).await.unwrap().unwrap()
    }

    /// This one does again.
    async fn gain(&self) {
        let services = &self.hub.state.services;
        let fence = self.taken_by("this").await;
        services.ownership.hold(Unit::Alerts, Some(Fence::Number(fence)));
        until("rules begin", async || (!services.rules.find("any").is_err_and(is_not_owner)).then_some(()))
            .await;
    }
}

const HOUR_MS: u64 = 3_600_000;

fn is_not_owner(error: infrawatch::rule::RuleError) -> bool {
    error == infrawatch::rule::RuleError::NotOwner
}

fn posted(title: &str) -> Posted {
    let text = Text {
        severity: Severity::Warning,
        title: title.into(),
        message: "from outside".into(),
        labels: [("job".to_owned(), title.to_owned())].into(),
        annotations: [].into(),
    };
    Posted { service: None, text, ends_at_ms: None }
}

#[tokio::test]
async fn what_is_pending_and_firing_goes_on_with_the_next_tenure() {
    let mut scene = Scene::start().await;
    let (at_once, later) =
        (scene.rule(json!({})).await, scene.rule(json!({ "for_duration_seconds": 3 })).await);
    scene.sample(91.0).await;
    let mut first = [scene.step().await, scene.step().await];
    first.sort_by_key(|(_, to, _)| to.clone());
    let [(.., firing), (.., pending)] = first;
    assert_eq!((&firing["rule_id"], &pending["rule_id"]), (&json!(at_once), &json!(later)));
    until("its state is kept", async || scene.hub.state.store.rule_state(&later).await.unwrap()).await;
    scene.lose().await;
    assert!(scene.hub.state.services.rules.one(&later).is_none());
    // Nobody here is told of it.
    scene.sample(5.0).await;
    scene.gain().await;
    scene.sample(91.0).await;
    scene.sample(91.0).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str(), &alert["id"]), (json!("pending"), "firing", &pending["id"]));
    scene.sample(7.0).await;
    for _ in 0..2 {
        assert_eq!(scene.step().await.1, "resolved");
    }
    for alert in [&firing, &pending] {
        let history = scene.hub.state.store.alert_history(alert["id"].as_str().unwrap()).await.unwrap();
        let versions: Vec<u64> = history.iter().map(|step| step.version).collect();
        assert!(
            versions.is_sorted_by(|a, b| a < b) && history.last().unwrap().to == "resolved",
            "{history:?}"
        );
    }
    assert_eq!(scene.alerts().await, 2);
}

#[tokio::test]
async fn who_asks_a_hub_that_does_not_own_alerts_is_told_to_come_back() {
    let scene = Scene::start().await;
    let rule = scene.rule(json!({})).await;
    scene.lose().await;
    let alerts = scene.hub.state.services.alerts.clone();
    assert_eq!(alerts.post(posted("a"), "cron", &Cause::own()).await.err(), Some(AlertError::NotOwner));
    assert_eq!(alerts.resolve("none", "alice", None, &Cause::own()).await.err(), Some(AlertError::NotOwner));
    for path in ["/api/v1/rules".to_owned(), format!("/api/v1/rules/{rule}")] {
        let (status, retry_after_s, problem) = scene.hub.get(&path).await;
        assert_eq!((status, &problem["code"]), (503, &json!("no_owner")), "{path}");
        assert!(retry_after_s.is_some(), "{path}");
    }
    let made = scene
        .hub
        .post(
            "/api/v1/rules",
            &json!({ "name": "CPU", "kind": "threshold",
        "metric": "cpu_percent", "comparison": ">", "value": 80 }),
        )
        .await;
    assert_eq!((made.0, &made.2["code"]), (503, &json!("no_owner")));
    scene.gain().await;
    let (status, _, page) = scene.hub.get("/api/v1/rules").await;
    assert_eq!(
        (status, page["items"].as_array().map(Vec::len)),
        (200, Some(1)),
        "what was refused left nothing"
    );
}

#[tokio::test]
async fn what_waits_for_a_commit_when_the_tenure_ends_is_answered() {
    let scene = Scene::start().await;
    let alerts = scene.hub.state.services.alerts.clone();
    let held = scene.hub.hold_commits();
    let cause = Cause::own();
    let mut underway = pin!(alerts.post(posted("underway"), "cron", &cause));
    let mut queued = pin!(alerts.post(posted("queued"), "cron", &cause));
    assert!(underway.as_mut().now_or_never().is_none() && queued.as_mut().now_or_never().is_none());
    // Answered behind both.
    assert_eq!(alerts.resolve("none", "alice", None, &cause).await.err(), Some(AlertError::NotFound));
    scene.hub.state.services.ownership.hold(Unit::Alerts, None);
    assert_eq!(queued.await.err(), Some(AlertError::NotOwner));
    drop(held);
    // The fence let it through: it happened, and the next owner tells of it.
    let taken = underway.await.unwrap();
    assert!(taken.is_new && taken.published.is_none());
    let mut scene = scene;
    scene.gain().await;
    let mut told = [scene.step().await.2, scene.step().await.2].map(|alert| alert["title"].clone());
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["queued", "underway"]);
}

#[tokio::test]
async fn who_is_refused_by_the_fence_owns_alerts_no_more() {
    let scene = Scene::start().await;
    scene.lose().await;
    scene.gain().await;
    let rule = scene.rule(json!({})).await;
    let services = &scene.hub.state.services;
    services.alerts.post(posted("before"), "cron", &Cause::own()).await.unwrap();
    // It does not know yet.
    scene.taken_by("other").await;
    let refused = services.alerts.post(posted("after"), "cron", &Cause::own()).await;
    assert_eq!(refused.err(), Some(AlertError::NotOwner));
    assert_eq!(services.alerts.duty(), None);
    until("its rules end", async || services.rules.one(&rule).is_none().then_some(())).await;
    assert_eq!(scene.alerts().await, 1);
}
