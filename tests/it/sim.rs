//! Fault scenarios of the Reliability Lab: each is enabled over HTTP on a real hub, and what it promises is looked at.

mod accounts;
mod actors;
mod clock;
mod documented;
mod life;
mod load;
mod off;
mod pace;
mod store;
mod wire;

use infrawatch::clock::{Clock, ManualClock, system_unix_ms};
use infrawatch::hub::HubOptions;
use serde_json::{Value, json};

use crate::hub::{Client, Inside};

/// A hub whose time stands still until it is moved.
fn timed(change: impl FnOnce(&mut HubOptions)) -> (Inside, ManualClock) {
    let (clock, hand) = Clock::manual(system_unix_ms());
    let hub = Inside::with(|options| {
        options.clock = clock;
        options.settings.sampler.enabled = false;
        change(options);
    });
    (hub, hand)
}

/// Enables a scenario; its run.
async fn enable(hub: &Inside, name: &str, parameters: Value) -> Value {
    let (status, _, run) =
        hub.post("/api/sim/enable", &json!({ "name": name, "parameters": parameters })).await;
    assert_eq!((status, &run["name"], &run["state"]), (200, &json!(name), &json!("active")), "{run}");
    run
}

/// Ends a scenario; its run.
async fn disable(hub: &Inside, name: &str) -> Value {
    let (status, _, run) = hub.post("/api/sim/disable", &json!({ "name": name })).await;
    assert_eq!((status, &run["name"], &run["ended_by"]), (200, &json!(name), &json!("disabled")), "{run}");
    run
}

/// What is active, by name.
async fn active(hub: &Inside) -> Vec<String> {
    let (status, _, told) = hub.get("/api/sim/status").await;
    assert_eq!((status, &told["enabled"]), (200, &json!(true)), "{told}");
    let runs = told["active"].as_array().unwrap();
    runs.iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
}

/// The offsets of so many messages of a topic, in the order in which they came.
async fn offsets(client: &mut Client, topic: &str, count: usize) -> Vec<u64> {
    let mut offsets = Vec::new();
    while offsets.len() < count {
        let message = client.message().await;
        if message.topic == topic {
            offsets.push(message.offset);
        }
    }
    offsets
}

/// Subscribes from a place on; the answer's row of the topic.
async fn recover(client: &mut Client, topic: &str, epoch: &Value, offset: u64) -> Value {
    let place = json!({ "topic": topic, "recover": { "epoch": epoch, "offset": offset } });
    let answer = client.request("subscribe", json!({ "topics": [place] }), "subscribed").await;
    answer["topics"][0].clone()
}
