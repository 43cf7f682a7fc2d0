//! Rules and alerts of several hub nodes: one evaluates what all take, and when it is gone another goes on, without a step
//! twice or missing.

use std::time::Duration;

use infrawatch::clock::system_unix_ms;
use infrawatch_servers::{Postgres, Redis};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, until};

const OWNS: &str = "infrawatch_owned_units{unit=\"alerts\"}";

/// Three hub nodes on one PostgreSQL and one Redis.
struct Scene {
    hubs: Vec<Hub>,
    at_ms: u64,
    agents: usize,
    redis: Redis,
    _postgres: Postgres,
}

impl Scene {
    fn start() -> Self {
        let (redis, postgres) = (Redis::start(), Postgres::start());
        let (redis_url, postgres_url) = (redis.url(), postgres.url());
        let arguments = ["--redis-url", &redis_url, "--postgres-url", &postgres_url, "--limits", "off"];
        let hub = |_| {
            Hub::with_arguments(&arguments, |settings| {
                settings.engine.probe_ms = 500;
                settings.engine.call_ms_max = 500;
                settings.breaker.calls_min = 1_000_000;
            })
        };
        let hubs = (0..3).map(hub).collect();
        Self { hubs, at_ms: system_unix_ms() - 120_000, agents: 0, redis, _postgres: postgres }
    }

    /// The place of the hub that owns alerts, once there is one, of those at `places`.
    async fn owner_of(&self, places: &[usize]) -> usize {
        until("one owns alerts", async || {
            let mut owners = Vec::new();
            for place in places {
                if self.hubs[*place].metric(OWNS).await == 1 {
                    owners.push(*place);
                }
            }
            assert!(owners.len() < 2, "{owners:?} own alerts");
            owners.pop()
        })
        .await
    }

    async fn rule(&self, owner: usize, fields: Value) {
        let hub = &self.hubs[owner];
        let mut rule = json!({ "id": "cpu", "name": "CPU", "kind": "threshold", "metric": "cpu_percent",
            "comparison": ">", "value": 80, "severity": "critical" });
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let url = format!("http://{}/api/v1/rules", hub.address);
        let token = hub.token("admin");
        // It may own them and not know the rules yet.
        until("the rule is made", async || {
            let made =
                reqwest::Client::new().post(&url).bearer_auth(&token).json(&rule).send().await.unwrap();
            (made.status() == StatusCode::CREATED).then_some(())
        })
        .await;
    }

    async fn agent(&mut self, at: usize, node: &str) -> Client {
        self.agents += 1;
        let hub = &self.hubs[at];
        Client::open(hub, &format!("agent-{}", self.agents), &hub.agent_token(node)).await
    }

    /// A sample, a second after the one before.
    async fn sample(&mut self, agent: &mut Client, node: &str, value: f64) {
        self.at_ms += 1_000;
        let frame = json!({ "node": node,
            "samples": [{ "name": "cpu_percent", "value": value, "labels": {}, "timestamp": self.at_ms }] });
        agent.request("metrics", frame, "metrics_ack").await;
    }

    /// The alerts of the store, by way of one hub.
    async fn alerts(&self, at: usize) -> Vec<Value> {
        let page = self.ask(at, "/api/v1/alerts?limit=500").await;
        page["items"].as_array().unwrap().clone()
    }

    async fn ask(&self, at: usize, path: &str) -> Value {
        let hub = &self.hubs[at];
        let request = reqwest::Client::new().get(format!("http://{}{path}", hub.address));
        request.bearer_auth(hub.token("admin")).send().await.unwrap().json().await.unwrap()
    }

    async fn alert_is(&self, at: usize, state: &str) -> Value {
        until(&format!("the alert is {state}"), async || {
            self.alerts(at).await.pop().filter(|alert| alert["state"] == state)
        })
        .await
    }

    /// The states of the only alert, in order.
    async fn history(&self, at: usize) -> Vec<String> {
        let alerts = self.alerts(at).await;
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        let history =
            self.ask(at, &format!("/api/v1/alerts/{}/history", alerts[0]["id"].as_str().unwrap())).await;
        let steps = history["items"].as_array().unwrap_or_else(|| panic!("{history}"));
        let mut before = &Value::Null;
        for step in steps {
            assert_eq!(step["from"], *before, "a step is missing or came twice: {history}");
            before = &step["to"];
        }
        steps.iter().map(|step| step["to"].as_str().unwrap().to_owned()).collect()
    }

    async fn subscriber(&self, at: usize) -> Client {
        let mut client = Client::open_as(&self.hubs[at], &format!("screen-{at}"), "admin").await;
        client.subscribe("alerts_critical").await;
        client
    }
}

fn absence(absent_seconds: u64) -> Value {
    json!({ "kind": "absence", "comparison": null, "value": null, "absent_seconds": absent_seconds,
        "matchers": ["node=~.+"] })
}

/// A frame with a sample of now.
fn now(value: f64) -> Value {
    json!({ "node": "web-1", "samples": [{ "name": "cpu_percent", "value": value, "labels": {} }] })
}

/// The other places than one.
fn others(place: usize) -> Vec<usize> {
    (0..3).filter(|other| *other != place).collect()
}

/// The state that the next message of the topic tells of.
async fn told(screen: &mut Client) -> String {
    let message = screen.message().await;
    message.payload["transition"]["to"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_breach_at_any_hub_is_one_alert_that_all_see() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, json!({})).await;
    let mut screens = Vec::new();
    for place in 0..3 {
        screens.push(scene.subscriber(place).await);
    }
    let mut expected = 0;
    for place in [others(owner)[0], others(owner)[1], owner] {
        let node = format!("web-{place}");
        let mut agent = scene.agent(place, &node).await;
        scene.sample(&mut agent, &node, 91.0).await;
        for screen in &mut screens {
            assert_eq!(told(screen).await, "firing");
        }
        scene.sample(&mut agent, &node, 3.0).await;
        for screen in &mut screens {
            assert_eq!(told(screen).await, "resolved");
        }
        expected += 1;
        assert_eq!(scene.alerts(others(owner)[1]).await.len(), expected);
    }
}

#[tokio::test]
async fn what_is_pending_when_the_owner_is_killed_fires_elsewhere() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, json!({ "for_duration_seconds": 4 })).await;
    let [beside, other] = others(owner)[..] else { panic!("three hubs") };
    let mut agent = scene.agent(beside, "web-1").await;
    scene.sample(&mut agent, "web-1", 91.0).await;
    let pending = scene.alert_is(beside, "pending").await;
    scene.hubs[owner].process.kill();
    // What comes while nobody owns alerts is evaluated by the next.
    for _ in 0..3 {
        scene.sample(&mut agent, "web-1", 92.0).await;
    }
    let next = scene.owner_of(&[beside, other]).await;
    assert_ne!(next, owner);
    scene.sample(&mut agent, "web-1", 93.0).await;
    let firing = scene.alert_is(other, "firing").await;
    assert_eq!((&firing["id"], &firing["started_at"]), (&pending["id"], &pending["started_at"]));
    assert_eq!(firing["reason"], "value 93 > 80 for 4 s");
    assert_eq!(scene.history(beside).await, ["pending", "firing"]);
}

#[tokio::test]
async fn what_breaches_and_ends_while_nobody_owns_alerts_is_one_alert_and_what_fired_before_is_over() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, json!({})).await;
    let beside = others(owner)[0];
    let mut screen = scene.subscriber(beside).await;
    let (mut first, mut second) = (scene.agent(beside, "web-1").await, scene.agent(beside, "web-2").await);
    let mut third = scene.agent(beside, "web-3").await;
    // Over and told before: it is not opened again by samples that are read again.
    scene.sample(&mut third, "web-3", 90.0).await;
    scene.sample(&mut third, "web-3", 2.0).await;
    for expected in ["firing", "resolved"] {
        assert_eq!(told(&mut screen).await, expected);
    }
    scene.sample(&mut first, "web-1", 91.0).await;
    scene.sample(&mut first, "web-1", 3.0).await;
    scene.sample(&mut first, "web-1", 92.0).await;
    for expected in ["firing", "resolved", "firing"] {
        assert_eq!(told(&mut screen).await, expected);
    }
    scene.hubs[owner].process.kill();
    scene.sample(&mut first, "web-1", 4.0).await;
    scene.sample(&mut second, "web-2", 95.0).await;
    scene.sample(&mut second, "web-2", 5.0).await;
    scene.owner_of(&others(owner)).await;
    let mut steps = Vec::new();
    for _ in 0..3 {
        let message = screen.message().await;
        let to = message.payload["transition"]["to"].as_str().unwrap().to_owned();
        steps.push((message.payload["alert"]["labels"]["node"].as_str().unwrap().to_owned(), to));
    }
    let step = |node: &str, to: &str| (node.to_owned(), to.to_owned());
    steps.sort();
    assert_eq!(steps, [step("web-1", "resolved"), step("web-2", "firing"), step("web-2", "resolved")]);
    assert_eq!(scene.alerts(beside).await.len(), 4);
    // The next step is that of the next breach, and of nothing else.
    scene.sample(&mut second, "web-2", 96.0).await;
    assert_eq!(told(&mut screen).await, "firing");
    assert_eq!(scene.alerts(beside).await.len(), 5);
}

#[tokio::test]
async fn an_owner_that_stood_still_and_wakes_does_nothing_twice() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, json!({})).await;
    let beside = others(owner)[0];
    let mut screen = scene.subscriber(beside).await;
    let mut agent = scene.agent(beside, "web-1").await;
    scene.sample(&mut agent, "web-1", 91.0).await;
    assert_eq!(told(&mut screen).await, "firing");
    scene.hubs[owner].process.signal(Signal::STOP);
    scene.sample(&mut agent, "web-1", 3.0).await;
    scene.sample(&mut agent, "web-1", 94.0).await;
    let next = scene.owner_of(&others(owner)).await;
    assert_eq!((told(&mut screen).await, told(&mut screen).await), ("resolved".into(), "firing".into()));
    scene.hubs[owner].process.signal(Signal::CONT);
    until("it knows that it lost", async || (scene.hubs[owner].metric(OWNS).await == 0).then_some(())).await;
    scene.sample(&mut agent, "web-1", 5.0).await;
    assert_eq!(told(&mut screen).await, "resolved");
    assert_eq!(scene.owner_of(&[0, 1, 2]).await, next);
    assert_eq!(scene.alerts(beside).await.len(), 2);
}

#[tokio::test]
async fn while_redis_is_gone_the_owner_judges_its_own_samples_and_the_others_come_later() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, json!({})).await;
    let beside = others(owner)[0];
    let (mut own, mut other) = (scene.agent(owner, "web-1").await, scene.agent(beside, "web-2").await);
    scene.sample(&mut own, "web-1", 1.0).await;
    scene.sample(&mut other, "web-2", 1.0).await;
    scene.redis.kill();
    scene.sample(&mut own, "web-1", 91.0).await;
    scene.sample(&mut other, "web-2", 92.0).await;
    let firing = scene.alert_is(beside, "firing").await;
    assert_eq!(firing["labels"]["node"], "web-1");
    scene.redis.resume();
    until("that of the other is there", async || (scene.alerts(beside).await.len() == 2).then_some(())).await;
    assert_eq!(scene.hubs[beside].metric("infrawatch_rule_moments_dropped_total").await, 0);
}

#[tokio::test]
async fn while_redis_is_gone_nobody_is_absent_because_of_it() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, absence(4)).await;
    let beside = others(owner)[0];
    let mut agent = scene.agent(beside, "web-1").await;
    agent.request("metrics", now(1.0), "metrics_ack").await;
    let rule = "/api/v1/rules/cpu";
    until("it is seen", async || (scene.ask(owner, rule).await["live"]["series"] == 1).then_some(())).await;
    scene.redis.kill();
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..16 {
        pace.tick().await;
        agent.request("metrics", now(2.0), "metrics_ack").await;
    }
    scene.redis.resume();
    for _ in 0..12 {
        pace.tick().await;
        agent.request("metrics", now(3.0), "metrics_ack").await;
    }
    assert_eq!(scene.alerts(beside).await, Vec::<Value>::new());
    agent.leave().await;
    assert_eq!(scene.alert_is(beside, "firing").await["labels"]["node"], "web-1");
}

/// The samples of a node are silent for nobody while its agent moves to another hub and the owner is another.
#[tokio::test]
async fn a_node_whose_agent_moves_is_not_absent_and_neither_is_one_after_a_takeover() {
    let mut scene = Scene::start();
    let owner = scene.owner_of(&[0, 1, 2]).await;
    scene.rule(owner, absence(6)).await;
    let [beside, other] = others(owner)[..] else { panic!("three hubs") };
    let mut agent = scene.agent(beside, "web-1").await;
    agent.request("metrics", now(1.0), "metrics_ack").await;
    agent.leave().await;
    let mut agent = scene.agent(other, "web-1").await;
    scene.hubs[owner].process.kill();
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..32 {
        pace.tick().await;
        agent.request("metrics", now(2.0), "metrics_ack").await;
    }
    assert_eq!(scene.alerts(beside).await, Vec::<Value>::new());
    agent.leave().await;
    let absent = scene.alert_is(other, "firing").await;
    assert_eq!(absent["labels"]["node"], "web-1");
}
