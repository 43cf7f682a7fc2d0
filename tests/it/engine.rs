//! A hub on PostgreSQL: the real binary, with everything that it must find again.

use infrawatch::clock::system_unix_ms;
use infrawatch_servers::Postgres;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, infrawatch, until};

const NODE: &str = "web-1";

struct Scene {
    hub: Hub,
    server: Postgres,
}

impl Scene {
    fn start() -> Self {
        let server = Postgres::start();
        let hub = Hub::with_arguments(&["--postgres-url", &server.url()], |settings| {
            settings.breaker.open_ms = 100;
        });
        Self { hub, server }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.hub.address);
        let request = reqwest::Client::new().get(url).bearer_auth(self.hub.token("viewer"));
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let url = format!("http://{}{path}", self.hub.address);
        let request = reqwest::Client::new().post(url).bearer_auth(self.hub.token("operator"));
        request.json(body).send().await.unwrap()
    }

    async fn health(&self, expected: &str) -> Value {
        until(&format!("the store is {expected}"), async || {
            let report = self.get("/api/health").await;
            let store = report["checks"]["store"].clone();
            (store["status"] == expected).then_some(store)
        })
        .await
    }
}

async fn agent(hub: &Hub) -> Client {
    Client::open(hub, "agent", &hub.agent_token(NODE)).await
}

fn frame(at_ms: u64, value: f64) -> Value {
    let sample = json!({ "name": "cpu_percent", "value": value, "labels": {}, "timestamp": at_ms });
    json!({ "node": NODE, "timestamp": at_ms, "samples": [sample] })
}

#[tokio::test]
async fn a_hub_on_postgresql_finds_everything_again_after_kill_9() {
    let mut scene = Scene::start();
    let rule = json!({ "id": "cpu", "name": "CPU", "kind": "threshold", "metric": "cpu_percent",
        "comparison": ">", "value": 80, "severity": "critical" });
    assert_eq!(scene.post("/api/v1/rules", &rule).await.status(), StatusCode::CREATED);
    let mut streaming = agent(&scene.hub).await;
    let begun_ms = system_unix_ms() - 60_000;
    for n in 0..30 {
        let answer = streaming.request("metrics", frame(begun_ms + n * 1_000, 91.0), "metrics_ack").await;
        assert_ne!(answer["durable"], false, "{answer}");
    }
    let alert = until("the rule fires", async || {
        let alerts = scene.get("/api/v1/alerts?state=firing").await;
        alerts["items"].as_array().unwrap().first().cloned()
    })
    .await;
    let mut client = Client::open_as(&scene.hub, "writer", "operator").await;
    let published = client.publish("deployments", json!({ "text": "kept" })).await;

    scene.hub.process.kill();
    scene.hub.start_again();
    let again = scene.get(&format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap())).await;
    assert_eq!((&again["title"], &again["started_at"]), (&alert["title"], &alert["started_at"]));
    assert_eq!(scene.get("/api/v1/rules/cpu").await["name"], "CPU");
    let mut client = Client::open_as(&scene.hub, "writer", "operator").await;
    let next = client.publish("deployments", json!({ "text": "next" })).await;
    assert_eq!(next["epoch"], published["epoch"]);
    assert_eq!(next["offset"].as_u64(), published["offset"].as_u64().map(|offset| offset + 1));
    let node = scene.get(&format!("/api/v1/nodes/{NODE}")).await;
    assert_eq!(node["id"], NODE, "{node}");
    let span = format!("since={begun_ms}&until={}", begun_ms + 30_000);
    let past = scene.get(&format!("/api/v1/streaming/metrics/history?{span}&points=1920&node={NODE}")).await;
    assert_eq!(past["points"].as_array().map(Vec::len), Some(30), "{past}");
    assert!(!scene.hub.data_dir().join("infrawatch.db").exists(), "nothing is kept in a file");
}

#[tokio::test]
async fn without_its_server_a_hub_says_so_refuses_what_must_be_kept_and_comes_back() {
    let mut scene = Scene::start();
    let mut client = Client::open_as(&scene.hub, "writer", "operator").await;
    let before = client.publish("deployments", json!({ "n": 1 })).await;
    scene.health("healthy").await;
    scene.server.kill();
    let store = scene.health("degraded").await;
    assert!(store["detail"].as_str().unwrap().contains("cannot be reached"), "{store}");
    let rule = json!({ "name": "CPU", "kind": "threshold", "metric": "a", "comparison": ">", "value": 1,
        "severity": "info" });
    let refused = scene.post("/api/v1/rules", &rule).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"), "{refused:?}");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "store_unavailable");
    // What is live goes on: a topic in memory.
    client.publish("live", json!({ "n": 2 })).await;
    let lost = client.ask("publish", json!({ "topic": "deployments", "data": { "n": 3 } })).await;
    assert_eq!((&lost["type"], &lost["payload"]["retryable"]), (&json!("error"), &json!(true)), "{lost}");

    scene.server.resume();
    scene.health("healthy").await;
    let after = until("deployments is kept again", async || {
        let answer = client.ask("publish", json!({ "topic": "deployments", "data": { "n": 4 } })).await;
        (answer["type"] == "published").then(|| answer["payload"].clone())
    })
    .await;
    assert_eq!(after["epoch"], before["epoch"]);
    assert_eq!(after["offset"].as_u64(), before["offset"].as_u64().map(|offset| offset + 1), "no gap");
}

#[test]
fn commands_beside_a_hub_work_on_its_server() {
    let server = Postgres::start();
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, url) = (directory.path().display().to_string(), server.url());
    let on = |name: &[&str]| {
        let place = ["--data-dir", data_dir.as_str(), "--postgres-url", url.as_str()];
        infrawatch(&[name, &place].concat(), "a long password\n")
    };
    assert!(on(&["migrate", "--check"]).complaint().contains("0001_samples"));
    let unchecked = on(&["check"]);
    assert!(unchecked.status != 0 && unchecked.stderr.contains("run `infrawatch migrate`"), "{unchecked:?}");
    assert!(on(&["migrate"]).answer().starts_with("applied 0001_samples"));
    assert_eq!(on(&["migrate", "--check"]).answer(), "the schema is up to date\n");
    // The servers of tests do not sync: that is what is to be told.
    let checked = on(&["check"]);
    assert!(checked.stdout.contains("store: schema up to date, server reached"), "{checked:?}");
    assert!(checked.stdout.contains("problem: fsync is off") && checked.status != 0, "{checked:?}");
    assert_eq!(on(&["user", "add", "alice"]).answer(), "added viewer alice\n");
    assert!(on(&["user", "list"]).answer().contains("alice"));
}
