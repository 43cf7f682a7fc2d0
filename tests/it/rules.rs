//! Rules on live samples: what breaches becomes an alert that is committed, told, and goes on over every crash.

mod killed;
mod owner;
mod silent;
mod tenure;

use infrawatch::alert::{AlertError, Posted, Severity, State, Text};
use infrawatch::hub::HubOptions;
use infrawatch::rule::definition::Definition;
use infrawatch::store::{AlertFilter, AlertSort};
use infrawatch::supervision::fault::Phase;
use infrawatch::telemetry::Cause;
use serde_json::{Value, json};

use crate::hub::{Client, Inside, Message, until};

const NODE: &str = "web-1";

/// A hub without its own sampler, an agent, and somebody who watches.
struct Scene {
    hub: Inside,
    agent: Client,
    screen: Client,
    at_ms: u64,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|_options| {}).await
    }

    async fn with(change: impl FnOnce(&mut HubOptions)) -> Self {
        let hub = Inside::with(|options| {
            options.settings.sampler.enabled = false;
            change(options);
        });
        let agent = hub.client("agent").await;
        let mut screen = hub.client("screen").await;
        let topics = ["alerts_critical", "alerts_error", "alerts_warning", "alerts_info"];
        screen.request("subscribe", json!({ "topics": topics }), "subscribed").await;
        let at_ms = hub.state.services.clock.unix_ms() - 60_000;
        Self { hub, agent, screen, at_ms }
    }

    async fn rule(&self, fields: Value) -> String {
        let mut rule = json!({ "name": "CPU", "kind": "threshold", "metric": "cpu.utilization",
            "comparison": ">", "value": 80, "severity": "critical" });
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let definition: Definition = serde_json::from_value(rule).unwrap();
        let made = self.hub.state.services.rules.create(definition, "alice").await.unwrap();
        made.definition.id.unwrap()
    }

    /// A sample, a second after the one before.
    async fn sample(&mut self, value: f64) {
        self.at_ms += 1_000;
        let frame = json!({ "node": NODE, "timestamp": self.at_ms,
            "samples": [{ "name": "cpu_percent", "value": value, "labels": {}, "timestamp": self.at_ms }] });
        self.agent.request("metrics", frame, "metrics_ack").await;
    }

    /// The next step that is told: from, to, and the alert.
    async fn step(&mut self) -> (Value, String, Value) {
        let Message { payload, .. } = self.screen.message().await;
        let to = payload["transition"]["to"].as_str().unwrap().to_owned();
        (payload["transition"]["from"].clone(), to, payload["alert"].clone())
    }

    async fn firing(&self, rule: &str) -> u64 {
        self.hub.state.services.rules.one(rule).unwrap().live.firing
    }

    async fn alerts(&self) -> usize {
        let all = AlertFilter { with_dropped: true, ..AlertFilter::default() };
        self.hub.state.store.search_alerts(all, AlertSort::Newest, None, 100).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_breach_becomes_an_alert_on_the_screen_and_is_over_with_a_good_value() {
    let mut scene = Scene::start().await;
    let rule = scene.rule(json!({ "for_duration_seconds": 2, "labels": { "team": "ops" } })).await;
    scene.sample(91.0).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str()), (Value::Null, "pending"));
    assert_eq!(alert["rule_id"], rule.as_str());
    assert_eq!(alert["labels"], json!({ "node": NODE, "team": "ops" }));
    scene.sample(92.0).await;
    scene.sample(93.0).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str()), (json!("pending"), "firing"));
    assert_eq!((&alert["reason"], &alert["value"]), (&json!("value 93 > 80 for 2 s"), &json!(93.0)));
    scene.sample(12.0).await;
    let (_, to, alert) = scene.step().await;
    assert_eq!((to.as_str(), &alert["reason"]), ("resolved", &json!("value 12 not > 80")));
    let id = alert["id"].as_str().unwrap();
    let history = scene.hub.state.store.alert_history(id).await.unwrap();
    let kept: Vec<_> = history.iter().map(|step| (step.from.as_deref(), step.to.as_str())).collect();
    assert_eq!(kept, [(None, "pending"), (Some("pending"), "firing"), (Some("firing"), "resolved")]);
    until("every step is noted as told", async || {
        scene.hub.state.store.unannounced_transitions(10).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_two_operators_at_once_one_wins_and_the_other_is_told_the_state() {
    let mut scene = Scene::start().await;
    scene.rule(json!({})).await;
    scene.sample(91.0).await;
    let (.., alert) = scene.step().await;
    let id = alert["id"].as_str().unwrap();
    let (alerts, cause) = (&scene.hub.state.services.alerts, Cause::own());
    let (alice, bob) = tokio::join!(
        alerts.acknowledge(id, "alice", Some("on it".into()), &cause),
        alerts.acknowledge(id, "bob", None, &cause)
    );
    let lost: Vec<AlertError> = [alice, bob].into_iter().filter_map(Result::err).collect();
    let [AlertError::Refused(refused)] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!(refused.state(), State::Acknowledged);
    let (_, to, alert) = scene.step().await;
    assert_eq!(to, "acknowledged");
    let by = alert["acknowledged_by"].as_str().unwrap().to_owned();
    assert!(["alice", "bob"].contains(&by.as_str()), "{by}");
    let alerts = &scene.hub.state.services.alerts;
    assert_eq!(alerts.resolve(id, "carol", None, &cause).await.unwrap().state, State::Resolved);
    assert_eq!(alerts.resolve(id, "dave", None, &cause).await.unwrap().resolved_by.as_deref(), Some("carol"));
    assert_eq!(alerts.resolve("none", "dave", None, &cause).await, Err(AlertError::NotFound));
}

#[tokio::test]
async fn a_crash_of_the_rule_or_of_the_owner_of_alerts_opens_no_alert_twice_and_loses_no_pending() {
    let mut scene = Scene::start().await;
    let rule = scene.rule(json!({ "for_duration_seconds": 4 })).await;
    scene.sample(91.0).await;
    assert_eq!(scene.step().await.1, "pending");
    scene.hub.crash("rule", &rule, Phase::Handler);
    scene.sample(91.0).await;
    scene.hub.back("rule", 1).await;
    scene.hub.crash("alerts", "alerts", Phase::Handler);
    // Unless the rule that is back asked before.
    drop(scene.hub.state.services.alerts.policies_changed().await);
    scene.hub.back("alerts", 1).await;
    scene.sample(91.0).await;
    scene.sample(91.0).await;
    scene.sample(91.0).await;
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str()), (json!("pending"), "firing"), "four seconds after the first breach");
    assert_eq!(scene.alerts().await, 1, "{alert}");
    assert_eq!(scene.firing(&rule).await, 1);
    scene.sample(1.0).await;
    assert_eq!(scene.step().await.1, "resolved");
}

#[tokio::test]
async fn a_rule_that_crashes_again_and_again_is_given_up_alone() {
    let mut scene = Scene::start().await;
    let (bad, good) = (scene.rule(json!({})).await, scene.rule(json!({ "name": "other" })).await);
    for restart in 1..=6 {
        scene.hub.crash("rule", &bad, Phase::Handler);
        scene.sample(1.0).await;
        if restart < 6 {
            scene.hub.back("rule", restart).await;
        }
    }
    let rules = &scene.hub.state.services.rules;
    until("it is given up", async || rules.one(&bad).unwrap().live.failed).await;
    scene.sample(91.0).await;
    let (_, to, alert) = scene.step().await;
    assert_eq!((to.as_str(), alert["rule_id"].as_str()), ("firing", Some(good.as_str())));
}

#[tokio::test]
async fn what_becomes_of_a_rule_becomes_of_its_alerts() {
    let mut scene = Scene::start().await;
    let rule = scene.rule(json!({})).await;
    scene.sample(91.0).await;
    assert_eq!(scene.step().await.1, "firing");
    let rules = scene.hub.state.services.rules.clone();
    // Written anew: the series goes on, and is judged by the new bound.
    let mut view = rules.one(&rule).unwrap();
    view.definition.condition.value = Some(95.0);
    let written = rules.replace(&rule, view.definition.clone(), Some(1), "bob").await.unwrap();
    assert_eq!((written.version, written.updated_by.as_str()), (2, "bob"));
    assert!(rules.replace(&rule, view.definition.clone(), Some(1), "carol").await.is_err(), "it is at 2");
    scene.sample(92.0).await;
    assert_eq!(scene.step().await.1, "resolved");
    scene.sample(96.0).await;
    assert_eq!(scene.step().await.1, "firing");
    assert_eq!(rules.enable(&[rule.clone(), "none".into()], false, "bob").await.unwrap(), [rule.as_str()]);
    let (_, to, alert) = scene.step().await;
    assert_eq!((to.as_str(), &alert["reason"]), ("resolved", &json!("the rule was disabled by bob")));
    scene.sample(97.0).await;
    rules.enable(std::slice::from_ref(&rule), true, "bob").await.unwrap();
    scene.sample(98.0).await;
    assert_eq!(scene.step().await.1, "firing");
    assert_eq!(rules.delete(vec![rule.clone()], "bob").await.unwrap(), [rule.as_str()]);
    assert_eq!(scene.step().await.1, "resolved");
    assert!(rules.one(&rule).is_none());
}

#[tokio::test]
async fn an_alert_from_outside_is_told_once_however_often_it_is_posted() {
    let mut scene = Scene::start().await;
    let text = Text {
        severity: Severity::Warning,
        title: "backup late".into(),
        message: "last one is from yesterday".into(),
        labels: [("job".to_owned(), "backup".to_owned())].into(),
        annotations: [].into(),
    };
    let posted = Posted { service: Some("db".into()), text, ends_at_ms: None };
    let alerts = scene.hub.state.services.alerts.clone();
    let first = alerts.post(posted.clone(), "cron", &Cause::own()).await.unwrap();
    assert!(first.is_new && first.published.is_some() && !first.waits);
    let again = alerts.post(posted.clone(), "cron", &Cause::own()).await.unwrap();
    assert_eq!((again.is_new, &again.alert.id, again.alert.count), (false, &first.alert.id, 2));
    let (from, to, alert) = scene.step().await;
    assert_eq!((from, to.as_str(), &alert["title"]), (Value::Null, "firing", &json!("backup late")));
    // What was posted again was told nobody: the next that is told is another alert.
    let other = Posted { service: Some("web".into()), ..posted };
    alerts.post(other, "cron", &Cause::own()).await.unwrap();
    assert_eq!(scene.step().await.2["service"], "web");
}
