//! Shared state over hub nodes: a document comes out the same at each, and every write that was applied is told.

use std::collections::{BTreeMap, BTreeSet};

use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};

use crate::hub::{Client, Hub, within};

fn node(redis: &Redis, postgres: &Postgres) -> Hub {
    let arguments = ["--redis-url", &redis.url(), "--postgres-url", &postgres.url(), "--limits", "off"];
    Hub::with_arguments(&arguments, |_settings| {})
}

fn write(key: &str, value: &Value, base_version: u64) -> Value {
    json!({ "doc": "plan", "key": key, "value": value, "base_version": base_version })
}

async fn read(client: &mut Client) -> Vec<Value> {
    let doc = client.request("sync_get", json!({ "doc": "plan" }), "sync_doc").await;
    doc["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_writes_at_one_node_upon_what_another_has_is_in_no_conflict() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let nodes = [node(&redis, &postgres), node(&redis, &postgres)];
    let mut clients = [
        Client::open_as(&nodes[0], "ann", "operator").await,
        Client::open_as(&nodes[1], "bob", "operator").await,
    ];
    for n in 0..20u64 {
        let client = &mut clients[(n % 2) as usize];
        let applied = client.request("sync_put", write("title", &json!(n), n), "sync_applied").await;
        assert_eq!((&applied["version"], &applied["conflict"]), (&json!(n + 1), &json!(false)));
        // The other node shows it at once.
        let entries = read(&mut clients[((n + 1) % 2) as usize]).await;
        assert_eq!((&entries[0]["value"], &entries[0]["version"]), (&json!(n), &json!(n + 1)));
    }
}

#[tokio::test]
async fn writers_at_three_nodes_come_to_the_same_document_and_every_write_is_told() {
    const EACH: u64 = 60;
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let nodes: [Hub; 3] = std::array::from_fn(|_| node(&redis, &postgres));
    let mut follower = Client::open_as(&nodes[0], "follower", "viewer").await;
    follower.subscribe("sync:plan").await;
    let mut writers = Vec::new();
    for (n, hub) in nodes.iter().enumerate() {
        let mut client = Client::open_as(hub, &format!("writer-{n}"), "operator").await;
        writers.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for round in 0..EACH {
                let asked = write(&format!("k{}", round % 5), &json!([n, round]), 0);
                ids.push(client.send("sync_put", asked).await);
            }
            let mut applied = BTreeSet::new();
            for id in ids {
                let answer = client.answer_to(&id).await;
                match answer["type"].as_str().unwrap() {
                    "sync_applied" => {
                        let key = answer["payload"]["key"].as_str().unwrap().to_owned();
                        applied.insert((key, answer["payload"]["version"].as_u64().unwrap()));
                    }
                    "sync_conflict" => {}
                    other => panic!("{other}: {answer}"),
                }
            }
            applied
        }));
    }
    let mut applied = BTreeSet::new();
    for writer in writers {
        for write in within("a writer", writer).await.unwrap() {
            assert!(applied.insert(write.clone()), "{write:?} was given twice");
        }
    }
    // Some are told twice: by the node that wrote, and by one that saw that they were not told yet.
    let (mut told, mut newest) = (BTreeSet::new(), BTreeMap::new());
    while told.len() < applied.len() {
        let update = follower.next_of("sync_update").await;
        let key = update["payload"]["key"].as_str().unwrap().to_owned();
        let version = update["payload"]["version"].as_u64().unwrap();
        told.insert((key.clone(), version));
        let known = newest.entry(key).or_insert_with(|| update["payload"].clone());
        if known["version"].as_u64().unwrap() < version {
            *known = update["payload"].clone();
        }
    }
    assert_eq!(told, applied);
    for hub in &nodes {
        let mut reader = Client::open_as(hub, "reader", "viewer").await;
        let entries = read(&mut reader).await;
        assert_eq!(entries.len(), 5);
        for entry in entries {
            let known = &newest[entry["key"].as_str().unwrap()];
            assert_eq!((&known["value"], &known["version"]), (&entry["value"], &entry["version"]));
        }
    }
}

#[tokio::test]
async fn what_a_killed_node_wrote_is_told_by_another() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (mut first, second) = (node(&redis, &postgres), node(&redis, &postgres));
    let mut follower = Client::open_as(&second, "follower", "viewer").await;
    follower.subscribe("sync:plan").await;
    let mut writer = Client::open_as(&first, "writer", "operator").await;
    let mut under_way = Vec::new();
    for n in 0..200u64 {
        under_way.push(writer.send("sync_put", write(&format!("k{n}"), &json!(n), 0)).await);
    }
    writer.answer_to(&under_way[20]).await;
    first.process.kill();
    let mut acknowledged = 20;
    while acknowledged + 1 < under_way.len()
        && writer.answer_or_end(&under_way[acknowledged + 1]).await.is_some()
    {
        acknowledged += 1;
    }
    let mut told = BTreeSet::new();
    while !(0..=acknowledged as u64).all(|n| told.contains(&n)) {
        told.insert(follower.next_of("sync_update").await["payload"]["value"].as_u64().unwrap());
    }
}
