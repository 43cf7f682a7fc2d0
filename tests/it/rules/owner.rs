//! The owner of alerts: what it remembers over a crash, what it does when a commit fails, and what it counts.

use infrawatch::alert::AlertError;
use infrawatch::supervision::fault::Phase;
use infrawatch::telemetry::Cause;
use serde_json::{Value, json};

use super::Scene;
use crate::hub::until;

/// A sample of Prometheus' metrics.
async fn metric(scene: &Scene, name: &str) -> Option<u64> {
    let text = reqwest::get(scene.hub.url("/metrics")).await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn what_was_resolved_by_hand_stays_so_over_a_crash() {
    let mut scene = Scene::start().await;
    scene.rule(json!({})).await;
    scene.sample(91.0).await;
    let (.., alert) = scene.step().await;
    let alerts = scene.hub.state.services.alerts.clone();
    alerts.resolve(alert["id"].as_str().unwrap(), "alice", None, &Cause::own()).await.unwrap();
    assert_eq!(scene.step().await.1, "resolved");
    scene.hub.crash("alerts", "alerts", Phase::Handler);
    drop(alerts.policies_changed().await);
    scene.hub.back("alerts", 1).await;
    scene.sample(92.0).await;
    scene.sample(1.0).await;
    scene.sample(93.0).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str(), &alert["value"]), (Value::Null, "firing", &json!(93.0)));
    assert_eq!(scene.alerts().await, 2);
}

#[tokio::test]
async fn what_could_not_be_committed_did_not_happen_and_can_be_done_again() {
    let mut scene = Scene::start().await;
    scene.rule(json!({})).await;
    scene.sample(91.0).await;
    let (.., alert) = scene.step().await;
    let id = alert["id"].as_str().unwrap();
    let alerts = scene.hub.state.services.alerts.clone();
    until("the step is noted as told", async || {
        scene.hub.state.store.unannounced_transitions(10).await.unwrap().is_empty().then_some(())
    })
    .await;
    let fault = json!({ "name": "disk_full", "parameters": {} });
    assert_eq!(scene.hub.post("/api/sim/enable", &fault).await.0, 200);
    let failed = alerts.acknowledge(id, "alice", None, &Cause::own()).await;
    assert!(matches!(failed, Err(AlertError::Store(_))), "{failed:?}");
    assert_eq!(scene.hub.post("/api/sim/disable", &json!({ "name": "disk_full" })).await.0, 200);
    until("it is acknowledged", async || alerts.acknowledge(id, "bob", None, &Cause::own()).await.ok()).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str()), (json!("firing"), "acknowledged"));
    assert_eq!(alert["acknowledged_by"], "bob", "what alice did was not kept");
    let history = scene.hub.state.store.alert_history(id).await.unwrap();
    assert_eq!(history.len(), 2);
    scene.sample(2.0).await;
    assert_eq!(scene.step().await.1, "resolved");
}

#[tokio::test]
async fn steps_are_counted_and_so_are_alerts_that_find_no_room() {
    let mut scene = Scene::with(|options| options.settings.alert.open_max = 1).await;
    scene.rule(json!({})).await;
    scene.rule(json!({ "name": "other" })).await;
    let (steps, turned_away) =
        ("infrawatch_alert_transitions_total{state=\"firing\"}", "infrawatch_alerts_turned_away_total");
    let before = (metric(&scene, steps).await.unwrap_or(0), metric(&scene, turned_away).await.unwrap_or(0));
    scene.sample(91.0).await;
    assert_eq!(scene.step().await.1, "firing");
    until("one was turned away", async || {
        metric(&scene, turned_away).await.filter(|count| *count > before.1)
    })
    .await;
    assert!(metric(&scene, steps).await.is_some_and(|count| count > before.0));
}
