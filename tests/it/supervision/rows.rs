//! Each row of the table, crashed at each point of its life while clients are at work.

use std::sync::Arc;
use std::time::Duration;

use infrawatch::hub::table;
use infrawatch::ids::RoomName;
use infrawatch::supervision::fault::Phase;
use serde_json::{Value, json};

use super::Servers;
use crate::hub::{Client, Ended, Inside, until};

/// Rules on the samples of the nodes.
const RULES: [&str; 2] = ["busy", "other"];

/// Which actor of a kind is crashed; its siblings are the others.
fn victim(kind: &str) -> &'static str {
    match kind {
        "keeper" => "keeper",
        "breakers" => "breakers",
        "engine" => "engine",
        "ownership" => "ownership",
        "lab_faults" => "lab_faults",
        "broker" => "broker",
        "topic" => "bench:a",
        "webhooks" => "webhooks",
        "rooms" => "rooms",
        "room" => "lobby",
        "documents" => "documents",
        "document" => "plan",
        "alerts" => "alerts",
        "rules" => "rules",
        "rule" => "busy",
        "fleet" => "fleet",
        "node" => "n1",
        "sampler" => "sampler",
        "lab_runs" => "lab_runs",
        "lag_probe" | "shard" => "worker-0",
        "connection" => "alice",
        other => panic!("a new row {other}: name its victim, and what its crash may cost"),
    }
}

/// What the clients of a hub do while one of its actors crashes.
struct Cast {
    alice: Client,
    bob: Client,
    carol: Client,
}

impl Cast {
    async fn gather(hub: &Inside) -> Self {
        let mut cast = Self {
            alice: hub.client("alice").await,
            bob: hub.client("bob").await,
            carol: hub.client("carol").await,
        };
        for client in [&mut cast.alice, &mut cast.bob, &mut cast.carol] {
            settle(client).await;
        }
        cast.alice.publish("bench:a", json!("first")).await;
        cast.alice.publish("bench:b", json!("first")).await;
        for client in [&mut cast.alice, &mut cast.bob, &mut cast.carol] {
            client.message().await;
            client.message().await;
        }
        for node in ["n1", "n2"] {
            report(&mut cast.carol, node, 0).await;
        }
        for id in RULES {
            let rule = json!({ "id": id, "name": id, "kind": "threshold", "metric": "load1",
                "comparison": ">", "value": 1_000_000 });
            let definition = serde_json::from_value(rule).unwrap();
            hub.state.services.rules.create(definition, "alice").await.unwrap();
        }
        for doc in ["plan", "notes"] {
            let write = json!({ "doc": doc, "key": "first", "value": 1, "base_version": 0 });
            cast.alice.request("sync_put", write, "sync_applied").await;
        }
        cast
    }
}

/// Subscribes and joins what every client of the cast does.
async fn settle(client: &mut Client) {
    let topics = json!({ "topics": ["bench:a", "bench:b", "sync:plan", "sync:notes"] });
    client.request("subscribe", topics, "subscribed").await;
    for room in ["lobby", "den"] {
        client.request("join_room", json!({ "room": room }), "room_joined").await;
    }
}

async fn report(client: &mut Client, node: &str, load: u64) -> Value {
    let payload = json!({ "node": node, "names": ["load1"], "values": [load] });
    client.request("metrics", payload, "metrics_ack").await
}

/// What must not change, or only as declared.
#[derive(Debug)]
struct Kept {
    epochs: [Arc<str>; 2],
    members: [Vec<String>; 2],
    loads: [Option<f64>; 2],
}

async fn look(hub: &Inside) -> Kept {
    let members = |room: &str| {
        let members = hub.state.services.rooms.members(&RoomName::parse(room).unwrap()).unwrap_or_default();
        members.members.iter().map(|member| member.client_id.to_string()).collect()
    };
    let load = async |node| hub.node(node).await.metrics.get("load1").copied();
    Kept {
        epochs: [hub.topic("bench:a").await.epoch, hub.topic("bench:b").await.epoch],
        members: [members("lobby"), members("den")],
        loads: [load("n1").await, load("n2").await],
    }
}

/// Requests of every sort, sent without waiting.
async fn send_load(cast: &mut Cast, from: u64) -> (Vec<String>, Vec<String>) {
    let (mut alices, mut carols) = (Vec::new(), Vec::new());
    for n in from..from + 20 {
        for topic in ["bench:a", "bench:b"] {
            alices.push(cast.alice.send("publish", json!({ "topic": topic, "data": n })).await);
        }
        alices.push(cast.alice.send("ping", json!({ "t": n })).await);
        alices.push(cast.alice.send("room_message", json!({ "room": "lobby", "data": n })).await);
        for doc in ["plan", "notes"] {
            let write = json!({ "doc": doc, "key": "load", "value": n, "base_version": 0 });
            alices.push(cast.alice.send("sync_put", write).await);
        }
        alices.push(cast.alice.send("leave_room", json!({ "room": "lobby" })).await);
        alices.push(cast.alice.send("join_room", json!({ "room": "lobby" })).await);
        for node in ["n1", "n2"] {
            let payload = json!({ "node": node, "names": ["load1"], "values": [n] });
            carols.push(cast.carol.send("metrics", payload).await);
        }
    }
    (alices, carols)
}

/// Every request is answered, and not with an error; false when the connection was closed as declared.
/// Of a document that crashed, who wrote at that moment is told that it failed.
async fn answered(client: &mut Client, ids: &[String], kind: &str) -> bool {
    for id in ids {
        match client.answer_or_end(id).await {
            Some(answer) if kind == "document" && id.starts_with("sync_put") => {
                assert!(
                    answer["type"] != "error" || answer["payload"]["code"] == "internal",
                    "{id}: {answer}"
                );
            }
            Some(answer) => assert_ne!(answer["type"], "error", "{id}: {answer}"),
            None => return false,
        }
    }
    true
}

/// Crashes the row's victim in a phase while clients work, and looks at what became of everybody.
async fn crash_row(kind: &'static str, phase: Phase) {
    let servers = Servers::of(kind);
    let hub = Inside::with(|options| servers.tell(options));
    let mut cast = Cast::gather(&hub).await;
    let before = look(&hub).await;
    let (mut alices, mut carols) = send_load(&mut cast, 0).await;
    hub.crash(kind, victim(kind), phase);
    let (more_alices, more_carols) = send_load(&mut cast, 20).await;
    alices.extend(more_alices);
    carols.extend(more_carols);
    let restarts = if phase == Phase::Started { 2 } else { 1 };
    let took = hub.back(kind, restarts).await;
    let row = hub.row(kind);
    assert!(took <= Duration::from_millis(row.backoff_max_ms), "{kind} {phase:?}: back after {took:?}");
    let failure = row.last_failure.as_ref().unwrap();
    assert_eq!(
        (row.restarts, row.given_up, &*failure.instance),
        (restarts, 0, victim(kind)),
        "{kind} {phase:?}"
    );
    assert_eq!(format!("{:?}", failure.phase), format!("{phase:?}"), "{kind}");
    let others = hub.state.services.tree.totals();
    assert_eq!(
        (others.restarts, others.given_up),
        (restarts, 0),
        "{kind} {phase:?}: siblings are not touched"
    );

    let open =
        [answered(&mut cast.alice, &alices, kind).await, answered(&mut cast.carol, &carols, kind).await];
    if kind == "shard" {
        come_back(&hub, &mut cast).await;
    } else {
        assert_eq!(open, [true, true], "{kind} {phase:?}: a connection was closed");
        let after = look(&hub).await;
        // What the crashed node had when it crashed is gone until the next report; that may have been all.
        let lost = kind == "node" && after.loads[0].is_none();
        assert!(
            after.loads == [Some(39.0); 2] || lost && after.loads[1] == Some(39.0),
            "{kind} {phase:?}: {after:?}"
        );
        assert_eq!(after.members, before.members, "{kind} {phase:?}");
        assert_eq!(after.epochs[1], before.epochs[1], "{kind} {phase:?}");
        assert_eq!(after.epochs[0] != before.epochs[0], kind == "topic", "{kind} {phase:?}");
    }
    everybody_goes_on(&hub, &mut cast, &format!("{kind} {phase:?}")).await;
}

/// A worker's connections are closed with 4500 when its shard crashes; those of the other worker notice nothing.
async fn come_back(hub: &Inside, cast: &mut Cast) {
    let mut closed = 0;
    for (name, client) in [("alice", &mut cast.alice), ("bob", &mut cast.bob), ("carol", &mut cast.carol)] {
        client.send("ping", json!({})).await;
        let id = client.send("ping", json!({})).await;
        if client.answer_or_end(&id).await.is_none() {
            assert_eq!(client.ended().await, Ended::Closed(4500, "internal error".into()), "{name}");
            *client = hub.client(name).await;
            settle(client).await;
            closed += 1;
        }
    }
    assert!((1..=2).contains(&closed), "{closed} of 3 connections on 2 workers were closed");
}

/// Whoever was subscribed, a member or known still is: nobody asks again, everybody gets what is new.
async fn everybody_goes_on(hub: &Inside, cast: &mut Cast, after: &str) {
    for topic in ["bench:a", "bench:b"] {
        let told = format!("{topic} after {after}");
        let published = cast.alice.publish(topic, json!(told)).await;
        for client in [&mut cast.alice, &mut cast.bob, &mut cast.carol] {
            let heard = client.first(&told, |f| f["type"] == "message" && f["payload"] == *told).await;
            for field in ["topic", "epoch", "offset"] {
                assert_eq!(heard["metadata"][field], published[field], "{told}");
            }
        }
    }
    for room in ["lobby", "den"] {
        for speaker in 0..2 {
            let told = format!("{room} by {speaker} after {after}");
            let speaker = if speaker == 0 { &mut cast.alice } else { &mut cast.bob };
            speaker.request("room_message", json!({ "room": room, "data": told }), "room_message_sent").await;
            for client in [&mut cast.alice, &mut cast.bob, &mut cast.carol] {
                client.first(&told, |f| f["type"] == "room_message" && f["payload"]["data"] == *told).await;
            }
        }
    }
    for doc in ["plan", "notes"] {
        let told = format!("{doc} after {after}");
        let write = |base: u64| json!({ "doc": doc, "key": "told", "value": told, "base_version": base });
        let applied = cast.alice.request("sync_put", write(0), "sync_applied").await;
        assert_eq!(applied["version"], 1, "{told}");
        for client in [&mut cast.alice, &mut cast.bob, &mut cast.carol] {
            client.first(&told, |f| f["type"] == "sync_update" && f["payload"]["value"] == *told).await;
        }
        let asked = json!({ "doc": doc, "keys": ["load"] });
        let load = cast.bob.request("sync_get", asked, "sync_doc").await["entries"][0].clone();
        // Of these the last write of the load need not have been acknowledged.
        if !["shard", "document"].iter().any(|kind| after.starts_with(&format!("{kind} "))) {
            assert_eq!(load["value"], 39, "{told}");
        }
    }
    for node in ["n1", "n2"] {
        assert_eq!(report(&mut cast.carol, node, 77).await["durable"], true);
        until(node, async || (hub.node(node).await.metrics["load1"] == 77.0).then_some(())).await;
    }
    for id in RULES {
        let sees_both = async || (hub.state.services.rules.one(id)?.live.series >= 2).then_some(());
        until(&format!("rule {id} after {after}"), sees_both).await;
    }
    let sampled = hub.node("here").await.sampled_at;
    until("the sampler goes on", async || (hub.node("here").await.sampled_at > sampled).then_some(())).await;
}

async fn crash_every_row(phase: Phase) {
    for row in table() {
        crash_row(row.kind, phase).await;
    }
}

#[tokio::test]
async fn every_row_comes_back_from_a_crash_in_a_handler() {
    crash_every_row(Phase::Handler).await;
}

#[tokio::test]
async fn every_row_comes_back_from_a_crash_in_a_timer() {
    crash_every_row(Phase::Timer).await;
}

#[tokio::test]
async fn every_row_comes_back_from_a_crash_when_it_is_started() {
    crash_every_row(Phase::Started).await;
}

#[tokio::test]
async fn every_row_comes_back_from_a_crash_when_it_is_rebuilt() {
    crash_every_row(Phase::Restarting).await;
}
