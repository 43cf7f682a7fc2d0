//! Machines of a hub of several nodes.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Cluster, get};
use crate::hub::{Client, Hub, RawSocket, Running, until};

const NODE: &str = "web-1";

/// Starts an agent of [`NODE`] at that hub node.
fn agent(cluster: &Cluster, hub: &Hub) -> Running {
    let spool = hub.directory().join("spool").display().to_string();
    let token = cluster.token(hub, &["--role", "agent", "--node", NODE]);
    let url = hub.url();
    let arguments =
        ["agent", "--hub", &url, "--token", &token, "--spool-dir", &spool, "--interval-ms", "1500"];
    let further = ["--label", "service=api", "--log-format", "json"];
    let all: Vec<String> = arguments.iter().chain(&further).map(|argument| (*argument).to_owned()).collect();
    Running::start(&all, &hub.directory().join("agent.log"))
}

async fn watcher(cluster: &Cluster, hub: &Hub) -> Client {
    let mut client = cluster.client(hub, "watcher").await;
    client.subscribe("nodes").await;
    client
}

/// What the node became next, as topic `nodes` says.
async fn became(client: &mut Client) -> (String, String) {
    loop {
        let message = client.message().await;
        if message.payload["event"] != "inventory" {
            assert_eq!((message.key.as_deref(), &message.payload["node"]), (Some(NODE), &json!(NODE)));
            let state = |field: &str| message.payload[field].as_str().unwrap().to_owned();
            return (state("from"), state("to"));
        }
    }
}

fn change(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

/// Until that hub node shows the machine in this state.
async fn shows(cluster: &Cluster, hub: &Hub, state: &str) -> Value {
    let token = cluster.token(hub, &["--role", "viewer"]);
    until(&format!("{state} at {}", hub.address), async || {
        let (_, node) = get(hub, &format!("/api/v1/nodes/{NODE}"), &token).await;
        (node["state"] == state).then_some(node)
    })
    .await
}

/// Until that hub node took samples.
async fn hears(hub: &Hub) {
    until("samples are taken", async || {
        (hub.metric("infrawatch_samples_accepted_total").await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_machine_is_the_same_at_every_hub_node() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| cluster.node(name, None));
    let mut watcher = watcher(&cluster, &two).await;
    let _agent = agent(&cluster, &one);
    assert_eq!(became(&mut watcher).await, change("enrolling", "online"));
    let here = shows(&cluster, &one, "online").await;
    shows(&cluster, &two, "online").await;
    let token = cluster.token(&two, &["--role", "viewer"]);
    let there = until("the newest samples", async || {
        let (_, page) = get(&two, "/api/v1/nodes", &token).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
        let node = page["items"][0].clone();
        node["metrics"]["memory_percent"].is_number().then_some(node)
    })
    .await;
    for field in ["id", "source", "interval_ms", "ttl_ms", "labels", "synthetic", "transitions"] {
        assert_eq!(there[field], here[field], "{field}");
    }
    assert_eq!(there["labels"], json!({ "service": "api" }));
    assert_eq!(there["inventory"]["hostname"], here["inventory"]["hostname"]);
    assert!(there["age_ms"].as_u64().unwrap() < 5_000, "{there}");
    for hub in [&one, &two] {
        until("one node is counted", async || {
            (hub.metric("infrawatch_nodes{state=\"online\"}").await == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn machines_are_shown_with_their_age_while_postgresql_is_gone() {
    let mut cluster = Cluster::start();
    let one = cluster.node("one", None);
    let _agent = agent(&cluster, &one);
    shows(&cluster, &one, "online").await;
    let two = cluster.node("two", None);
    let tokens = [&one, &two].map(|hub| cluster.token(hub, &["--role", "viewer"]));
    let list = async |hub: &Hub, token: &str| {
        let (status, page) = get(hub, "/api/v1/nodes", token).await;
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().clone()
    };
    // The other has read which there are before it can count them.
    until("one node is counted", async || {
        (two.metric("infrawatch_nodes{state=\"online\"}").await == 1).then_some(())
    })
    .await;
    cluster.postgres.kill();
    until("the store is gone", async || {
        let report: Value = serde_json::from_str(&RawSocket::get(&two, "/api/health").await.body).unwrap();
        (report["checks"]["store"]["status"] == "degraded").then_some(())
    })
    .await;
    let node = |nodes: Vec<Value>| {
        assert_eq!(nodes.len(), 1, "{nodes:?}");
        nodes[0].clone()
    };
    let here = node(list(&one, &tokens[0]).await);
    assert!(here["age_ms"].as_u64().unwrap() < 5_000, "it goes on reporting: {here}");
    let there = node(list(&two, &tokens[1]).await);
    assert_eq!((&there["id"], &there["inventory"]), (&here["id"], &here["inventory"]));
    assert!(there["age_ms"].is_u64() && there["last_seen"].is_string(), "{there}");
    shows(&cluster, &two, "online").await;
    let rules = get(&two, "/api/v1/rules", &tokens[1]).await;
    assert_eq!(rules.0, 200, "every node has them in memory: {}", rules.1);
    // What only the store has is refused instead.
    for path in ["alerts", "alerts/statistics", "streaming/metrics/history?node=web-1&metric=load1"] {
        let (status, problem) = get(&two, &format!("/api/v1/{path}"), &tokens[1]).await;
        assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{path}: {problem}");
    }
}

#[tokio::test]
async fn an_agent_that_moves_is_not_said_to_be_gone_and_one_that_goes_is_said_so_once() {
    let cluster = Cluster::start();
    let [mut one, two, three] = ["one", "two", "three"].map(|name| cluster.node(name, None));
    let mut watcher = watcher(&cluster, &three).await;
    let first = agent(&cluster, &one);
    assert_eq!(became(&mut watcher).await, change("enrolling", "online"));
    shows(&cluster, &two, "online").await;
    // Away from a hub node that lives, and finds out that the agent is elsewhere.
    drop(first);
    let second = agent(&cluster, &two);
    hears(&two).await;
    // And away from one, while another is killed, to the third.
    one.process.kill();
    drop(second);
    let mut third = agent(&cluster, &three);
    hears(&three).await;
    third.kill();
    let mut changes = Vec::new();
    while changes.last() != Some(&change("late", "offline")) {
        changes.push(became(&mut watcher).await);
    }
    assert_eq!(
        changes,
        [change("online", "late"), change("late", "offline")],
        "nothing before, and each once"
    );
    shows(&cluster, &two, "offline").await;
}

#[tokio::test]
async fn the_machines_of_a_hub_node_that_stands_still_are_said_to_be_gone_once_and_back_once() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| cluster.node(name, None));
    let mut watcher = watcher(&cluster, &two).await;
    let _agent = agent(&cluster, &one);
    assert_eq!(became(&mut watcher).await, change("enrolling", "online"));
    one.process.signal(Signal::STOP);
    assert_eq!(became(&mut watcher).await, change("online", "late"));
    assert_eq!(became(&mut watcher).await, change("late", "offline"));
    shows(&cluster, &two, "offline").await;
    one.process.signal(Signal::CONT);
    assert_eq!(became(&mut watcher).await, change("offline", "online"));
    shows(&cluster, &two, "online").await;
    shows(&cluster, &one, "online").await;
}
