//! Breakers, opened by hand and by real failures; time is moved by hand.

mod held;
mod refused;
mod told;

use infrawatch::breaker::{State, Subsystem};
use infrawatch::clock::{Clock, ManualClock, system_unix_ms};
use infrawatch::hub::HubOptions;
use serde_json::{Value, json};

use crate::hub::{Client, Inside, until};

/// As long as a breaker stays open.
const OPEN_MS: u64 = 30_000;

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

async fn degrade(hub: &Inside, subsystem: &str) -> Value {
    let (status, _, answer) =
        hub.post("/api/v1/operations/degrade", &json!({ "subsystem": subsystem })).await;
    assert_eq!(
        (status, &answer["state"], &answer["forced"]),
        (200, &json!("open"), &json!(true)),
        "{answer}"
    );
    answer
}

async fn recover(hub: &Inside, subsystem: &str) {
    let (status, _, answer) =
        hub.post("/api/v1/operations/recover", &json!({ "subsystem": subsystem })).await;
    assert_eq!((status, &answer["recovered"]), (200, &json!([subsystem])), "{answer}");
}

fn state(hub: &Inside, subsystem: Subsystem) -> State {
    hub.state.services.breakers.one(subsystem).change.state
}

async fn reaches(hub: &Inside, subsystem: Subsystem, wanted: State) {
    let what = format!("{subsystem:?} is {wanted:?}");
    until(&what, async || (state(hub, subsystem) == wanted).then_some(())).await;
}

/// A request that must fail; the payload of the error.
async fn fails(client: &mut Client, kind: &str, payload: Value) -> Value {
    client.request(kind, payload, "error").await
}

fn event() -> Value {
    json!({ "type": "tried", "payload": {} })
}
