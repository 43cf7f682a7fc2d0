//! What only one of several hub nodes may do: one of them does it, whichever is killed, stopped or drained, and whichever is
//! asked.

use std::collections::BTreeMap;
use std::time::Duration;

use infrawatch::auth::{KEY_FILE, NewToken, Role, Tokens};
use infrawatch::clock::system_unix_ms;
use infrawatch_servers::{Postgres, Redis};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::hub::{Hub, until, within};

/// Hub nodes on the same servers, with one key.
struct Cluster {
    hubs: Vec<Hub>,
    postgres: Postgres,
    token: String,
    _redis: Redis,
    _keys: tempfile::TempDir,
}

/// An answer of the API.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Cluster {
    fn start(nodes: usize) -> Self {
        let (redis, postgres, keys) = (Redis::start(), Postgres::start(), tempfile::tempdir().unwrap());
        let new = NewToken {
            subject: "ann".into(),
            role: Role::Admin,
            node: None,
            topics: None,
            ttl_ms: 3_600_000,
        };
        let token = Tokens::open(keys.path()).unwrap().issue(new, system_unix_ms()).unwrap().0;
        let key = keys.path().join(KEY_FILE).display().to_string();
        let (redis_url, postgres_url) = (redis.url(), postgres.url());
        let arguments = [
            "--redis-url",
            &redis_url,
            "--postgres-url",
            &postgres_url,
            "--signing-key",
            &key,
            "--limits",
            "off",
        ];
        let hubs = (0..nodes).map(|number| {
            Hub::with_arguments(&arguments, |settings| {
                settings.sampler.node = format!("hub-{number}");
                // An outage of the store is asked for, not waited for.
                settings.breaker.calls_min = 1_000_000;
            })
        });
        Self { hubs: hubs.collect(), postgres, token, _redis: redis, _keys: keys }
    }

    async fn ask(&self, hub: usize, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.try_ask(hub, method, path, body).await.unwrap()
    }

    async fn try_ask(&self, hub: usize, method: &str, path: &str, body: Option<Value>) -> Option<Answer> {
        let url = format!("http://{}{path}", self.hubs[hub].address);
        let request = reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = within(path, request.send()).await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = within(path, answer.text()).await.ok()?;
        Some(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    /// What this hub says of the unit of alerts.
    async fn unit(&self, hub: usize) -> Value {
        let tree = self.ask(hub, "GET", "/api/v1/supervision", None).await.body;
        let unit = tree["units"].as_array().unwrap().iter().find(|unit| unit["unit"] == "alerts");
        unit.unwrap_or_else(|| panic!("{tree}")).clone()
    }

    /// Waits until all of these agree who owns alerts: the owner and its fence.
    async fn owner(&self, among: &[usize]) -> (usize, u64) {
        until("one owner that all know", async || {
            let mut found = Vec::new();
            for hub in among {
                let unit = self.unit(*hub).await;
                if unit["owned_here"] == true {
                    found.push((*hub, unit["fence"].as_u64()?));
                }
                let (first, _) = *found.first().or(Some(&(usize::MAX, 0)))?;
                let address = unit["address"].as_str()?.to_owned();
                if first != usize::MAX && address != self.hubs[first].address.to_string() {
                    return None;
                }
            }
            (found.len() == 1).then(|| found[0])
        })
        .await
    }

    fn others(&self, owner: usize) -> Vec<usize> {
        (0..self.hubs.len()).filter(|hub| *hub != owner).collect()
    }
}

fn rule(id: &str) -> Value {
    json!({ "id": id, "name": id, "kind": "threshold", "metric": "load1", "comparison": ">", "value": 1 })
}

#[tokio::test]
async fn one_node_owns_alerts_and_is_asked_whichever_one_asks() {
    let cluster = Cluster::start(3);
    let (owner, fence) = cluster.owner(&[0, 1, 2]).await;
    for _ in 0..20 {
        let mut owners = 0;
        for hub in 0..3 {
            let unit = cluster.unit(hub).await;
            assert_eq!((&unit["owner"], &unit["fence"]), (&json!(format!("hub-{owner}")), &json!(fence)));
            owners += usize::from(unit["owned_here"] == true);
        }
        assert_eq!(owners, 1);
    }
    let (one, two) = (cluster.others(owner)[0], cluster.others(owner)[1]);
    let created = cluster.ask(one, "POST", "/api/v1/rules", Some(rule("busy"))).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.headers["location"], "/api/v1/rules/busy");
    for hub in 0..3 {
        let listed = cluster.ask(hub, "GET", "/api/v1/rules", None).await.body;
        assert_eq!(listed["items"][0]["id"], "busy", "{listed}");
    }
    let missing = cluster.ask(two, "GET", "/api/v1/rules/none", None).await;
    assert_eq!((missing.status, &missing.body["code"]), (404, &json!("not_found")), "as the owner says");
    let head = cluster.ask(two, "HEAD", "/api/v1/rules/busy", None).await;
    assert_eq!((head.status, &head.body), (200, &Value::Null));
    let posted = json!({ "title": "t", "message": "m", "severity": "info" });
    let taken = cluster.ask(two, "POST", "/api/v1/alerts", Some(posted)).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    let deleted = cluster.ask(two, "DELETE", "/api/v1/rules/busy", None).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    let counted = cluster.hubs[two].metric("infrawatch_requests_forwarded_total{outcome=\"answered\"}").await;
    assert!(counted >= 4, "{counted}");
}

#[tokio::test]
async fn what_was_passed_on_is_not_passed_on_again() {
    let cluster = Cluster::start(2);
    let (owner, _) = cluster.owner(&[0, 1]).await;
    let url = format!("http://{}/api/v1/rules", cluster.hubs[1 - owner].address);
    let request = reqwest::Client::new().get(url).bearer_auth(&cluster.token);
    let answer =
        within("an answer", request.header("X-InfraWatch-Forwarded-By", "hub-9").send()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "no_owner");
}

#[tokio::test]
async fn a_killed_owner_is_followed_within_ten_seconds() {
    let mut cluster = Cluster::start(3);
    let (owner, fence) = cluster.owner(&[0, 1, 2]).await;
    let others = cluster.others(owner);
    cluster.ask(others[0], "POST", "/api/v1/rules", Some(rule("busy"))).await;
    cluster.hubs[owner].process.kill();
    let killed = Instant::now();
    let gone = cluster.ask(others[0], "GET", "/api/v1/rules", None).await;
    assert_eq!((gone.status, &gone.body["code"]), (503, &json!("no_owner")), "{gone:?}");
    assert!(gone.headers.contains_key("retry-after"));
    let (next, next_fence) = cluster.owner(&others).await;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(next != owner && next_fence > fence, "{next} {next_fence}");
    until("rules are answered again", async || {
        let listed = cluster.ask(others[1], "GET", "/api/v1/rules", None).await;
        (listed.status == 200 && listed.body["items"][0]["id"] == "busy").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_drained_owner_gives_back_at_once() {
    let mut cluster = Cluster::start(2);
    let (owner, fence) = cluster.owner(&[0, 1]).await;
    cluster.hubs[owner].process.signal(Signal::TERM);
    assert!(cluster.hubs[owner].process.wait().is_some_and(|status| status.success()));
    let ended = Instant::now();
    let (next, next_fence) = cluster.owner(&[1 - owner]).await;
    // Less than a lease, which it would have to wait for otherwise.
    let took = ended.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!((next, next_fence), (1 - owner, fence + 1));
}

#[tokio::test]
async fn an_owner_that_was_stopped_finds_that_it_owns_nothing_any_more() {
    let cluster = Cluster::start(2);
    let (owner, fence) = cluster.owner(&[0, 1]).await;
    let other = 1 - owner;
    cluster.hubs[owner].process.signal(Signal::STOP);
    // It keeps connections and does not answer: whoever waits for it is told when it is the owner no more.
    let waiting = cluster.ask(other, "GET", "/api/v1/rules", None).await;
    assert_eq!((waiting.status, &waiting.body["code"]), (503, &json!("no_owner")), "{waiting:?}");
    let (next, next_fence) = cluster.owner(&[other]).await;
    assert_eq!(next, other);
    assert!(next_fence > fence);
    let body = json!({ "title": "t", "message": "m", "severity": "info", "labels": { "a": "b" } });
    until("the new owner takes alerts", async || {
        let taken = cluster.ask(other, "POST", "/api/v1/alerts", Some(body.clone())).await;
        (taken.status == 201 || taken.status == 200).then_some(())
    })
    .await;
    // It has this when it wakes up, and would do it as the owner that it was.
    let mut late = TcpStream::connect(cluster.hubs[owner].address).await.unwrap();
    let (body, token) = (body.to_string(), &cluster.token);
    let head = format!(
        "POST /api/v1/alerts HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\
         content-type: application/json\r\nconnection: close\r\n\r\n",
        body.len()
    );
    late.write_all((head + &body).as_bytes()).await.unwrap();
    cluster.hubs[owner].process.signal(Signal::CONT);
    let mut answer = String::new();
    within("it answers when it is awake", late.read_to_string(&mut answer)).await.unwrap();
    let is_one_of =
        |codes: [&str; 2]| codes.iter().any(|code| answer.starts_with(&format!("HTTP/1.1 {code} ")));
    assert!(is_one_of(["200", "503"]), "counted on by the owner, or refused: {answer}");
    let agreed = cluster.owner(&[0, 1]).await;
    assert_eq!(agreed, (other, next_fence), "it stepped down");
    let open = cluster.ask(owner, "GET", "/api/v1/alerts/active", None).await.body;
    assert_eq!(open["items"].as_array().unwrap().len(), 1, "{open}");
}

#[tokio::test]
async fn an_outage_of_the_database_leaves_every_fence_with_one_owner() {
    let mut cluster = Cluster::start(3);
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let (owner, fence) = cluster.owner(&[0, 1, 2]).await;
    seen.insert(fence, owner);
    for _ in 0..2 {
        cluster.postgres.kill();
        until("an outage that is noticed", async || {
            let report = cluster.ask(0, "GET", "/api/health", None).await.body;
            (report["checks"]["ownership"]["status"] == "degraded").then_some(())
        })
        .await;
        assert!(cluster.unit(owner).await["owned_here"].is_boolean());
        cluster.postgres.resume();
        let back = Instant::now();
        while back.elapsed() < Duration::from_secs(3) {
            for hub in 0..3 {
                let unit = cluster.unit(hub).await;
                if unit["owned_here"] == true
                    && let Some(fence) = unit["fence"].as_u64()
                    && unit["owner"] == json!(format!("hub-{hub}"))
                {
                    assert_eq!(*seen.entry(fence).or_insert(hub), hub, "two owners with fence {fence}");
                }
            }
        }
        let (owner, fence) = cluster.owner(&[0, 1, 2]).await;
        assert_eq!(*seen.entry(fence).or_insert(owner), owner);
    }
}
