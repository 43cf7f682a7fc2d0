//! Hub nodes on one Redis: a topic in memory is one topic, whichever node one is connected to, whatever breaks.

use std::collections::{HashSet, VecDeque};

use infrawatch_servers::{Proxy, Redis, Way};
use serde_json::{Value, json};

use crate::hub::{Client, Hub, RawSocket, until, within};

const TOPIC: &str = "orders:eu";

fn node(url: &str) -> Hub {
    Hub::with_arguments(&["--redis-url", url, "--limits", "off"], |settings| {
        settings.engine.probe_ms = 500;
        settings.engine.call_ms_max = 500;
    })
}

async fn engine_is(hub: &Hub, status: &str) {
    until(&format!("engine is {status}"), async || {
        let report: Value = serde_json::from_str(&RawSocket::get(hub, "/api/health").await.body).unwrap();
        (report["checks"]["engine"]["status"] == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_reaches_the_subscribers_of_all_nodes_once_and_as_the_same_frame() {
    let redis = Redis::start();
    let nodes = [node(&redis.url()), node(&redis.url()), node(&redis.url())];
    let mut clients = Vec::new();
    for (number, hub) in nodes.iter().enumerate() {
        clients.push(Client::subscriber(hub, &format!("c{number}"), TOPIC).await);
    }
    for number in 1..=6u64 {
        let from = (number % 3) as usize;
        let request = json!({"topic": TOPIC, "data": {"n": number}, "key": format!("k{number}"), "priority": "critical"});
        let answer = clients[from].ask("publish", request).await;
        assert_eq!(answer["payload"]["offset"], number, "{answer}");
        let mut frames = Vec::new();
        for client in &mut clients {
            frames.push(client.next_of("message").await);
        }
        assert_eq!(frames[0]["metadata"]["epoch"], answer["payload"]["epoch"]);
        assert_eq!(frames[0]["metadata"]["offset"], number);
        assert!(frames.iter().all(|frame| *frame == frames[0]), "{frames:#?}");
    }
}

#[tokio::test]
async fn ten_thousand_messages_of_three_nodes_come_in_the_same_order_everywhere() {
    const EACH: u64 = 3_334;
    let redis = Redis::start();
    let nodes = [node(&redis.url()), node(&redis.url()), node(&redis.url())];
    let (mut subscribers, mut readers, mut writers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, hub) in nodes.iter().enumerate() {
        subscribers.push(Client::subscriber(hub, &format!("r{number}"), TOPIC).await);
    }
    for ((number, hub), mut reader) in nodes.iter().enumerate().zip(subscribers) {
        let mut writer = Client::open_as(hub, &format!("w{number}"), "admin").await;
        readers.push(tokio::spawn(async move {
            let mut all = Vec::new();
            while (all.len() as u64) < EACH * 3 {
                all.push(reader.heard(TOPIC).await);
            }
            all
        }));
        writers.push(tokio::spawn(async move {
            let mut under_way = VecDeque::new();
            for n in 0..EACH {
                under_way
                    .push_back(writer.send("publish", json!({"topic": TOPIC, "data": [number, n]})).await);
                if under_way.len() == 64 {
                    let answer = writer.answer_to(&under_way.pop_front().unwrap()).await;
                    assert_eq!(answer["type"], "published", "{answer}");
                }
            }
            for id in under_way {
                assert_eq!(writer.answer_to(&id).await["type"], "published");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut orders = Vec::new();
    for reader in readers {
        orders.push(reader.await.unwrap());
    }
    let offsets: Vec<u64> = orders[0].iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (1..=EACH * 3).collect::<Vec<_>>());
    assert!(orders[1] == orders[0] && orders[2] == orders[0]);
    for writer in 0..3 {
        let own =
            orders[0].iter().filter(|(_, data)| data[0] == writer).map(|(_, data)| data[1].as_u64().unwrap());
        assert_eq!(own.collect::<Vec<_>>(), (0..EACH).collect::<Vec<_>>(), "of writer {writer}");
    }
}

#[tokio::test]
async fn a_client_of_a_killed_node_goes_on_at_another() {
    let redis = Redis::start();
    let (mut first, second) = (node(&redis.url()), node(&redis.url()));
    let mut reader = Client::subscriber(&first, "reader", TOPIC).await;
    let mut writer = Client::open_as(&second, "writer", "admin").await;
    let mut epoch = String::new();
    for n in 1..=5u64 {
        epoch = writer.place(TOPIC, json!(n)).await.0;
        assert_eq!(reader.heard(TOPIC).await, (n, json!(n)));
    }
    first.process.kill();
    for n in 6..=9u64 {
        writer.place(TOPIC, json!(n)).await;
    }
    let mut reader = Client::open_as(&second, "reader", "admin").await;
    let recover = json!({"topics": [{"topic": TOPIC, "recover": {"epoch": epoch, "offset": 5}}]});
    let answer = reader.ask("subscribe", recover).await;
    assert_eq!(answer["type"], "subscribed", "{answer}");
    assert!(answer.to_string().contains("\"recovered\":true"), "{answer}");
    writer.place(TOPIC, json!(10)).await;
    for n in 6..=10u64 {
        assert_eq!(reader.heard(TOPIC).await, (n, json!(n)));
    }
    first.start_again();
    let mut reader = Client::open_as(&first, "reader-2", "admin").await;
    let recover = json!({"topics": [{"topic": TOPIC, "recover": {"epoch": epoch, "offset": 8}}]});
    assert!(reader.ask("subscribe", recover).await.to_string().contains("\"recovered\":true"));
    assert_eq!(reader.heard(TOPIC).await, (9, json!(9)));
}

#[tokio::test]
async fn after_a_broken_line_to_redis_nothing_is_missing() {
    let redis = Redis::start();
    let proxy = Proxy::before(redis.port());
    let (behind, beside) = (node(&format!("redis://127.0.0.1:{}", proxy.port())), node(&redis.url()));
    let mut reader = Client::subscriber(&behind, "reader", TOPIC).await;
    let mut writer = Client::open_as(&beside, "writer", "admin").await;
    for n in 1..=30u64 {
        if n % 10 == 5 {
            proxy.set(Way::Reset);
        }
        writer.place(TOPIC, json!(n)).await;
        if n % 10 == 7 {
            proxy.set(Way::Pass);
        }
    }
    for n in 1..=30u64 {
        assert_eq!(reader.heard(TOPIC).await, (n, json!(n)), "without another epoch");
    }
    assert!(behind.metric("infrawatch_engine_reconnects_total").await >= 1);
    assert_eq!(behind.metric("infrawatch_engine_outages_total").await, 0);
}

/// Nobody says that the line is dead: it is silent, and so is left.
#[tokio::test]
async fn a_line_that_was_forgotten_on_its_way_is_made_again() {
    let redis = Redis::start();
    let proxy = Proxy::before(redis.port());
    let (behind, beside) = (node(&format!("redis://127.0.0.1:{}", proxy.port())), node(&redis.url()));
    let mut reader = Client::subscriber(&behind, "reader", TOPIC).await;
    let mut writer = Client::open_as(&beside, "writer", "admin").await;
    writer.place(TOPIC, json!(1)).await;
    assert_eq!(reader.heard(TOPIC).await, (1, json!(1)));
    proxy.forget();
    writer.place(TOPIC, json!(2)).await;
    assert_eq!(reader.heard(TOPIC).await.1, 2);
    engine_is(&behind, "healthy").await;
    writer.place(TOPIC, json!(3)).await;
    assert_eq!(reader.heard(TOPIC).await.1, 3);
}

/// Redis goes and comes back; meanwhile and afterwards all goes on, and no place is given twice. The epochs before and after.
async fn outage(
    mut redis: Redis,
    go: impl FnOnce(&mut Redis),
    come: impl FnOnce(&mut Redis),
) -> (String, String) {
    let nodes = [node(&redis.url()), node(&redis.url())];
    let mut watcher = Client::open_as(&nodes[0], "watcher", "admin").await;
    watcher.subscribe("system").await;
    let mut clients =
        [Client::subscriber(&nodes[0], "a", TOPIC).await, Client::subscriber(&nodes[1], "b", TOPIC).await];
    let mut places = HashSet::new();
    let shared = clients[0].place(TOPIC, json!("shared")).await;
    for client in &mut clients {
        assert_eq!(client.heard(TOPIC).await.1, json!("shared"));
    }
    go(&mut redis);
    // One that meets the outage, before anybody knows.
    let own = clients[0].place(TOPIC, json!("own")).await;
    assert_ne!(own.0, shared.0, "continuity is not faked");
    assert_eq!(clients[0].heard(TOPIC).await, (own.1, json!("own")));
    let told = watcher.message().await;
    assert_eq!((&told.payload["event"], &told.payload["subsystem"]), (&json!("degraded"), &json!("engine")));
    engine_is(&nodes[0], "degraded").await;
    engine_is(&nodes[1], "degraded").await;
    come(&mut redis);
    engine_is(&nodes[0], "healthy").await;
    engine_is(&nodes[1], "healthy").await;
    let back = clients[1].place(TOPIC, json!("back")).await;
    assert_ne!(back.0, own.0);
    for client in &mut clients {
        let last = within("the message after the outage", async {
            loop {
                let (offset, data) = client.heard(TOPIC).await;
                if data == json!("back") {
                    break offset;
                }
            }
        });
        assert_eq!(last.await, back.1);
    }
    for place in [&shared, &own, &back] {
        assert!(places.insert(place.clone()), "{place:?} was given twice");
    }
    (shared.0, back.0)
}

#[tokio::test]
async fn redis_is_killed_and_comes_back_empty() {
    outage(Redis::start(), Redis::kill, Redis::resume).await;
}

#[tokio::test]
async fn redis_is_killed_and_comes_back_with_what_it_had() {
    let redis = Redis::start_with(infrawatch_servers::Persistence::Always);
    let (before, after) = outage(redis, Redis::kill, Redis::resume).await;
    assert_ne!(before, after, "what it found on its disk may lie back in time");
}

#[tokio::test]
async fn redis_is_stopped_and_goes_on() {
    outage(Redis::start(), |redis| redis.pause(), |redis| redis.go_on()).await;
}

#[tokio::test]
async fn the_newest_values_of_a_node_are_everywhere() {
    let redis = Redis::start();
    let (a, b) = (node(&redis.url()), node(&redis.url()));
    let mut watching = Client::open_as(&b, "watching", "viewer").await;
    watching.subscribe("metrics_update").await;
    let mut agent = Client::open(&a, "agent", &a.agent_token("web-1")).await;
    let sample = json!({ "node": "web-1", "names": ["load1"], "values": [0.5] });
    agent.request("metrics", sample, "metrics_ack").await;
    let message = watching.message().await;
    assert_eq!((message.key.as_deref(), &message.payload["metrics"]["load1"]), (Some("web-1"), &json!(0.5)));
    let mut late = Client::open_as(&b, "late", "viewer").await;
    late.subscribe("metrics_update").await;
    assert_eq!(late.message().await.payload["metrics"]["load1"], 0.5);
}

/// Redis neither answers nor ends (SIGSTOP) while messages are published: each is answered with the place at which it is
/// delivered.
#[tokio::test]
async fn what_is_answered_while_redis_hangs_is_delivered_where_the_answer_says() {
    let redis = Redis::start();
    let hub = node(&redis.url());
    let mut client = Client::subscriber(&hub, "client", TOPIC).await;
    client.whole_batches = false;
    redis.pause();
    let mut asked = Vec::new();
    for n in 0..20 {
        asked.push(client.send("publish", json!({ "topic": TOPIC, "data": n })).await);
    }
    let mut answered = Vec::new();
    for id in asked {
        let answer = client.answer_to(&id).await;
        assert_eq!(answer["type"], "published", "{answer}");
        answered.push(answer["payload"]["offset"].as_u64().unwrap());
    }
    for (n, offset) in answered.into_iter().enumerate() {
        assert_eq!(client.heard(TOPIC).await, (offset, json!(n)));
    }
    engine_is(&hub, "degraded").await;
    redis.go_on();
    engine_is(&hub, "healthy").await;
}

#[tokio::test]
async fn a_wildcard_finds_topics_of_other_nodes_with_their_first_message() {
    let redis = Redis::start();
    let (here, there) = (node(&redis.url()), node(&redis.url()));
    let mut writer = Client::open_as(&there, "writer", "admin").await;
    writer.publish("orders:old", json!("before")).await;
    let mut reader = Client::open_as(&here, "reader", "admin").await;
    reader.request("subscribe", json!({ "topics": ["orders:*"] }), "subscribed").await;
    // One that was open there is found: from then on its messages come.
    until("a message of the topic that was open", async || {
        writer.publish("orders:old", json!("after")).await;
        reader.ask("ping", json!({})).await;
        reader.has_waiting("message").then_some(())
    })
    .await;
    let old = reader.message().await;
    assert_eq!((&*old.topic, &old.payload), ("orders:old", &json!("after")));
    for n in 0..5 {
        writer.publish(&format!("orders:new-{n}"), json!(n)).await;
    }
    let mut found = Vec::new();
    while found.len() < 5 {
        let message = reader.message().await;
        if message.topic != "orders:old" {
            assert_eq!(message.offset, 1);
            found.push(message.topic);
        }
    }
    found.sort();
    assert_eq!(found, (0..5).map(|n| format!("orders:new-{n}")).collect::<Vec<_>>());
}
