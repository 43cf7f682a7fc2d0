//! Rooms over several hub nodes.

use infrawatch_servers::{Proxy, Way};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Cluster;
use crate::hub::{Client, RawSocket, until};
use crate::webhooks::Receiver;

/// Nobody waits in a test until what is believed for so long is over.
const LONG_TTL_MS: u64 = 60_000;

async fn join(client: &mut Client, room: &str) -> Vec<String> {
    ids(&client.request("join_room", json!({ "room": room }), "room_joined").await)
}

fn ids(told: &Value) -> Vec<String> {
    let members = told["members"].as_array().unwrap().iter();
    members.map(|member| member["client_id"].as_str().unwrap().to_owned()).collect()
}

async fn present(client: &mut Client, room: &str) -> Vec<String> {
    ids(&client.request("presence", json!({ "room": room }), "presence").await)
}

/// Until a client of a node sees these members.
async fn sees(client: &mut Client, room: &str, members: &[&str]) {
    until(&format!("{members:?} in {room}"), async || (present(client, room).await == members).then_some(()))
        .await;
}

/// The next that is told of who comes and goes.
async fn told(client: &mut Client) -> (String, String, u64) {
    let kinds = ["member_joined", "member_left"];
    let frame = client.first("a member", |frame| kinds.contains(&frame["type"].as_str().unwrap())).await;
    let payload = &frame["payload"];
    let client_id = payload["member"]["client_id"].as_str().unwrap().to_owned();
    (frame["type"].as_str().unwrap().to_owned(), client_id, payload["total"].as_u64().unwrap())
}

fn came(client_id: &str, total: u64) -> (String, String, u64) {
    ("member_joined".to_owned(), client_id.to_owned(), total)
}

fn went(client_id: &str, total: u64) -> (String, String, u64) {
    ("member_left".to_owned(), client_id.to_owned(), total)
}

#[tokio::test]
async fn the_members_of_all_nodes_are_one_room_and_other_programs_are_told_once() {
    let cluster = Cluster::start();
    let mut receiver = Receiver::start(&[]).await;
    let nodes = ["one", "two", "three"].map(|name| cluster.node(name, Some(&receiver)));
    let mut ann = cluster.client(&nodes[0], "ann").await;
    let mut bob = cluster.client(&nodes[1], "bob").await;
    let mut eve = cluster.client(&nodes[2], "eve").await;
    assert_eq!(join(&mut ann, "ops").await, ["ann"]);
    assert_eq!(receiver.events(1).await, ["room_occupied"]);
    sees(&mut bob, "ops", &["ann"]).await;
    assert_eq!(join(&mut bob, "ops").await, ["ann", "bob"]);
    assert_eq!(told(&mut ann).await, came("bob", 2));
    sees(&mut eve, "ops", &["ann", "bob"]).await;
    let answer = RawSocket::get(&nodes[2], "/api/health").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = json!({ "room": "ops", "info": { "mood": "good" } });
    bob.request("join_room", shown, "room_joined").await;
    assert_eq!(told(&mut ann).await, came("bob", 2), "shows something else");
    let payload = ann.request("presence", json!({ "room": "ops" }), "presence").await;
    assert_eq!(payload["members"][1]["info"], json!({ "mood": "good" }));
    // The same client by a second node, as when it comes back elsewhere before the first has noticed.
    let mut bob_again = cluster.client(&nodes[2], "bob").await;
    bob_again.request("join_room", json!({ "room": "ops", "info": { "mood": "good" } }), "room_joined").await;
    bob.leave().await;
    bob_again.request("leave_room", json!({ "room": "ops" }), "room_left").await;
    assert_eq!(told(&mut ann).await, went("bob", 1), "once, when it is in by no node");
    sees(&mut eve, "ops", &["ann"]).await;
    join(&mut eve, "other").await;
    assert_eq!(receiver.events(1).await, ["room_occupied"], "of the other room");
    ann.request("leave_room", json!({ "room": "ops" }), "room_left").await;
    assert_eq!(receiver.events(1).await, ["room_vacated"]);
    sees(&mut eve, "ops", &[]).await;
    join(&mut eve, "ops").await;
    assert_eq!(receiver.events(1).await, ["room_occupied"]);
}

#[tokio::test]
async fn the_members_of_a_killed_node_leave_once_and_who_comes_elsewhere_stays() {
    let cluster = Cluster::start();
    let mut receiver = Receiver::start(&[]).await;
    let [mut one, two, three] = ["one", "two", "three"].map(|name| cluster.node(name, Some(&receiver)));
    let mut watchers = [cluster.client(&two, "w2").await, cluster.client(&three, "w3").await];
    for watcher in &mut watchers {
        join(watcher, "ops").await;
    }
    assert_eq!(receiver.events(1).await, ["room_occupied"]);
    let mut stays = cluster.client(&one, "stays").await;
    let mut goes = cluster.client(&one, "goes").await;
    join(&mut stays, "ops").await;
    join(&mut goes, "ops").await;
    join(&mut goes, "alone").await;
    assert_eq!(receiver.events(1).await, ["room_occupied"], "of alone");
    for watcher in &mut watchers {
        watcher.first("goes", |frame| frame["payload"]["member"]["client_id"] == "goes").await;
    }
    one.process.kill();
    let mut stays = cluster.client(&two, "stays").await;
    assert_eq!(join(&mut stays, "ops").await, ["goes", "stays", "w2", "w3"]);
    for watcher in &mut watchers {
        let left = watcher.next_of("member_left").await["payload"]["member"]["client_id"].clone();
        assert_eq!(left, "goes");
        sees(watcher, "ops", &["stays", "w2", "w3"]).await;
    }
    assert_eq!(receiver.events(1).await, ["room_vacated"], "of alone, by a node that had nobody in it");
    // Nobody is told twice, or of somebody who stayed.
    let mut last = cluster.client(&two, "zz").await;
    join(&mut last, "ops").await;
    for watcher in &mut watchers {
        watcher.first("zz", |frame| frame["payload"]["member"]["client_id"] == "zz").await;
        assert!(!watcher.has_waiting("member_left"));
    }
    assert_eq!(join(&mut last, "alone").await, ["zz"]);
    assert_eq!(receiver.events(1).await, ["room_occupied"]);
}

#[tokio::test]
async fn a_node_that_stood_still_is_out_and_comes_back() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| cluster.node(name, None));
    let mut ann = cluster.client(&one, "ann").await;
    let mut bob = cluster.client(&two, "bob").await;
    join(&mut ann, "ops").await;
    sees(&mut bob, "ops", &["ann"]).await;
    join(&mut bob, "ops").await;
    assert_eq!(told(&mut ann).await, came("bob", 2));
    one.process.signal(Signal::STOP);
    assert_eq!(told(&mut bob).await, went("ann", 1));
    one.process.signal(Signal::CONT);
    assert_eq!(told(&mut bob).await, came("ann", 2));
    sees(&mut ann, "ops", &["ann", "bob"]).await;
}

#[tokio::test]
async fn while_redis_is_gone_a_node_shows_its_own_members_and_all_when_it_is_back() {
    let mut cluster = Cluster::start();
    let mut receiver = Receiver::start(&[]).await;
    let [one, two] = ["one", "two"].map(|name| cluster.node(name, Some(&receiver)));
    let mut ann = cluster.client(&one, "ann").await;
    let mut bob = cluster.client(&two, "bob").await;
    let mut eve = cluster.client(&two, "eve").await;
    join(&mut ann, "ops").await;
    assert_eq!(receiver.events(1).await, ["room_occupied"]);
    sees(&mut bob, "ops", &["ann"]).await;
    join(&mut bob, "ops").await;
    join(&mut eve, "ops").await;
    assert_eq!((told(&mut ann).await, told(&mut ann).await), (came("bob", 2), came("eve", 3)));
    cluster.redis.kill();
    assert_eq!(told(&mut ann).await, went("bob", 2));
    assert_eq!(told(&mut ann).await, went("eve", 1));
    sees(&mut bob, "ops", &["bob", "eve"]).await;
    eve.request("leave_room", json!({ "room": "ops" }), "room_left").await;
    cluster.redis.resume();
    assert_eq!(told(&mut ann).await, came("bob", 2));
    sees(&mut bob, "ops", &["ann", "bob"]).await;
    sees(&mut ann, "ops", &["ann", "bob"]).await;
    for client in [&mut ann, &mut bob] {
        client.request("leave_room", json!({ "room": "ops" }), "room_left").await;
    }
    assert_eq!(receiver.events(1).await, ["room_vacated"], "that somebody is in is not told again");
}

/// Its line was lost for a moment, as the word that somebody went was.
#[tokio::test]
async fn who_went_while_a_node_could_not_hear_is_out_there_too() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(cluster.redis.port());
    let behind = format!("redis://127.0.0.1:{}", proxy.port());
    let one = cluster.node_at(&behind, LONG_TTL_MS, "one", None);
    let url = cluster.redis.url();
    let [two, three] = ["two", "three"].map(|name| cluster.node_at(&url, LONG_TTL_MS, name, None));
    let mut ann = cluster.client(&one, "ann").await;
    let mut eve = cluster.client(&two, "eve").await;
    let mut bob = cluster.client(&three, "bob").await;
    join(&mut eve, "ops").await;
    sees(&mut ann, "ops", &["eve"]).await;
    join(&mut ann, "ops").await;
    assert_eq!(told(&mut eve).await, came("ann", 2));
    sees(&mut bob, "ops", &["ann", "eve"]).await;
    proxy.set(Way::Reset);
    eve.request("leave_room", json!({ "room": "ops" }), "room_left").await;
    // The word is out.
    sees(&mut bob, "ops", &["ann"]).await;
    proxy.set(Way::Pass);
    assert_eq!(told(&mut ann).await, went("eve", 1));
    sees(&mut ann, "ops", &["ann"]).await;
}

#[tokio::test]
async fn who_was_at_a_node_that_stops_leaves_after_the_grace() {
    let cluster = Cluster::start();
    let url = cluster.redis.url();
    let [one, two] = ["one", "two"].map(|name| cluster.node_at(&url, LONG_TTL_MS, name, None));
    let mut ann = cluster.client(&one, "ann").await;
    let mut bob = cluster.client(&two, "bob").await;
    join(&mut bob, "ops").await;
    join(&mut ann, "ops").await;
    assert_eq!(told(&mut bob).await, came("ann", 2));
    drop(one);
    assert_eq!(told(&mut bob).await, went("ann", 1));
    let third = cluster.node("three", None);
    let mut eve = cluster.client(&third, "eve").await;
    sees(&mut eve, "ops", &["bob"]).await;
}
