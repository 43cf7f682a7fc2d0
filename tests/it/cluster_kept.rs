//! Topics that hub nodes keep in one PostgreSQL: one topic in one epoch, whatever breaks between them.

use std::collections::VecDeque;

use infrawatch_servers::{Postgres, Proxy, Redis, Way};
use serde_json::json;

use crate::hub::{Client, Hub, until};

const TOPIC: &str = "deployments";

fn node(redis: &str, postgres: &str) -> Hub {
    let arguments = ["--redis-url", redis, "--postgres-url", postgres, "--limits", "off"];
    Hub::with_arguments(&arguments, |settings| {
        settings.engine.probe_ms = 500;
        settings.engine.call_ms_max = 500;
        // An outage of the store is asked for, not waited for.
        settings.breaker.calls_min = 1_000_000;
    })
}

#[tokio::test]
async fn messages_of_three_nodes_come_in_the_same_order_everywhere() {
    const EACH: u64 = 300;
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let nodes: [Hub; 3] = std::array::from_fn(|_| node(&redis.url(), &postgres.url()));
    let (mut subscribers, mut tasks) = (Vec::new(), Vec::new());
    for (number, hub) in nodes.iter().enumerate() {
        subscribers.push(Client::subscriber(hub, &format!("r{number}"), TOPIC).await);
    }
    for (number, hub) in nodes.iter().enumerate() {
        let mut writer = Client::open_as(hub, &format!("w{number}"), "admin").await;
        tasks.push(tokio::spawn(async move {
            let mut under_way = VecDeque::new();
            for n in 0..EACH {
                let message = json!({"topic": TOPIC, "data": [number, n]});
                under_way.push_back(writer.send("publish", message).await);
                if under_way.len() == 32 {
                    let answer = writer.answer_to(&under_way.pop_front().unwrap()).await;
                    assert_eq!(answer["type"], "published", "{answer}");
                }
            }
            for id in under_way {
                let answer = writer.answer_to(&id).await;
                assert_eq!(answer["type"], "published", "{answer}");
            }
        }));
    }
    let mut orders = Vec::new();
    for reader in &mut subscribers {
        let mut order = Vec::new();
        while (order.len() as u64) < EACH * 3 {
            order.push(reader.heard(TOPIC).await);
        }
        orders.push(order);
    }
    for task in tasks {
        task.await.unwrap();
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
async fn a_client_of_a_killed_node_goes_on_at_another_in_the_same_epoch() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let [mut first, second]: [Hub; 2] = std::array::from_fn(|_| node(&redis.url(), &postgres.url()));
    let mut reader = Client::subscriber(&first, "reader", TOPIC).await;
    let mut writer = Client::open_as(&second, "writer", "admin").await;
    let (epoch, _) = writer.place(TOPIC, json!(1)).await;
    assert_eq!(reader.heard(TOPIC).await, (1, json!(1)));
    first.process.kill();
    for n in 2..=4u64 {
        assert_eq!(writer.place(TOPIC, json!(n)).await, (epoch.clone(), n));
    }
    let recover =
        |offset: u64| json!({"topics": [{"topic": TOPIC, "recover": {"epoch": epoch, "offset": offset}}]});
    let mut reader = Client::open_as(&second, "reader", "admin").await;
    let answer = reader.ask("subscribe", recover(1)).await;
    assert!(answer.to_string().contains("\"recovered\":true"), "{answer}");
    for n in 2..=4u64 {
        assert_eq!(reader.heard(TOPIC).await, (n, json!(n)));
    }
    first.start_again();
    let mut again = Client::open_as(&first, "reader-2", "admin").await;
    let answer = again.ask("subscribe", recover(3)).await;
    assert!(answer.to_string().contains("\"recovered\":true"), "{answer}");
    assert_eq!(again.heard(TOPIC).await, (4, json!(4)));
    assert_eq!(again.place(TOPIC, json!(5)).await, (epoch.clone(), 5));
    assert_eq!(reader.heard(TOPIC).await, (5, json!(5)));
}

/// The push is lost, as if the node had died behind its commit.
#[tokio::test]
async fn what_was_committed_and_not_pushed_is_found_in_the_store() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let proxy = Proxy::before(redis.port());
    let silent = node(&format!("redis://127.0.0.1:{}", proxy.port()), &postgres.url());
    let other = node(&redis.url(), &postgres.url());
    let mut reader = Client::subscriber(&other, "reader", TOPIC).await;
    let mut writer = Client::subscriber(&silent, "writer", TOPIC).await;
    let (epoch, _) = writer.place(TOPIC, json!(1)).await;
    assert_eq!(reader.heard(TOPIC).await, (1, json!(1)));
    proxy.set(Way::Stall);
    for n in 2..=3u64 {
        assert_eq!(writer.place(TOPIC, json!(n)).await, (epoch.clone(), n));
        assert_eq!(reader.heard(TOPIC).await, (n, json!(n)));
    }
    let mut second_writer = Client::open_as(&other, "writer-2", "admin").await;
    second_writer.place(TOPIC, json!(4)).await;
    for n in 1..=4u64 {
        assert_eq!(writer.heard(TOPIC).await, (n, json!(n)), "both ways");
    }
    proxy.set(Way::Pass);
    second_writer.place(TOPIC, json!(5)).await;
    assert_eq!(writer.heard(TOPIC).await, (5, json!(5)));
}

#[tokio::test]
async fn topics_in_the_store_go_on_in_their_epoch_while_redis_is_gone() {
    let (mut redis, postgres) = (Redis::start(), Postgres::start());
    let nodes: [Hub; 2] = std::array::from_fn(|_| node(&redis.url(), &postgres.url()));
    let mut clients =
        [Client::subscriber(&nodes[0], "a", TOPIC).await, Client::subscriber(&nodes[1], "b", TOPIC).await];
    let (epoch, _) = clients[0].place(TOPIC, json!(1)).await;
    redis.kill();
    for n in 2..=5u64 {
        let from = (n % 2) as usize;
        assert_eq!(clients[from].place(TOPIC, json!(n)).await, (epoch.clone(), n));
    }
    let mut late = Client::subscriber(&nodes[0], "late", TOPIC).await;
    redis.resume();
    until("both nodes are back", async || {
        let up =
            [nodes[0].metric("infrawatch_engine_up").await, nodes[1].metric("infrawatch_engine_up").await];
        (up == [1, 1]).then_some(())
    })
    .await;
    assert_eq!(clients[1].place(TOPIC, json!(6)).await, (epoch.clone(), 6));
    for client in &mut clients {
        for n in 1..=6u64 {
            assert_eq!(client.heard(TOPIC).await, (n, json!(n)));
        }
    }
    // It came between two messages that its node heard of, maybe late.
    let mut heard_late = vec![late.heard(TOPIC).await.0];
    while heard_late.last() != Some(&6) {
        heard_late.push(late.heard(TOPIC).await.0);
    }
    assert!(heard_late.is_sorted_by(|one, next| one + 1 == *next), "{heard_late:?}");
}

#[tokio::test]
async fn while_the_store_is_gone_nothing_is_acknowledged_and_afterwards_no_place_is_given_twice() {
    let (redis, mut postgres) = (Redis::start(), Postgres::start());
    let nodes: [Hub; 2] = std::array::from_fn(|_| node(&redis.url(), &postgres.url()));
    let mut clients =
        [Client::subscriber(&nodes[0], "a", TOPIC).await, Client::subscriber(&nodes[1], "b", TOPIC).await];
    let (epoch, _) = clients[0].place(TOPIC, json!(1)).await;
    assert_eq!(clients[1].heard(TOPIC).await, (1, json!(1)));
    postgres.kill();
    let answer = clients[0].ask("publish", json!({"topic": TOPIC, "data": "lost"})).await;
    assert_eq!(answer["payload"]["code"], "store_unavailable", "{answer}");
    postgres.resume();
    for (next, from) in [(2, 1), (3, 0)] {
        let at = until("the store takes messages again", async || {
            let answer = clients[from].ask("publish", json!({"topic": TOPIC, "data": "back"})).await;
            (answer["type"] == "published").then_some(answer)
        })
        .await;
        assert_eq!((&at["payload"]["epoch"], &at["payload"]["offset"]), (&json!(epoch), &json!(next)));
    }
    assert_eq!(clients[0].heard(TOPIC).await.0, 1);
    for client in &mut clients {
        assert_eq!(client.heard(TOPIC).await, (2, json!("back")));
        assert_eq!(client.heard(TOPIC).await, (3, json!("back")));
    }
}
