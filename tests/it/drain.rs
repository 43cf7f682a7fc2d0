//! A hub that is told to stop says so, sends its clients away in good order, and goes.

use std::collections::{BTreeMap, BTreeSet};

use infrawatch::auth::Role;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::hub::{Client, Ended, Hub, Inside, RawSocket, Upgrade, until, within};

const CLIENTS: usize = 12;

#[tokio::test]
async fn sigterm_drains_tells_every_client_and_ends_with_0() {
    let mut hub = Hub::start();
    let token = hub.token("operator");
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let mut client = Client::open(&hub, &format!("client-{n}"), &token).await;
        client.subscribe("bench:t").await;
        clients.push(client);
    }
    let published = clients[0].publish("deployments", json!("the last word")).await;
    hub.process.signal(Signal::TERM);
    let upgrade = Upgrade::to("/ws/late").bearer(&token);
    let refusal = until("the hub refuses newcomers", async || {
        if tokio::net::TcpStream::connect(hub.address).await.is_err() {
            return Some(None);
        }
        RawSocket::open(&hub, &upgrade).await.err().map(Some)
    })
    .await;
    if let Some(refusal) = refusal {
        assert_eq!((refusal.status, &*refusal.code()), (503, "draining"));
        assert!(refusal.head.contains("Retry-After: "), "{refusal:?}");
    }
    let mut hints = Vec::new();
    for mut client in clients {
        let draining = client.next_of("draining").await;
        hints.push(draining["payload"]["reconnect_after_ms"].as_u64().unwrap());
        assert_eq!(client.ended().await, Ended::Closed(1012, "restart".into()));
    }
    hints.sort_unstable();
    hints.dedup();
    assert!(hints.len() > 1, "all clients would come back at once: {hints:?}");
    assert!(hub.process.wait().is_some_and(|status| status.success()));
    hub.start_again();
    let mut back = Client::open(&hub, "client-0", &token).await;
    let position = back.subscribe("deployments").await;
    assert_eq!((&position["epoch"], &position["offset"]), (&published["epoch"], &published["offset"]));
}

#[tokio::test]
async fn a_hub_that_drains_takes_no_new_socket() {
    let hub = Inside::start();
    let mut here = hub.client("here").await;
    hub.state.draining.send_replace(true);
    let upgrade = reqwest::Client::new().get(hub.url("/ws/late")).bearer_auth(hub.token(Role::Admin));
    let upgrade = upgrade.header("connection", "upgrade").header("upgrade", "websocket");
    let upgrade =
        upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    let answer = within("the refusal", upgrade.send()).await.unwrap();
    let retry_after = answer.headers().contains_key("retry-after");
    assert_eq!((answer.status().as_u16(), retry_after), (503, true));
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "draining");
    // Who is here is served until it is its turn.
    here.request("ping", json!({}), "pong").await;
    hub.state.draining.send_replace(false);
    hub.client("late").await.request("ping", json!({}), "pong").await;
}

#[tokio::test]
async fn a_client_that_does_not_listen_does_not_hold_the_hub_up() {
    let mut hub = Hub::start();
    let mut deaf = RawSocket::open_as(&hub, "deaf", "viewer").await;
    let mut half = RawSocket::open_as(&hub, "half", "viewer").await;
    half.send(&[0x81]).await;
    hub.process.signal(Signal::TERM);
    assert!(hub.process.wait().is_some_and(|status| status.success()));
    assert_eq!((deaf.closed().await, half.closed().await), (Some(1012), Some(1012)));
}

const RESTARTS: u64 = 3;

/// Acknowledged messages between two restarts.
const BETWEEN: u64 = 150;

/// Where clients connect to, and how often the hub was started again.
#[derive(Clone)]
struct Door {
    url: String,
    token: String,
    starts: watch::Receiver<u64>,
}

impl Door {
    async fn open(&mut self, client_id: &str) -> Client {
        self.starts.borrow_and_update();
        let url = format!("{}/ws/{client_id}", self.url);
        Client::open_url(&url, &[("authorization", &format!("Bearer {}", self.token))]).await
    }

    async fn opens_again(&mut self) {
        within("the next start", self.starts.changed()).await.unwrap();
    }
}

/// What a follower got by offset, and when it was told to come back.
#[derive(Default)]
struct Followed {
    messages: BTreeMap<u64, Value>,
    hints_ms: Vec<u64>,
}

/// Reads the topic through every restart up to the last message; each offset must follow the one before.
async fn follow(client_id: String, mut door: Door) -> Followed {
    let mut followed = Followed::default();
    let mut at: Option<(Value, u64)> = None;
    loop {
        let mut client = door.open(&client_id).await;
        let topic = match &at {
            None => json!({ "topic": "deployments" }),
            Some((epoch, offset)) => {
                json!({ "topic": "deployments", "recover": { "epoch": epoch, "offset": offset } })
            }
        };
        let told = client.request("subscribe", json!({ "topics": [topic] }), "subscribed").await;
        let told = &told["topics"][0];
        assert_eq!(told["recovered"], at.is_some(), "{client_id}: {told}");
        let (epoch, mut last) = at.unwrap_or((told["epoch"].clone(), told["offset"].as_u64().unwrap()));
        let ended = loop {
            let frame = match client.next().await {
                Ok(frame) => frame,
                Err(ended) => break ended,
            };
            match frame["type"].as_str().unwrap() {
                "message" => {
                    let meta = &frame["metadata"];
                    assert_eq!((&meta["epoch"], &meta["offset"]), (&epoch, &json!(last + 1)), "{client_id}");
                    last += 1;
                    followed.messages.insert(last, frame["payload"].clone());
                    if frame["payload"] == "the end" {
                        return followed;
                    }
                }
                "draining" => {
                    followed.hints_ms.push(frame["payload"]["reconnect_after_ms"].as_u64().unwrap());
                }
                _ => {}
            }
        };
        assert_eq!(ended, Ended::Closed(1012, "restart".into()), "{client_id}");
        at = Some((epoch, last));
        door.opens_again().await;
    }
}

/// Publishes through every restart until it is told to stop; what was acknowledged, by offset.
async fn publish(
    mut door: Door,
    stop: watch::Receiver<bool>,
    safe: watch::Sender<u64>,
) -> BTreeMap<u64, Value> {
    let mut acknowledged = BTreeMap::new();
    let mut client = door.open("publisher").await;
    for n in 0_u64.. {
        let is_last = *stop.borrow();
        let data = if is_last { json!("the end") } else { json!(n) };
        let id = client.send("publish", json!({ "topic": "deployments", "data": data })).await;
        match client.answer_or_end(&id).await {
            Some(answer) => {
                assert_eq!(answer["type"], "published", "{answer}");
                let taken = acknowledged.insert(answer["payload"]["offset"].as_u64().unwrap(), data);
                assert_eq!(taken, None, "an offset was given twice: {answer}");
                safe.send_modify(|count| *count += 1);
                if is_last {
                    return acknowledged;
                }
            }
            // Whether it was taken is not known.
            None => {
                door.opens_again().await;
                client = door.open("publisher").await;
            }
        }
    }
    unreachable!("it is stopped before")
}

async fn all_are_there(hub: &Hub, count: usize) {
    until("all are there", async || {
        (hub.metric("infrawatch_connections_active").await == count as u64).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_rolling_restart_under_load_loses_and_duplicates_nothing_that_the_store_keeps() {
    let mut hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let (started, starts) = watch::channel(0);
    let door = Door { url: hub.url(), token: hub.token("operator"), starts };
    let followers: Vec<_> =
        (0..CLIENTS).map(|n| tokio::spawn(follow(format!("follower-{n}"), door.clone()))).collect();
    all_are_there(&hub, CLIENTS).await;
    let (stop, stopped) = watch::channel(false);
    let (safe, mut acknowledged) = watch::channel(0);
    let publisher = tokio::spawn(publish(door, stopped, safe));
    for restart in 1..=RESTARTS {
        within("the load", acknowledged.wait_for(|count| *count >= restart * BETWEEN)).await.unwrap();
        hub.process.signal(Signal::TERM);
        assert!(hub.process.wait().is_some_and(|status| status.success()));
        hub.start_again();
        started.send_replace(restart);
        all_are_there(&hub, CLIENTS + 1).await;
    }
    within("the load", acknowledged.wait_for(|count| *count >= (RESTARTS + 1) * BETWEEN)).await.unwrap();
    stop.send_replace(true);
    let acknowledged = within("the publisher", publisher).await.unwrap();
    let mut hints_ms = BTreeSet::new();
    for follower in followers {
        let Followed { messages, hints_ms: own } = within("a follower", follower).await.unwrap();
        for (offset, data) in acknowledged.range(messages.first_key_value().map_or(0, |(first, _)| *first)..)
        {
            assert_eq!(messages.get(offset), Some(data), "offset {offset} was acknowledged");
        }
        assert!(messages.len() as u64 > RESTARTS * BETWEEN, "{} messages", messages.len());
        assert_eq!(own.len() as u64, RESTARTS, "every one is told each time");
        hints_ms.extend(own);
    }
    assert!(hints_ms.len() > 3, "all clients would come back at once: {hints_ms:?}");
}
