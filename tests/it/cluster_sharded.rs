//! Hub nodes on a Redis Cluster: each topic is at the server that has its slot, and nodes hear only what they ask for.

use std::collections::HashSet;

use infrawatch_servers::{Postgres, RedisCluster};
use serde_json::json;

use crate::hub::{Client, Hub, until};

/// The first of three servers has the slots below.
const FIRST_SLOTS: u16 = 5_461;

/// Slots that are moved to another server.
const MOVED: u16 = 200;

fn node_with(cluster: &RedisCluster, further: &[&str]) -> Hub {
    let url = cluster.url();
    let arguments = [&["--redis-url", &url, "--limits", "off"], further].concat();
    Hub::with_arguments(&arguments, |settings| {
        settings.engine.probe_ms = 500;
        settings.engine.call_ms_max = 500;
    })
}

fn node(cluster: &RedisCluster) -> Hub {
    node_with(cluster, &[])
}

/// A topic whose slot lies below.
fn topic_below(cluster: &RedisCluster, slot: u16) -> String {
    let key = |topic: &String| format!("infrawatch:{{{topic}}}:live");
    (0..).map(|n| format!("orders:t{n}")).find(|topic| cluster.slot(&key(topic)) < slot).unwrap()
}

async fn up(hub: &Hub, is_up: u64) {
    until("the engine", async || (hub.metric("infrawatch_engine_up").await == is_up).then_some(())).await;
}

/// A number of a line of `INFO`.
fn number(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|number| number.parse().ok()).unwrap()
}

#[tokio::test]
async fn topics_of_all_servers_are_the_same_at_all_nodes_over_sharded_channels() {
    let cluster = RedisCluster::start();
    let (one, two) = (node(&cluster), node(&cluster));
    let mut writer = Client::open_as(&one, "writer", "admin").await;
    let mut reader = Client::open_as(&two, "reader", "admin").await;
    let topics: Vec<_> = (0..24).map(|n| format!("orders:t{n}")).collect();
    for topic in &topics {
        reader.subscribe(topic).await;
    }
    for n in 1..=3u64 {
        for topic in &topics {
            assert_eq!(writer.publish(topic, json!(n)).await["offset"], n);
        }
    }
    let mut next: Vec<u64> = vec![1; topics.len()];
    for _ in 0..3 * topics.len() {
        let message = reader.message().await;
        let expected = &mut next[topics.iter().position(|topic| *topic == message.topic).unwrap()];
        assert_eq!((message.offset, message.payload), (*expected, json!(*expected)));
        *expected += 1;
    }
    for server in 0..3 {
        let stats = cluster.info(server, "stats");
        assert_eq!(number(&stats, "pubsub_channels"), 0, "what is published goes to no other server");
        assert!(number(&stats, "pubsubshard_channels") > 1, "server {server} carries some: {stats}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_replaced_and_the_hub_goes_on_by_itself_in_a_new_epoch() {
    let mut cluster = RedisCluster::start_with_replica();
    let topic = topic_below(&cluster, FIRST_SLOTS);
    let (one, two) = (node(&cluster), node(&cluster));
    let mut writer = Client::open_as(&one, "writer", "admin").await;
    let mut reader = Client::open_as(&two, "reader", "admin").await;
    reader.subscribe(&topic).await;
    let mut places = HashSet::new();
    let (mut before, mut heard) = (String::new(), Vec::new());
    for n in 1..=5 {
        let place = writer.place(&topic, json!(n)).await;
        before.clone_from(&place.0);
        assert!(places.insert(place));
        heard.push(reader.message().await.payload);
    }
    assert_eq!(heard, [1, 2, 3, 4, 5]);
    cluster.server(0).kill();
    up(&one, 0).await;
    up(&two, 0).await;
    let alone = writer.place(&topic, json!("alone")).await;
    assert!(alone.0 != before && places.insert(alone), "its own node's, in an epoch of its own");
    up(&one, 1).await;
    up(&two, 1).await;
    // A message may come before both have found the topic again: the first that the reader hears ends the wait.
    let again = until("a message of the other node", async || {
        let place = writer.place(&topic, json!("again")).await;
        assert!(places.insert(place.clone()), "{place:?} is given twice");
        let is_heard = async { while reader.message().await.payload != "again" {} };
        tokio::time::timeout(std::time::Duration::from_millis(500), is_heard).await.is_ok().then_some(place)
    })
    .await;
    assert_ne!(again.0, before, "the other server may lack what the first one had");
}

#[tokio::test]
async fn a_slot_that_moves_takes_its_subscriptions_along() {
    let cluster = RedisCluster::start();
    let topic = topic_below(&cluster, MOVED);
    let (one, two) = (node(&cluster), node(&cluster));
    let mut writer = Client::open_as(&one, "writer", "admin").await;
    let mut reader = Client::open_as(&two, "reader", "admin").await;
    reader.subscribe(&topic).await;
    writer.publish(&topic, json!(1)).await;
    assert_eq!(reader.message().await.payload, 1);
    let channels = || number(&cluster.info(1, "stats"), "pubsubshard_channels");
    let had = channels();
    cluster.move_slots(MOVED);
    until("the channel at its new server", async || (channels() > had).then_some(())).await;
    writer.publish(&topic, json!(2)).await;
    assert_eq!(reader.message().await.payload, 2);
    assert_eq!(two.metric("infrawatch_engine_up").await, 1, "nothing was gone");
}

/// The samples are acknowledged behind their mailbox, and go to the owner of alerts over a stream.
#[tokio::test]
async fn alerts_kept_topics_and_rooms_are_the_same_at_all_nodes() {
    let (cluster, postgres) = (RedisCluster::start(), Postgres::start());
    let url = postgres.url();
    let nodes = [0, 1].map(|_| node_with(&cluster, &["--postgres-url", &url]));
    let mut readers = Vec::new();
    for (n, hub) in nodes.iter().enumerate() {
        let mut reader = Client::open_as(hub, &format!("reader-{n}"), "admin").await;
        reader.subscribe("alerts_critical").await;
        reader.subscribe("deployments").await;
        readers.push(reader);
    }
    let rule = json!({ "id": "cpu", "name": "CPU", "kind": "threshold", "metric": "cpu_percent",
        "comparison": ">", "value": 80, "severity": "critical" });
    let (rules, token) = (format!("http://{}/api/v1/rules", nodes[0].address), nodes[0].token("admin"));
    until("a rule", async || {
        let made = reqwest::Client::new().post(&rules).bearer_auth(&token).json(&rule).send().await.unwrap();
        (made.status() == 201).then_some(())
    })
    .await;
    for (n, hub) in nodes.iter().enumerate() {
        let name = format!("web-{n}");
        let mut agent = Client::open(hub, &format!("agent-{n}"), &hub.agent_token(&name)).await;
        let sample = json!({ "name": "cpu_percent", "value": 91, "labels": {} });
        let frame = json!({ "node": name, "samples": [sample] });
        assert_eq!(agent.request("metrics", frame, "metrics_ack").await["durable"], true);
        for reader in &mut readers {
            let step = reader.message().await;
            let node = &step.payload["alert"]["labels"]["node"];
            assert_eq!((&*step.topic, node), ("alerts_critical", &json!(name)), "{step:?}");
        }
        readers[n].publish("deployments", json!(n)).await;
        for reader in &mut readers {
            let message = reader.message().await;
            assert_eq!((&*message.topic, message.payload), ("deployments", json!(n)));
        }
    }
    for n in 0..12 {
        readers[0].request("join_room", json!({ "room": format!("r{n}") }), "room_joined").await;
    }
    let third = node_with(&cluster, &["--postgres-url", &url]);
    let mut late = Client::open_as(&third, "late", "admin").await;
    for n in 0..12 {
        until("the member of a room", async || {
            let room = json!({ "room": format!("r{n}") });
            let told = late.request("presence", room, "presence").await;
            (told["members"][0]["client_id"] == "reader-0").then_some(())
        })
        .await;
    }
}
