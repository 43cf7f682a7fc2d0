//! One slow client never slows down another, what waits for it is bounded, and it loses the least it can.

mod ladder;

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use infrawatch::config::Settings;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::hub::{Client, Hub, RawSocket, TEXT, Upgrade, frame, until};

const TOPIC: &str = "bench:busy";
const MIB: u64 = 1 << 20;
const WRITE_DEADLINE: Duration = Duration::from_millis(600);

/// A subscriber of [`TOPIC`] that reads nothing from now on.
async fn deaf(hub: &Hub, name: &str) -> RawSocket {
    let upgrade = Upgrade::to(&format!("/ws/{name}")).bearer(&hub.token("viewer"));
    let mut deaf = RawSocket::open_narrow(hub, &upgrade).await.unwrap();
    deaf.next().await;
    for request in
        [json!({ "type": "join_room", "room": "lobby" }), json!({ "type": "subscribe", "topics": [TOPIC] })]
    {
        deaf.send(&frame(TEXT, request.to_string().as_bytes())).await;
        deaf.next().await;
    }
    deaf
}

/// A publisher in lock step with its subscribers would wait for every flush.
fn at_once(settings: &mut Settings) {
    settings.topic.flush_interval_ms = 0;
}

/// A subscriber for each worker, so that one sits beside the client that does not read.
async fn listeners(hub: &Hub) -> [Client; 2] {
    let mut listeners =
        [Client::open_as(hub, "ear-1", "viewer").await, Client::open_as(hub, "ear-2", "viewer").await];
    for listener in &mut listeners {
        listener.subscribe(TOPIC).await;
    }
    listeners
}

#[tokio::test]
async fn the_others_get_everything_at_once_and_the_slow_one_is_cut_in_time() {
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.connection.write_deadline_ms = 600;
        // Its leave is how the cut is noticed.
        settings.room.grace_ms = 0;
        settings.connection.pong_grace_ms = 100;
    });
    let mut watcher = Client::open_as(&hub, "watcher", "viewer").await;
    watcher.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    let mut slow = deaf(&hub, "slow").await;
    let mut listeners = listeners(&hub).await;
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let begin = Instant::now();
    // The slow one is a member too, so that its end is told to the watcher.
    let mut cut = pin!(async {
        let left = watcher.next_of("member_left").await;
        assert_eq!(left["payload"]["member"]["client_id"], "slow");
        begin.elapsed()
    });
    let (mut offset, mut slowest) = (0, Duration::ZERO);
    let cut_after = loop {
        let sent = Instant::now();
        offset += 1;
        // Well under the outbox bound in all: it is the write deadline that ends the slow one.
        let data = if offset < 60 { json!("x".repeat(8 * 1024)) } else { json!(offset) };
        publisher.publish(TOPIC, data).await;
        for listener in &mut listeners {
            assert_eq!(listener.message().await.offset, offset);
        }
        slowest = slowest.max(sent.elapsed());
        if let Some(cut_after) = cut.as_mut().now_or_never() {
            break cut_after;
        }
    };
    assert!(slowest < WRITE_DEADLINE / 2, "a message took {slowest:?}");
    assert!(cut_after >= WRITE_DEADLINE && cut_after < WRITE_DEADLINE * 3, "cut after {cut_after:?}");
    // It cannot be told why: what was in the kernel comes out, then the end.
    assert_eq!(slow.closed().await, None);
    assert_eq!(hub.metric("infrawatch_connections_closed_total{cause=\"slow\"}").await, 1);
    publisher.publish(TOPIC, json!("after")).await;
    for listener in &mut listeners {
        assert_eq!(listener.message().await.offset, offset + 1);
    }
}

#[tokio::test]
async fn what_waits_for_slow_clients_is_bounded() {
    const MESSAGES: u64 = 1_500;
    const BYTES: usize = 32 * 1024;
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.topic.history_bytes_max = 1 << 20;
        // They are closed early on, and told when they read at last.
        settings.connection.close_grace_ms = 60_000;
    });
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let mut listeners = listeners(&hub).await;
    let data = Value::from("x".repeat(BYTES));
    // What the allocator and the topic need for themselves is there before it is measured.
    for offset in 1..=100 {
        publisher.publish(TOPIC, data.clone()).await;
        for listener in &mut listeners {
            assert_eq!(listener.message().await.offset, offset);
        }
    }
    let before = hub.resident_bytes();
    let mut slow = [deaf(&hub, "slow-1").await, deaf(&hub, "slow-2").await, deaf(&hub, "slow-3").await];
    let mut most = 0;
    for offset in 101..=100 + MESSAGES {
        publisher.publish(TOPIC, data.clone()).await;
        for listener in &mut listeners {
            assert_eq!(listener.message().await.offset, offset);
        }
        most = most.max(hub.resident_bytes());
    }
    let grown = most.saturating_sub(before);
    let sent = MESSAGES * BYTES as u64;
    assert!(grown < 16 * MIB && grown < sent / 2, "{grown} bytes more while {sent} bytes were published");
    for slow in &mut slow {
        assert_eq!(slow.closed().await, Some(4008));
    }
}

/// The reason is with the kernel before the connection is given up: whoever reads at last finds it.
#[tokio::test]
async fn who_reads_again_long_after_it_was_given_up_still_finds_out_why() {
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.connection.outbox_bytes_max = 64 * 1024;
        settings.connection.close_grace_ms = 100;
        settings.connection.pong_grace_ms = 100;
    });
    let mut slow = deaf(&hub, "slow").await;
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    until("the connection is over", async || {
        publisher.publish(TOPIC, json!("x".repeat(8 * 1024))).await;
        (hub.metric("infrawatch_connections_closed_total{cause=\"slow\"}").await == 1).then_some(())
    })
    .await;
    assert_eq!(slow.closed().await, Some(4008));
}
