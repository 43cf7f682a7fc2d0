//! Several hub nodes on one Redis: one order of messages, whoever is killed, cut off or stopped.

use std::collections::BTreeSet;

use infrawatch_servers::{Proxy, Redis, Way};
use serde_json::{Value, json};

use crate::hub::{Client, Hub, until, within};

const TOPIC: &str = "app:shared";

fn node(redis_port: u16) -> Hub {
    let url = format!("redis://127.0.0.1:{redis_port}/0");
    Hub::with_arguments(&["--limits", "off", "--redis-url", &url], |settings| {
        settings.engine.call_ms_max = 1_000;
        settings.engine.probe_ms = 300;
        settings.topic.flush_interval_ms = 0;
    })
}

/// Waits until a node says that about Redis.
async fn engine_is(hub: &Hub, expected: &str) {
    let url = format!("http://{}/api/health", hub.address);
    until(&format!("engine {expected}"), async || {
        let report: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        (report["checks"]["engine"]["status"] == expected).then_some(())
    })
    .await;
}

async fn nodes<const N: usize>(redis: &Redis) -> [Hub; N] {
    let hubs = [(); N].map(|()| node(redis.port()));
    for hub in &hubs {
        engine_is(hub, "healthy").await;
    }
    hubs
}

/// The next message frame: its identity, epoch, offset, payload.
async fn heard(client: &mut Client) -> (String, String, u64, Value) {
    let frame = client.next_of("message").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let meta = &frame["metadata"];
    (text(&frame["id"]), text(&meta["epoch"]), meta["offset"].as_u64().unwrap(), frame["payload"].clone())
}

/// Three publishers on three nodes at full speed: every subscriber gets every message once, in the same order.
#[tokio::test]
async fn every_node_has_the_same_messages_in_the_same_order() {
    const EACH: u64 = 700;
    let redis = Redis::start();
    let hubs: [Hub; 3] = nodes(&redis).await;
    let mut subscribers = Vec::new();
    for hub in &hubs {
        let mut subscriber = Client::open_as(hub, "subscriber", "viewer").await;
        subscriber.subscribe(TOPIC).await;
        subscribers.push(subscriber);
    }
    let mut publishing = Vec::new();
    for (n, hub) in hubs.iter().enumerate() {
        let mut publisher = Client::open_as(hub, "publisher", "operator").await;
        publishing.push(tokio::spawn(async move {
            let mut asked = Vec::new();
            for m in 0..EACH {
                asked.push(publisher.send("publish", json!({ "topic": TOPIC, "data": [n, m] })).await);
            }
            let mut offsets = Vec::new();
            for id in asked {
                let answer = publisher.answer_to(&id).await;
                assert_eq!(answer["type"], "published", "{answer}");
                offsets.push(answer["payload"]["offset"].as_u64().unwrap());
            }
            offsets
        }));
    }
    let mut acknowledged = BTreeSet::new();
    for offsets in publishing {
        acknowledged.extend(within("a publisher", offsets).await.unwrap());
    }
    assert!(acknowledged.iter().copied().eq(1..=3 * EACH), "every offset is given once");
    let mut first = Vec::new();
    for (n, subscriber) in subscribers.iter_mut().enumerate() {
        let mut all = Vec::new();
        for expected in 1..=3 * EACH {
            let message = heard(subscriber).await;
            assert_eq!(message.2, expected, "node {n}");
            all.push(message);
        }
        let of_one = all.iter().filter(|message| message.3[0] == 0);
        assert!(of_one.map(|message| message.3[1].as_u64().unwrap()).eq(0..EACH), "a publisher's own order");
        if first.is_empty() {
            first = all;
        } else {
            assert!(first == all, "identity, epoch and payload are the same on node {n}");
        }
    }
}

#[tokio::test]
async fn a_client_goes_on_where_it_was_on_another_node() {
    let redis = Redis::start();
    let [a, b, mut c]: [Hub; 3] = nodes(&redis).await;
    let mut publisher = Client::open_as(&a, "publisher", "operator").await;
    let mut subscriber = Client::open_as(&b, "mover", "viewer").await;
    subscriber.subscribe(TOPIC).await;
    for n in 1..=5 {
        publisher.publish(TOPIC, json!(n)).await;
        assert_eq!(heard(&mut subscriber).await.2, n);
    }
    let (_, epoch, ..) = {
        publisher.publish(TOPIC, json!(6)).await;
        heard(&mut subscriber).await
    };
    b.process.signal(rustix::process::Signal::KILL);
    for n in 7..=9 {
        publisher.publish(TOPIC, json!(n)).await;
    }
    let mut subscriber = Client::open_as(&c, "mover", "viewer").await;
    let recover = json!({ "topic": TOPIC, "recover": { "epoch": epoch, "offset": 6 } });
    let answer = subscriber.request("subscribe", json!({ "topics": [recover] }), "subscribed").await;
    assert_eq!(answer["topics"][0]["recovered"], true, "{answer}");
    publisher.publish(TOPIC, json!(10)).await;
    for n in 7..=10 {
        assert_eq!(heard(&mut subscriber).await.2, n, "no gap and no duplicate");
    }
    // A node that was killed and comes back has all of it too.
    c.process.kill();
    c.start_again();
    engine_is(&c, "healthy").await;
    let mut late = Client::open_as(&c, "late", "viewer").await;
    let position = late.subscribe(TOPIC).await;
    assert_eq!((&position["epoch"], &position["offset"]), (&json!(epoch), &json!(10)));
    drop(b);
}

#[tokio::test]
async fn the_newest_values_of_a_node_are_everywhere() {
    let redis = Redis::start();
    let [a, b]: [Hub; 2] = nodes(&redis).await;
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

/// The line on which a node hears of others breaks again and again: what was not pushed is read.
#[tokio::test]
async fn a_line_that_breaks_costs_no_message() {
    let redis = Redis::start();
    let proxy = Proxy::before(redis.port());
    let (a, b) = (node(redis.port()), node(proxy.port()));
    for hub in [&a, &b] {
        engine_is(hub, "healthy").await;
    }
    let mut subscriber = Client::open_as(&b, "subscriber", "viewer").await;
    let epoch = subscriber.subscribe(TOPIC).await["epoch"].clone();
    let mut publisher = Client::open_as(&a, "publisher", "operator").await;
    for n in 1..=400 {
        let published = publisher.publish(TOPIC, json!(n)).await;
        assert_eq!((&published["epoch"], &published["offset"]), (&epoch, &json!(n)));
        match n % 100 {
            30 => proxy.set(Way::Stall),
            50 => proxy.set(Way::Pass),
            70 => proxy.set(Way::HalfClose),
            71 => proxy.set(Way::Pass),
            _ => {}
        }
    }
    // A stall may have been taken for an outage of Redis: then the node was alone, and has told so by its epoch.
    let mut last = 0;
    while last < 400 {
        let (_, at, offset, _) = heard(&mut subscriber).await;
        assert_eq!(at, epoch.as_str().unwrap(), "no epoch of its own");
        assert_eq!(offset, last + 1);
        last = offset;
    }
}

#[tokio::test]
async fn without_redis_each_node_delivers_its_own_and_says_so() {
    let mut redis = Redis::start();
    let [a, b]: [Hub; 2] = nodes(&redis).await;
    let mut on_a = Client::open_as(&a, "on-a", "operator").await;
    let mut on_b = Client::open_as(&b, "on-b", "operator").await;
    let shared = on_a.subscribe(TOPIC).await["epoch"].clone();
    on_b.subscribe(TOPIC).await;
    on_a.publish(TOPIC, json!("both")).await;
    assert_eq!((heard(&mut on_a).await.3, heard(&mut on_b).await.3), (json!("both"), json!("both")));

    redis.kill();
    engine_is(&a, "degraded").await;
    engine_is(&b, "degraded").await;
    let own = on_a.publish(TOPIC, json!("a alone")).await;
    assert_ne!(own["epoch"], shared, "continuity is not claimed");
    assert_eq!(heard(&mut on_a).await.3, json!("a alone"));
    on_b.publish(TOPIC, json!("b alone")).await;
    assert_eq!(heard(&mut on_b).await.3, json!("b alone"), "and nothing of a");

    redis.resume();
    engine_is(&a, "healthy").await;
    engine_is(&b, "healthy").await;
    let again = on_a.publish(TOPIC, json!("both again")).await;
    assert!(again["epoch"] != shared && again["epoch"] != own["epoch"], "{again}");
    let (from_a, from_b) = (heard(&mut on_a).await, heard(&mut on_b).await);
    assert_eq!(from_a, from_b);
    assert_eq!((json!(from_a.1), from_a.3), (again["epoch"].clone(), json!("both again")));
}

/// Redis neither answers nor ends (SIGSTOP) while messages are published: each is answered, and delivered here at least.
#[tokio::test]
async fn a_redis_that_hangs_loses_nothing_that_was_answered() {
    let redis = Redis::start();
    let [a]: [Hub; 1] = nodes(&redis).await;
    let mut client = Client::open_as(&a, "client", "operator").await;
    client.subscribe(TOPIC).await;
    redis.pause();
    let mut asked = Vec::new();
    for n in 0..20 {
        asked.push(client.send("publish", json!({ "topic": TOPIC, "data": n })).await);
    }
    let mut answered = Vec::new();
    for id in asked {
        let answer = client.answer_to(&id).await;
        assert_eq!(answer["type"], "published", "{answer}");
        answered.push((answer["payload"]["epoch"].clone(), answer["payload"]["offset"].as_u64().unwrap()));
    }
    for n in 0..20 {
        let (_, epoch, offset, payload) = heard(&mut client).await;
        assert_eq!((json!(epoch), offset, payload), (answered[n].0.clone(), answered[n].1, json!(n)));
    }
    engine_is(&a, "degraded").await;
    redis.go_on();
    engine_is(&a, "healthy").await;
}
