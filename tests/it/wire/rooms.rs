//! Rooms: members, presence, messages, history.

use serde_json::{Value, json};

use crate::hub::{Client, Hub};

async fn join(client: &mut Client, room: &str) -> Value {
    client.request("join_room", json!({ "room": room }), "room_joined").await
}

async fn say(client: &mut Client, room: &str, data: Value) -> Value {
    client.request("room_message", json!({ "room": room, "data": data }), "room_message_sent").await
}

fn members(joined: &Value) -> Vec<String> {
    let members = joined["members"].as_array().unwrap().iter();
    members.map(|member| member["client_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_joins_gets_members_and_history_and_the_others_are_told() {
    let hub = Hub::start();
    let mut ann = Client::open(&hub, "ann", &hub.token_with(&["--role", "viewer", "--sub", "ann"])).await;
    let joined = join(&mut ann, "lobby").await;
    assert_eq!(
        (&joined["room"], members(&joined), &joined["history"]),
        (&json!("lobby"), vec!["ann".into()], &json!([]))
    );
    for n in 1..=60 {
        assert_eq!(say(&mut ann, "lobby", json!(n)).await["offset"], n);
    }
    let mut bob = Client::open_as(&hub, "bob", "operator").await;
    let joined = join(&mut bob, "lobby").await;
    assert_eq!(members(&joined), ["ann", "bob"]);
    let history: Vec<_> =
        joined["history"].as_array().unwrap().iter().map(|item| item["payload"]["data"].clone()).collect();
    assert_eq!(history, (11..=60).map(Value::from).collect::<Vec<_>>(), "the last 50, oldest first");
    assert_eq!(joined["history"][0]["offset"], 11);
    let told = ann.next_of("member_joined").await;
    assert_eq!(
        (&told["payload"]["room"], &told["payload"]["member"]["client_id"]),
        (&json!("lobby"), &json!("bob"))
    );
    assert_eq!(told["payload"]["member"]["subject"], "operator");
    // Who is in already is not announced again.
    assert_eq!(members(&join(&mut bob, "lobby").await), ["ann", "bob"]);
    say(&mut bob, "lobby", json!("hello")).await;
    for member in [&mut ann, &mut bob] {
        let heard =
            member.first("hello", |f| f["type"] == "room_message" && f["payload"]["data"] == "hello").await;
        assert_eq!(heard["payload"]["from"], json!({ "client_id": "bob", "subject": "operator" }));
        assert_eq!(
            (&heard["metadata"]["topic"], &heard["metadata"]["offset"]),
            (&json!("room:lobby"), &json!(61))
        );
    }
    assert!(!ann.has_waiting("member_joined"));
}

#[tokio::test]
async fn who_leaves_or_is_gone_is_told_to_the_others_and_hears_nothing_more() {
    let hub = Hub::start();
    let mut ann = Client::open_as(&hub, "ann", "viewer").await;
    join(&mut ann, "lobby").await;
    let mut bob = Client::open_as(&hub, "bob", "viewer").await;
    join(&mut bob, "lobby").await;
    let mut eve = Client::open_as(&hub, "eve", "viewer").await;
    join(&mut eve, "lobby").await;
    let left = bob.request("leave_room", json!({ "room": "lobby" }), "room_left").await;
    assert_eq!(left, json!({ "room": "lobby" }));
    let told = ann.next_of("member_left").await;
    assert_eq!(told["payload"]["member"]["client_id"], "bob");
    say(&mut ann, "lobby", json!("without bob")).await;
    let refused = bob.ask("room_message", json!({ "room": "lobby", "data": 1 })).await;
    assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!("not_in_room")));
    assert!(!bob.has_waiting("room_message"));
    let refused = bob.ask("leave_room", json!({ "room": "lobby" })).await;
    assert_eq!(refused["payload"]["code"], "not_in_room");
    // A connection that ends without a word is a leave too.
    drop(eve);
    let told = ann.next_of("member_left").await;
    assert_eq!(told["payload"]["member"]["client_id"], "eve");
    assert_eq!(members(&join(&mut bob, "lobby").await), ["ann", "bob"]);
}

#[tokio::test]
async fn rooms_keep_to_themselves_and_outlive_their_members() {
    let hub = Hub::start();
    let mut ann = Client::open_as(&hub, "ann", "viewer").await;
    join(&mut ann, "red").await;
    let mut bob = Client::open_as(&hub, "bob", "viewer").await;
    join(&mut bob, "blue").await;
    say(&mut ann, "red", json!("for red")).await;
    say(&mut bob, "blue", json!("for blue")).await;
    assert_eq!(bob.next_of("room_message").await["payload"]["data"], "for blue");
    ann.leave().await;
    let joined = join(&mut bob, "red").await;
    assert_eq!(joined["history"][0]["payload"]["data"], "for red");
}
