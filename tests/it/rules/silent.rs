//! With `no_data: alert` a series that is silent has an alert of its own, beside that of the condition.

use infrawatch::clock::{Clock, ManualClock, system_unix_ms};
use infrawatch::supervision::fault::Phase;
use infrawatch::telemetry::Cause;
use serde_json::{Value, json};

use super::{NODE, Scene};
use crate::hub::{Message, until};

async fn timed() -> (Scene, ManualClock) {
    let (clock, hand) = Clock::manual(system_unix_ms());
    (Scene::with(|options| options.clock = clock).await, hand)
}

/// A sample of a node, taken now.
async fn sample(scene: &mut Scene, node: &str, value: f64) {
    let at_ms = scene.hub.state.services.clock.unix_ms();
    let frame = json!({ "node": node, "timestamp": at_ms,
        "samples": [{ "name": "cpu_percent", "value": value, "labels": {}, "timestamp": at_ms }] });
    scene.agent.request("metrics", frame, "metrics_ack").await;
}

/// The next step that is told of a node: whether of its silence, to where, and the alert.
async fn step_of(scene: &mut Scene, node: &str) -> (bool, String, Value) {
    loop {
        let Message { payload, .. } = scene.screen.message().await;
        let alert = payload["alert"].clone();
        if alert["labels"]["node"] == node {
            let to = payload["transition"]["to"].as_str().unwrap().to_owned();
            return (alert["labels"]["no_data"] == "true", to, alert);
        }
    }
}

#[tokio::test]
async fn a_series_that_is_silent_is_an_alert_beside_that_of_its_condition_also_over_a_crash() {
    let (mut scene, hand) = timed().await;
    let fields = json!({ "no_data": "alert", "no_data_seconds": 2, "severity": "error" });
    let rule = scene.rule(fields).await;
    sample(&mut scene, NODE, 91.0).await;
    let (is_silence, to, high) = step_of(&mut scene, NODE).await;
    assert_eq!((is_silence, to.as_str()), (false, "firing"));
    hand.advance_ms(2_000);
    let (is_silence, to, silent) = step_of(&mut scene, NODE).await;
    assert_eq!((is_silence, to.as_str()), (true, "firing"));
    assert_eq!(silent["title"], format!("No data: CPU on {NODE}"));
    assert_eq!((&silent["severity"], &silent["reason"]), (&json!("error"), &json!("no data for 2 s")));
    assert_ne!((&silent["id"], &silent["fingerprint"]), (&high["id"], &high["fingerprint"]));
    assert_eq!(silent["rule_id"], rule.as_str());

    let alerts = scene.hub.state.services.alerts.clone();
    let id = silent["id"].as_str().unwrap();
    alerts.acknowledge(id, "alice", None, &Cause::own()).await.unwrap();
    assert_eq!(step_of(&mut scene, NODE).await.1, "acknowledged");

    // What another node sends crashes the rule; what it sends then shows that the rule took up what is open.
    scene.hub.crash("rule", &rule, Phase::Handler);
    sample(&mut scene, "web-2", 91.0).await;
    scene.hub.back("rule", 1).await;
    sample(&mut scene, "web-2", 91.0).await;
    assert_eq!(step_of(&mut scene, "web-2").await.1, "firing");
    hand.advance_ms(2_000);
    assert!(step_of(&mut scene, "web-2").await.0, "it is silent too");

    // It comes back: the silence is over, and the other goes on until its own condition does not hold.
    sample(&mut scene, NODE, 95.0).await;
    let (is_silence, to, over) = step_of(&mut scene, NODE).await;
    assert_eq!((is_silence, to.as_str()), (true, "resolved"));
    assert_eq!((&over["id"], &over["reason"]), (&silent["id"], &json!("samples come again")));
    hand.advance_ms(1_000);
    sample(&mut scene, NODE, 12.0).await;
    let (is_silence, to, over) = step_of(&mut scene, NODE).await;
    assert_eq!((is_silence, to.as_str(), &over["id"]), (false, "resolved", &high["id"]));
    assert_eq!(scene.alerts().await, 4, "two of each node");
}

#[tokio::test]
async fn a_rule_that_does_not_ask_for_it_any_more_ends_the_alert_of_the_silence_alone() {
    let (mut scene, hand) = timed().await;
    let rule = scene.rule(json!({ "no_data": "alert", "no_data_seconds": 1 })).await;
    sample(&mut scene, NODE, 91.0).await;
    let (_, _, high) = step_of(&mut scene, NODE).await;
    hand.advance_ms(1_000);
    assert!(step_of(&mut scene, NODE).await.0);
    let rules = scene.hub.state.services.rules.clone();
    let mut written = serde_json::to_value(rules.one(&rule).unwrap().definition).unwrap();
    written["no_data"] = json!("keep");
    let written = serde_json::from_value(written).unwrap();
    rules.replace(&rule, written, Some(1), "bob").await.unwrap();
    let (is_silence, to, over) = step_of(&mut scene, NODE).await;
    assert_eq!((is_silence, to.as_str()), (true, "resolved"));
    assert_eq!(over["reason"], "silence is no alert of the rule any more");
    let open = until("one is open", async || {
        let open = scene.hub.state.services.rules.one(&rule).unwrap().live;
        (open.firing == 1).then_some(high["id"].clone())
    })
    .await;
    sample(&mut scene, NODE, 12.0).await;
    let (_, to, over) = step_of(&mut scene, NODE).await;
    assert_eq!((to.as_str(), &over["id"]), ("resolved", &open));
}
