//! A hub that is told to stop says so, sends its clients away in good order, and goes.

use rustix::process::Signal;
use serde_json::json;

use crate::hub::{Client, Ended, Hub, RawSocket, Upgrade, until};

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
async fn a_client_that_does_not_listen_does_not_hold_the_hub_up() {
    let mut hub = Hub::start();
    let mut deaf = RawSocket::open_as(&hub, "deaf", "viewer").await;
    let mut half = RawSocket::open_as(&hub, "half", "viewer").await;
    half.send(&[0x81]).await;
    hub.process.signal(Signal::TERM);
    assert!(hub.process.wait().is_some_and(|status| status.success()));
    assert_eq!((deaf.closed().await, half.closed().await), (Some(1012), Some(1012)));
}
