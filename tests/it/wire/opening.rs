//! From the upgrade to the first frame.

use serde_json::json;

use crate::hub::{Client, Ended, Hub, RawSocket, Upgrade};

#[tokio::test]
async fn connected_is_first_and_says_who_one_is_and_what_one_may() {
    let hub = Hub::with(|settings| settings.sampler.node = "hub-node".into());
    let client =
        Client::open(&hub, "web-1.a_b:c", &hub.token_with(&["--role", "operator", "--sub", "ann"])).await;
    assert_eq!(client.connected["version"], 1);
    assert!(client.connected["id"].as_str().unwrap().len() == 36);
    assert!(infrawatch::clock::parse_rfc3339(client.connected["timestamp"].as_str().unwrap()).is_some());
    let expected = json!({
        "client_id": "web-1.a_b:c", "resumed": false, "subscriptions": [], "dropped": 0,
        "ping_interval_ms": 25_000, "role": "operator", "subject": "ann",
        "hub": { "version": env!("CARGO_PKG_VERSION"), "node": "hub-node" },
        "limits": { "frame_bytes": 65_536, "topics": 256, "rooms": 64, "outbox_bytes": 1_048_576 },
    });
    assert_eq!(client.connected["payload"], expected);
}

#[tokio::test]
async fn the_token_comes_in_one_of_three_ways() {
    let hub = Hub::start();
    let token = hub.token_with(&["--role", "viewer", "--sub", "ann"]);
    let (bearer, entry) = (format!("Bearer {token}"), format!("bearer.{token}"));
    let both = format!("infrawatch.v1.json, {entry}");
    let rows = [
        ("/ws/a".to_owned(), vec![("authorization", &*bearer)], None),
        ("/ws/b".to_owned(), vec![("sec-websocket-protocol", &*both)], Some("infrawatch.v1.json")),
        (format!("/ws/c?token={token}"), vec![], None),
        (
            format!("/ws/d?lang=en&token={token}"),
            vec![("sec-websocket-protocol", "infrawatch.v1.json")],
            Some("infrawatch.v1.json"),
        ),
    ];
    for (path, headers, selected) in rows {
        let client = Client::open_at(&hub, &path, &headers).await;
        assert_eq!(client.connected["payload"]["subject"], "ann", "{path}");
        assert_eq!(client.sub_protocol.as_deref(), selected, "{path}");
    }
    // A token is never confirmed, not even when nothing else was offered.
    let upgrade = Upgrade::to("/ws/e").header("Sec-WebSocket-Protocol", &entry);
    let raw = RawSocket::open(&hub, &upgrade).await.unwrap();
    assert!(!raw.head.to_lowercase().contains("sec-websocket-protocol"), "{}", raw.head);
    assert!(!hub.process.log().contains(&token), "a token is in the log");
}

#[tokio::test]
async fn every_answer_before_the_upgrade_says_what_to_correlate_it_by() {
    let hub = Hub::start();
    let upgrade = Upgrade::to("/ws/a").header("X-Correlation-ID", "ticket-7");
    let refusal = RawSocket::open(&hub, &upgrade).await.map(|_| ()).unwrap_err();
    assert!(refusal.head.contains("X-Correlation-ID: ticket-7\r\n"), "{refusal:?}");
    assert!(
        refusal.body.contains("ticket-7") && refusal.head.contains("WWW-Authenticate: Bearer"),
        "{refusal:?}"
    );
    assert!(hub.process.log().contains("ticket-7"), "{}", hub.process.log());
    let upgrade = upgrade.bearer(&hub.token("viewer"));
    let raw = RawSocket::open(&hub, &upgrade).await.unwrap();
    assert!(raw.head.contains("X-Correlation-ID: ticket-7\r\n"), "{}", raw.head);
}

#[tokio::test]
async fn own_pages_and_those_on_the_list_may_open_sockets() {
    let hub = Hub::with(|settings| settings.http.origins = vec!["https://status.example.org".into()]);
    let token = hub.token("viewer");
    let own = format!("http://{}", hub.address);
    for (n, origin) in [&*own, "https://status.example.org"].into_iter().enumerate() {
        let upgrade = Upgrade::to(&format!("/ws/page-{n}")).bearer(&token).header("Origin", origin);
        RawSocket::open(&hub, &upgrade).await.unwrap();
    }
}

#[tokio::test]
async fn a_preset_makes_up_the_client_id_and_subscribes() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    let rows: [(&str, &[&str]); 3] = [
        ("live", &["metrics_update", "nodes", "system"]),
        ("alerts", &["alerts_critical", "alerts_error", "alerts_warning", "alerts_info"]),
        ("notifications", &["notifications"]),
    ];
    for (preset, topics) in rows {
        let mut first = Client::open(&hub, preset, &token).await;
        // Not a session of that name: a second one does not take it over.
        let second = Client::open(&hub, preset, &token).await;
        let ids = [&first, &second].map(|client| client.connected["payload"]["client_id"].clone());
        assert_ne!(ids[0], ids[1]);
        assert!(ids[0].as_str().unwrap().starts_with(preset), "{ids:?}");
        let answer = first.next_of("subscribed").await;
        let mut subscribed: Vec<_> = answer["payload"]["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["topic"].as_str().unwrap())
            .collect();
        subscribed.sort_unstable();
        let mut expected = topics.to_vec();
        expected.sort_unstable();
        assert_eq!(subscribed, expected);
        first.request("ping", json!({}), "pong").await;
    }
}

#[tokio::test]
async fn the_newer_connection_of_a_client_takes_over() {
    let hub = Hub::start();
    let token = hub.token_with(&["--role", "operator", "--sub", "ann"]);
    let mut former = Client::open(&hub, "desk", &token).await;
    former.subscribe("bench:t").await;
    former.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    let mut newer = Client::open(&hub, "desk", &token).await;
    assert_eq!(former.ended().await, Ended::Closed(4001, "replaced".into()));
    // Nothing is subscribed again by itself.
    newer.publish("bench:t", json!("unheard")).await;
    newer.request("ping", json!({}), "pong").await;
    assert!(!newer.has_waiting("message"));
    let others = Upgrade::to("/ws/desk").bearer(&hub.token_with(&["--role", "admin", "--sub", "eve"]));
    let refusal = RawSocket::open(&hub, &others).await.map(|_| ()).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code()), (403, "forbidden"));
    newer.request("ping", json!({}), "pong").await;
}

/// Both connections of a client may arrive at once, on two workers: one of them stays.
#[tokio::test]
async fn of_two_connections_that_come_at_once_one_stays() {
    let hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let token = hub.token("viewer");
    for round in 0..200 {
        let upgrade = Upgrade::to(&format!("/ws/twin-{round}")).bearer(&token);
        let (first, second) = tokio::join!(RawSocket::open(&hub, &upgrade), RawSocket::open(&hub, &upgrade));
        let (mut first, mut second) = (first.unwrap(), second.unwrap());
        let replaced = tokio::select! {
            code = first.closed() => code,
            code = second.closed() => code,
        };
        assert_eq!(replaced, Some(4001), "round {round}");
    }
}
