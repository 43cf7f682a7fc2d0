//! Too many crashes go up: to the parent, or to the end of the hub with its reason.

use infrawatch::hub::{HubError, table};
use infrawatch::ids::RoomName;
use infrawatch::supervision::fault::Phase;
use infrawatch::supervision::{ChildSpec, FailurePhase, KindState, OnGiveUp};
use serde_json::json;

use super::Servers;
use crate::hub::{Ended, Inside, until};

/// One crash more than a row is restarted for.
fn too_often(kind: &str) -> u32 {
    table().into_iter().find(|row| row.kind == kind).unwrap().intensity.restarts_max + 1
}

/// Crashes a child until it is given up and its parent was restarted in its turn.
async fn give_up(hub: &Inside, kind: &str, instance: &str) {
    hub.state.services.tree.arm(kind, instance, Phase::Handler, too_often(kind));
    until("the child is given up", async || (hub.row(kind).given_up == 1).then_some(())).await;
}

async fn parent_restarted(hub: &Inside, parent: &str) {
    hub.back(parent, 1).await;
    let row = hub.row(parent);
    assert_eq!((row.restarts, row.last_failure.unwrap().phase), (1, FailurePhase::Escalated));
}

#[tokio::test]
async fn a_topic_that_crashes_too_often_restarts_the_broker_and_can_be_opened_again() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.request("subscribe", json!({ "topics": ["bench:a", "bench:b"] }), "subscribed").await;
    let former = client.publish("bench:a", json!(1)).await;
    let sibling = client.publish("bench:b", json!(1)).await;
    give_up(&hub, "topic", "bench:a").await;
    parent_restarted(&hub, "broker").await;
    let again = client.publish("bench:a", json!(2)).await;
    assert_ne!(again["epoch"], former["epoch"]);
    assert_eq!(again["offset"], 1);
    let next = client.publish("bench:b", json!("next")).await;
    assert_eq!((&next["epoch"], &next["offset"]), (&sibling["epoch"], &json!(2)));
    // Who subscribed need not ask again: the next message has the new epoch.
    let heard =
        client.first("the message after", |frame| frame["type"] == "message" && frame["payload"] == 2).await;
    assert_eq!(
        (&heard["metadata"]["topic"], &heard["metadata"]["epoch"]),
        (&again["topic"], &again["epoch"])
    );
    assert_eq!(hub.row("topic").state, KindState::Running);
}

/// Whoever waits for a topic is answered: by it, or because of its end.
#[tokio::test]
async fn what_waits_for_a_topic_that_is_given_up_is_answered() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.publish("bench:a", json!(0)).await;
    // It crashes once, then whenever it is started again: nothing is handled any more.
    hub.state.services.tree.arm("topic", "bench:a", Phase::Started, too_often("topic") - 1);
    hub.crash("topic", "bench:a", Phase::Handler);
    until("it has crashed", async || (hub.row("topic").restarts > 0).then_some(())).await;
    let mut waiting = Vec::new();
    for n in 0..40 {
        waiting.push(client.send("publish", json!({ "topic": "bench:a", "data": n })).await);
    }
    waiting.push(client.send("subscribe", json!({ "topics": ["bench:a"] })).await);
    let mut failed = 0_u32;
    for request in waiting {
        let answer = client.answer_to(&request).await;
        if answer["type"] == "error" {
            assert_eq!(answer["payload"]["code"], "internal", "{answer}");
            failed += 1;
        }
    }
    assert_eq!((failed, hub.row("topic").given_up), (41, 1));
    assert_eq!(client.publish("bench:a", json!("again")).await["topic"], "bench:a");
}

#[tokio::test]
async fn a_room_that_crashes_too_often_restarts_the_rooms_and_keeps_its_members() {
    let hub = Inside::start();
    let mut alice = hub.client("alice").await;
    alice.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    give_up(&hub, "room", "lobby").await;
    parent_restarted(&hub, "rooms").await;
    let mut bob = hub.client("bob").await;
    let joined = bob.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    assert_eq!(joined["members"].as_array().unwrap().len(), 2, "{joined}");
    assert_eq!(alice.next_of("member_joined").await["payload"]["member"]["client_id"], "bob");
}

/// Whoever waits for a room is answered too, and is not in it when it could not be let in.
#[tokio::test]
async fn what_waits_for_a_room_that_is_given_up_is_answered() {
    let hub = Inside::start();
    let (mut alice, mut bob) = (hub.client("alice").await, hub.client("bob").await);
    alice.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    hub.state.services.tree.arm("room", "lobby", Phase::Started, too_often("room") - 1);
    hub.crash("room", "lobby", Phase::Handler);
    until("it has crashed", async || (hub.row("room").restarts > 0).then_some(())).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(bob.send("join_room", json!({ "room": "lobby" })).await);
    }
    for request in waiting {
        let answer = bob.answer_to(&request).await;
        assert_eq!((&answer["type"], &answer["payload"]["code"]), (&json!("error"), &json!("internal")));
    }
    assert_eq!(hub.row("room").given_up, 1);
    let said = bob.ask("room_message", json!({ "room": "lobby", "data": "hello" })).await;
    assert_eq!(said["payload"]["code"], "not_in_room", "{said}");
    let joined = bob.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    assert_eq!(joined["total"], 2, "{joined}");
    assert_eq!(alice.next_of("member_joined").await["payload"]["member"]["client_id"], "bob");
}

/// Nobody stays in a room whose actor is gone when its connection is.
#[tokio::test]
async fn whoever_goes_is_let_out_of_a_room_that_was_given_up() {
    let hub = Inside::start();
    let mut alice = hub.client("alice").await;
    alice.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    give_up(&hub, "room", "lobby").await;
    parent_restarted(&hub, "rooms").await;
    alice.request("leave_room", json!({ "room": "lobby" }), "room_left").await;
    let lobby = RoomName::parse("lobby").unwrap();
    until("nobody is in", async || hub.state.services.rooms.members(&lobby).is_none().then_some(())).await;
}

#[tokio::test]
async fn a_node_that_crashes_too_often_restarts_the_fleet_and_reports_again() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    let report = json!({ "node": "n1", "names": ["load1"], "values": [1] });
    client.request("metrics", report.clone(), "metrics_ack").await;
    give_up(&hub, "node", "n1").await;
    parent_restarted(&hub, "fleet").await;
    client.request("metrics", report, "metrics_ack").await;
    until("the report is taken", async || (hub.node("n1").await.metrics["load1"] == 1.0).then_some(())).await;
}

/// A connection that crashes too often is one client's trouble, not the hub's.
#[tokio::test]
async fn a_connection_that_crashes_too_often_is_closed_and_nobody_else_notices() {
    let hub = Inside::start();
    let mut alice = hub.client("alice").await;
    let mut others = [hub.client("bob").await, hub.client("carol").await, hub.client("dave").await];
    for other in &mut others {
        other.subscribe("bench:a").await;
    }
    give_up(&hub, "connection", "alice").await;
    assert_eq!(alice.ended().await, Ended::Closed(4500, "internal error".into()));
    let mut alice = hub.client("alice").await;
    alice.publish("bench:a", json!("back")).await;
    for other in &mut others {
        assert_eq!(other.message().await.payload, "back");
    }
    assert_eq!(hub.state.services.tree.totals().given_up, 1);
}

#[tokio::test]
async fn a_root_that_crashes_too_often_ends_the_hub_with_its_reason() {
    let is_root = |row: &ChildSpec| row.parent.is_none() && row.on_give_up == OnGiveUp::Escalate;
    for row in table().into_iter().filter(is_root) {
        let servers = Servers::of(row.kind);
        let mut hub = Inside::with(|options| servers.tell(options));
        let mut client = hub.client("alice").await;
        let one = if ["shard", "lag_probe"].contains(&row.kind) { "worker-0" } else { row.kind };
        hub.state.services.tree.arm(row.kind, one, Phase::Handler, too_often(row.kind));
        match hub.ended().await {
            Err(HubError::Root(failure)) => {
                assert_eq!((failure.kind, &*failure.instance), (row.kind, one));
                assert!(failure.reason.contains("fault point"), "{failure:?}");
            }
            other => panic!("{}: {other:?}", row.kind),
        }
        let ended = client.ended().await;
        assert!(matches!(ended, Ended::Closed(1012 | 4500, _)), "{}: {ended:?}", row.kind);
    }
}
