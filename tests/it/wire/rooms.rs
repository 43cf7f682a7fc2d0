//! Rooms: members, presence, messages, history.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::http::call;
use crate::hub::{Client, Hub};

async fn join(client: &mut Client, room: &str) -> Value {
    client.request("join_room", json!({ "room": room }), "room_joined").await
}

async fn join_showing(client: &mut Client, room: &str, info: Value) -> Value {
    client.request("join_room", json!({ "room": room, "info": info }), "room_joined").await
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
    let hub = Hub::with(|settings| settings.room.grace_ms = 50);
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

#[tokio::test]
async fn members_show_what_they_want_of_themselves() {
    let hub = Hub::start();
    let mut ann = Client::open_as(&hub, "ann", "viewer").await;
    let joined = join_showing(&mut ann, "lobby", json!({ "name": "Ann", "at": [1, 2] })).await;
    assert_eq!((&joined["total"], &joined["truncated"]), (&json!(1), &json!(false)));
    assert_eq!(joined["members"][0]["info"], json!({ "name": "Ann", "at": [1, 2] }));
    let mut bob = Client::open_as(&hub, "bob", "operator").await;
    let since = join(&mut bob, "lobby").await["members"][1]["since"].clone();
    let told = ann.next_of("member_joined").await["payload"].clone();
    let expected = json!({ "client_id": "bob", "subject": "operator", "info": null, "since": since });
    assert_eq!((&told["member"], &told["total"]), (&expected, &json!(2)));
    // Who is in and shows something else is told again, once.
    join_showing(&mut bob, "lobby", json!({ "typing": true })).await;
    join_showing(&mut bob, "lobby", json!({ "typing": true })).await;
    let told = ann.next_of("member_joined").await["payload"]["member"].clone();
    assert_eq!((&told["info"], &told["since"]), (&json!({ "typing": true }), &since));
    // One need not be in to see who is.
    let mut eve = Client::open_as(&hub, "eve", "viewer").await;
    let presence = eve.request("presence", json!({ "room": "lobby" }), "presence").await;
    assert_eq!((members(&presence), &presence["total"]), (vec!["ann".into(), "bob".into()], &json!(2)));
    let empty = eve.request("presence", json!({ "room": "nowhere" }), "presence").await;
    assert_eq!(empty, json!({ "room": "nowhere", "members": [], "total": 0, "truncated": false }));
    let token = hub.token("viewer");
    let shown = call(&hub, Method::GET, "/api/v1/connections/rooms/lobby", &token, None, 200).await;
    for field in ["room", "members", "total", "truncated"] {
        assert_eq!(shown[field], presence[field], "{field}");
    }
    assert!(!ann.has_waiting("member_joined"));
}

#[tokio::test]
async fn who_comes_back_in_time_never_left() {
    let hub = Hub::with(|settings| settings.room.grace_ms = 300_000);
    let mut ann = Client::open_as(&hub, "ann", "viewer").await;
    join(&mut ann, "lobby").await;
    let token = hub.token("operator");
    let mut bob = Client::open(&hub, "bob", &token).await;
    let since = join(&mut bob, "lobby").await["members"][1]["since"].clone();
    ann.next_of("member_joined").await;
    for round in 0..3 {
        // Without a word, then replaced by a newer connection, then both at once.
        if round != 1 {
            drop(bob);
        }
        bob = Client::open(&hub, "bob", &token).await;
        let joined = join(&mut bob, "lobby").await;
        assert_eq!(joined["members"][1]["since"], since, "round {round}");
    }
    say(&mut bob, "lobby", json!("here I am")).await;
    ann.next_of("room_message").await;
    assert!(!ann.has_waiting("member_left") && !ann.has_waiting("member_joined"));
    // Who says so leaves at once.
    bob.request("leave_room", json!({ "room": "lobby" }), "room_left").await;
    assert_eq!(ann.next_of("member_left").await["payload"]["total"], 1);
}

#[tokio::test]
async fn in_a_large_room_who_comes_and_goes_is_told_together() {
    const MEMBERS: usize = 30;
    let hub = Hub::with(|settings| {
        settings.room.diff_above_members = 10;
        settings.room.members_shown_max = 20;
        settings.room.diff_interval_ms = 100;
        settings.room.grace_ms = 0;
    });
    let token = hub.token("viewer");
    let mut watcher = Client::open(&hub, "aa-watcher", &token).await;
    let joined = join(&mut watcher, "hall").await;
    let mut known: BTreeSet<String> = members(&joined).into_iter().collect();
    let mut others = Vec::new();
    for n in 1..MEMBERS {
        let mut client = Client::open(&hub, &format!("client-{n:02}"), &token).await;
        let joined = join(&mut client, "hall").await;
        assert_eq!((&joined["total"], &joined["truncated"]), (&json!(n + 1), &json!(n >= 20)));
        assert_eq!(members(&joined).len(), (n + 1).min(20), "an answer has no more than it may");
        others.push(client);
    }
    let told = known_when(&mut watcher, &mut known, MEMBERS).await;
    assert_eq!(told.single, 9, "up to ten members they are told one by one");
    assert!((1..=20).contains(&told.diffs), "{} diffs for 20 joins", told.diffs);
    for mut client in others.drain(..15) {
        client.request("leave_room", json!({ "room": "hall" }), "room_left").await;
    }
    drop(others);
    let told = known_when(&mut watcher, &mut known, 1).await;
    assert!(told.diffs >= 1, "{} diffs", told.diffs);
    let left: Vec<_> = known.into_iter().collect();
    assert_eq!(left, ["aa-watcher"]);
}

struct Told {
    single: usize,
    diffs: usize,
}

/// Applies what the watcher is told until it knows of so many members; the total told last must be that.
async fn known_when(watcher: &mut Client, known: &mut BTreeSet<String>, members: usize) -> Told {
    let mut told = Told { single: 0, diffs: 0 };
    while known.len() != members {
        let frame = watcher
            .first("presence", |f| {
                ["member_joined", "member_left", "presence_diff"].contains(&f["type"].as_str().unwrap())
            })
            .await;
        let payload = &frame["payload"];
        let name = |member: &Value| member["client_id"].as_str().unwrap().to_owned();
        match frame["type"].as_str().unwrap() {
            "member_joined" => known.extend([name(&payload["member"])]),
            "member_left" => known.retain(|client_id| *client_id != name(&payload["member"])),
            _ => {
                known.extend(payload["joined"].as_array().unwrap().iter().map(name));
                let left = payload["left"].as_array().unwrap();
                known.retain(|client_id| !left.contains(&json!(client_id)));
                if payload["truncated"] == true {
                    let all = watcher.request("presence", json!({ "room": "hall" }), "presence").await;
                    assert_eq!(all["truncated"], false, "few are left: {all}");
                    *known = self::members(&all).into_iter().collect();
                    told.diffs += 1;
                    continue;
                }
            }
        }
        if frame["type"] == "presence_diff" {
            told.diffs += 1;
        } else {
            told.single += 1;
        }
        assert_eq!(payload["total"], known.len(), "{frame}");
    }
    told
}
