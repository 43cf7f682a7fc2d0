//! Bad input, as one table: a row is what a client does wrong and what it gets for it.
//!
//! While the rows run, a witness publishes and receives on the same hub; it must get every message in order.

mod encodings;
mod rows;
mod scenes;
mod tokens;

use std::pin::Pin;

use infrawatch::protocol::codes::Close;
use serde_json::json;

use crate::hub::{Client, Hub, RawEvent, RawSocket, Speaker, Tongue, Upgrade, Witness, until};

/// What a client gets.
#[derive(Debug, PartialEq, Eq)]
enum Gets {
    /// An `error` frame with this code; the connection goes on.
    Error(String),
    /// A `metrics_ack` that names this reason and no other; the connection goes on.
    Rejected(String),
    /// This status and problem code before any upgrade.
    Refused(u16, String),
    /// A close frame with this code.
    Closed(u16),
}

impl Gets {
    /// The sample in `/metrics` that counts it.
    fn counter(&self) -> String {
        match self {
            Self::Error(code) => format!("infrawatch_errors_sent_total{{code=\"{code}\"}}"),
            Self::Rejected(reason) => format!("infrawatch_samples_rejected_total{{reason=\"{reason}\"}}"),
            Self::Refused(_, code) => format!("infrawatch_upgrades_refused_total{{code=\"{code}\"}}"),
            Self::Closed(code) => {
                let close = Close::ALL.iter().find(|close| close.code() == *code).unwrap();
                format!("infrawatch_connections_closed_total{{cause=\"{}\"}}", close.name())
            }
        }
    }
}

type Scene = for<'a> fn(&'a Hub) -> Pin<Box<dyn Future<Output = Gets> + 'a>>;

/// What a client does.
enum Does {
    /// Sends one text frame, with a token of this role.
    Says(&'static str, String),
    /// Sends these bytes after the upgrade.
    Sends(Vec<u8>),
    /// Sends these bytes on a connection that speaks so.
    Speaks(Tongue, Vec<u8>),
    /// Asks for this upgrade.
    Asks(fn(&Hub) -> Upgrade),
    /// Several steps.
    Plays(Scene),
}

/// A row of the table.
struct Row {
    name: &'static str,
    does: Does,
    gets: Gets,
}

/// The hub that all rows run against: as it is by default, but everything that takes time is short and
/// everything that must be full is small.
fn hub() -> Hub {
    Hub::with(|settings| {
        settings.connection.ping_interval_ms = 1_000;
        settings.connection.pong_grace_ms = 500;
        settings.connection.close_grace_ms = 500;
        settings.connection.outbox_bytes_max = 64 * 1024;
        settings.topic.flush_interval_ms = 0;
        settings.connection.connections_max = 40;
    })
}

#[tokio::test]
async fn bad_input_gets_its_own_answer_and_harms_nobody_else() {
    let hub = hub();
    let mut witness = Witness::start(&hub).await;
    let mut findings = Vec::new();
    for Row { name, does, gets } in rows::table() {
        let counter = gets.counter();
        let before = hub.metric(&counter).await;
        let got = does.run(&hub).await;
        if got == gets {
            // A close is counted when the connection is over on the hub's side too.
            until(&counter, async || (hub.metric(&counter).await > before).then_some(())).await;
        } else {
            findings.push(format!("{name}: expected {gets:?}, got {got:?}"));
        }
        witness.unharmed(name).await;
    }
    witness.finish().await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

impl Does {
    async fn run(&self, hub: &Hub) -> Gets {
        match self {
            Self::Says(role, text) => says(hub, role, text).await,
            Self::Sends(bytes) => {
                let mut raw = RawSocket::open_as(hub, "bytes", "viewer").await;
                raw.send(bytes).await;
                // No close frame at all is 1006, as the RFC has it.
                Gets::Closed(raw.closed().await.unwrap_or(1006))
            }
            Self::Speaks(tongue, bytes) => speaks(hub, *tongue, bytes).await,
            Self::Asks(upgrade) => match RawSocket::open(hub, &upgrade(hub)).await {
                Ok(raw) => panic!("upgraded: {}", raw.head),
                Err(refusal) => Gets::Refused(refusal.status, refusal.code()),
            },
            Self::Plays(scene) => scene(hub).await,
        }
    }
}

async fn says(hub: &Hub, role: &str, text: &str) -> Gets {
    let token = if role == "agent" { hub.agent_token("web-1") } else { hub.token(role) };
    let mut client = Client::open(hub, &format!("says-{role}"), &token).await;
    client.send_text(text).await;
    let answer = client.next().await.unwrap();
    let payload = &answer["payload"];
    let gets = match answer["type"].as_str().unwrap() {
        "error" => {
            assert!(payload["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
            Gets::Error(payload["code"].as_str().unwrap().to_owned())
        }
        "metrics_ack" => {
            let reasons = payload["reasons"].as_object().unwrap();
            assert_eq!(payload["rejected"], reasons.values().map(|n| n.as_u64().unwrap()).sum::<u64>());
            Gets::Rejected(reasons.keys().cloned().collect::<Vec<_>>().join(" and "))
        }
        other => panic!("{other}: {answer}"),
    };
    let pong = client.request("ping", json!({ "t": "still here" }), "pong").await;
    assert_eq!(pong["t"], "still here");
    client.leave().await;
    gets
}

async fn speaks(hub: &Hub, tongue: Tongue, bytes: &[u8]) -> Gets {
    let mut speaker = Speaker::open_as(hub, "speaks", "operator", tongue).await;
    speaker.raw.send(bytes).await;
    let code = match speaker.raw.next_but_pings().await {
        RawEvent::Close(code) => return Gets::Closed(code),
        RawEvent::Text(text) => serde_json::from_str(&text).unwrap(),
        RawEvent::Binary(packed) => rmp_serde::from_slice::<serde_json::Value>(&packed).unwrap(),
        event => panic!("{event:?}"),
    };
    assert_eq!(code["type"], "error", "{code}");
    assert!(code["payload"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{code}");
    let pong = speaker.ask("ping", json!({ "t": "still here" })).await;
    assert_eq!(pong["payload"]["t"], "still here");
    Gets::Error(code["payload"]["code"].as_str().unwrap().to_owned())
}
