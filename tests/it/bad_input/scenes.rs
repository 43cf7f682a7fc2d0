//! Bad input that takes more than one step.

use serde_json::json;

use super::Gets;
use crate::hub::{BINARY, Client, Ended, Hub, RawEvent, RawSocket, TEXT, Upgrade, frame};

const MIB: u64 = 1 << 20;

/// The code of an `error` frame.
fn code(answer: &serde_json::Value) -> String {
    assert_eq!(answer["type"], "error", "{answer}");
    answer["payload"]["code"].as_str().unwrap().to_owned()
}

fn closed_with(code: Option<u16>) -> Gets {
    // No close frame at all is 1006, as the RFC has it.
    Gets::Closed(code.unwrap_or(1006))
}

pub(super) async fn binary(hub: &Hub) -> Gets {
    let mut raw = RawSocket::open_as(hub, "binary", "viewer").await;
    raw.send(&frame(BINARY, b"\x81\xa4type\xa4ping")).await;
    let RawEvent::Text(answer) = raw.next().await else { panic!("no answer") };
    let code = code(&serde_json::from_str(&answer).unwrap());
    raw.send(&frame(TEXT, br#"{"type":"ping"}"#)).await;
    assert!(matches!(raw.next().await, RawEvent::Text(answer) if answer.contains("pong")));
    Gets::Error(code)
}

/// Only the header is sent. The hub must not make room for the rest.
pub(super) async fn hundred_megabytes(hub: &Hub) -> Gets {
    let before = hub.resident_bytes();
    let mut raw = RawSocket::open_as(hub, "large", "viewer").await;
    let mut header = vec![TEXT, 0x80 | 127];
    header.extend(100_000_000_u64.to_be_bytes());
    header.extend([0; 4]);
    raw.send(&header).await;
    let code = raw.closed().await;
    let grown = hub.resident_bytes().saturating_sub(before);
    assert!(grown < 20 * MIB, "{grown} bytes more after the header of a large frame");
    closed_with(code)
}

/// Each part is small, the message is not.
pub(super) async fn endless_parts(hub: &Hub) -> Gets {
    let mut raw = RawSocket::open_as(hub, "parts", "viewer").await;
    let mut parts = frame(0x01, &[b' '; 1024]);
    for _ in 0..64 {
        parts.extend(frame(0x00, &[b' '; 1024]));
    }
    raw.send(&parts).await;
    closed_with(raw.closed().await)
}

/// Says half of what it announced, then nothing more.
pub(super) async fn half_a_frame(hub: &Hub) -> Gets {
    let mut raw = RawSocket::open_as(hub, "half", "viewer").await;
    let whole = frame(TEXT, br#"{"type":"ping"}"#);
    raw.send(&whole[..whole.len() / 2]).await;
    closed_with(raw.closed().await)
}

pub(super) async fn never_pongs(hub: &Hub) -> Gets {
    let mut raw = RawSocket::open_as(hub, "silent", "viewer").await;
    assert_eq!(raw.next().await, RawEvent::Ping);
    closed_with(raw.closed().await)
}

/// Subscribes to a busy topic and reads nothing of it. Others on the same topic get everything.
pub(super) async fn never_reads(hub: &Hub) -> Gets {
    const MESSAGES: u64 = 200;
    let upgrade = Upgrade::to("/ws/deaf").bearer(&hub.token("viewer"));
    let mut deaf = RawSocket::open_narrow(hub, &upgrade).await.unwrap();
    deaf.next().await;
    deaf.send(&frame(TEXT, br#"{"type":"subscribe","topics":["bench:flood"]}"#)).await;
    assert!(matches!(deaf.next().await, RawEvent::Text(answer) if answer.contains("subscribed")));
    // One for each worker, so that one sits beside the client that does not read.
    let mut peers =
        [Client::open_as(hub, "peer-1", "viewer").await, Client::open_as(hub, "peer-2", "viewer").await];
    for peer in &mut peers {
        peer.subscribe("bench:flood").await;
    }
    let mut publisher = Client::open_as(hub, "flood", "operator").await;
    let data = "x".repeat(8 * 1024);
    for n in 1..=MESSAGES {
        publisher.publish("bench:flood", json!(data)).await;
        for peer in &mut peers {
            assert_eq!(peer.message().await.offset, n);
        }
    }
    closed_with(deaf.closed().await)
}

pub(super) async fn bad_frames(hub: &Hub) -> Gets {
    let mut client = Client::open_as(hub, "babbler", "viewer").await;
    for _ in 0..99 {
        client.send_text("?").await;
    }
    // A good one in between: only those in a row count.
    client.request("ping", json!({}), "pong").await;
    for _ in 0..100 {
        client.send_text("?").await;
    }
    let ended = client.ended().await;
    let mut errors = 0;
    while client.has_waiting("error") {
        assert_eq!(code(&client.next_of("error").await), "invalid_json");
        errors += 1;
    }
    assert!(errors >= 99, "{errors} answers to 199 bad frames");
    match ended {
        Ended::Closed(code, _) => closed_with(Some(code)),
        Ended::Cut => closed_with(None),
    }
}

pub(super) async fn ten_thousand_topics(hub: &Hub) -> Gets {
    let mut client = Client::open_as(hub, "greedy", "viewer").await;
    let mut subscribed = 0;
    let mut refused = Vec::new();
    for part in 0..40 {
        let topics: Vec<_> = (0..250).map(|n| format!("greedy:{}", part * 250 + n)).collect();
        let answer = client.ask("subscribe", json!({ "topics": topics })).await;
        match answer["payload"]["topics"].as_array() {
            Some(topics) => subscribed += topics.len(),
            None => refused.push(code(&answer)),
        }
    }
    assert_eq!((subscribed, refused.len()), (250, 39));
    refused.dedup();
    client.leave().await;
    Gets::Error(refused.join(" and "))
}

pub(super) async fn thousand_rooms(hub: &Hub) -> Gets {
    let mut client = Client::open_as(hub, "sociable", "viewer").await;
    let mut refused = Vec::new();
    for n in 0..1_000 {
        let answer = client.ask("join_room", json!({ "room": format!("room-{n}") })).await;
        if answer["type"] != "room_joined" {
            refused.push(code(&answer));
        }
    }
    assert_eq!(refused.len(), 1_000 - 64);
    refused.dedup();
    client.leave().await;
    Gets::Error(refused.join(" and "))
}

/// The same client id and subject: the newer one wins.
pub(super) async fn second_connection(hub: &Hub) -> Gets {
    let mut first = RawSocket::open_as(hub, "twice", "viewer").await;
    let mut second = Client::open_as(hub, "twice", "viewer").await;
    let code = first.closed().await;
    second.request("ping", json!({}), "pong").await;
    second.leave().await;
    closed_with(code)
}

/// Holds every place there is; the witness has two of them.
pub(super) async fn connection_limit(hub: &Hub) -> Gets {
    let token = hub.token("viewer");
    let mut places = Vec::new();
    loop {
        let upgrade = Upgrade::to(&format!("/ws/place-{}", places.len())).bearer(&token);
        match RawSocket::open(hub, &upgrade).await {
            Ok(place) => places.push(place),
            Err(refusal) => {
                assert!((30..=38).contains(&places.len()), "{} places", places.len());
                return Gets::Refused(refusal.status, refusal.code());
            }
        }
    }
}
