//! Clients of several hub nodes: their sessions and queues are the same at each.

use infrawatch_servers::{Postgres, Redis};
use serde_json::{Value, json};

use crate::hub::{Client, Ended, Hub, RawSocket, Upgrade, until};

fn node(redis: &Redis, postgres: &Postgres) -> Hub {
    let arguments = ["--redis-url", &redis.url(), "--postgres-url", &postgres.url(), "--limits", "off"];
    Hub::with_arguments(&arguments, |settings| {
        settings.engine.probe_ms = 500;
        settings.engine.call_ms_max = 500;
    })
}

async fn client(hub: &Hub, client_id: &str) -> Client {
    Client::open(hub, client_id, &hub.token_with(&["--role", "operator", "--sub", "ann"])).await
}

async fn mail(publisher: &mut Client, topic: &str, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        publisher.publish(topic, json!(n)).await;
    }
}

/// The next messages of the client's own topics.
async fn come(client: &mut Client, topic: &str, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        let message = client.message().await;
        assert_eq!((&*message.topic, message.payload), (topic, json!(n)));
    }
}

fn subscription<'a>(connected: &'a Value, topic: &str) -> Option<&'a Value> {
    connected["payload"]["subscriptions"].as_array().unwrap().iter().find(|s| s["topic"] == *topic)
}

#[tokio::test]
async fn a_message_for_a_client_comes_wherever_it_is_connected() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (here, there) = (node(&redis, &postgres), node(&redis, &postgres));
    let mut publisher = Client::open_as(&there, "publisher", "admin").await;
    let refused = publisher.ask("publish", json!({ "topic": "client:phone", "data": 0 })).await;
    assert_eq!(refused["payload"]["code"], "no_session");
    let mut phone = client(&here, "phone").await;
    let mut tablet = client(&there, "tablet").await;
    mail(&mut publisher, "client:phone", 1..=3).await;
    come(&mut phone, "client:phone", 1..=3).await;
    mail(&mut publisher, "user:ann", 1..=2).await;
    come(&mut phone, "user:ann", 1..=2).await;
    come(&mut tablet, "user:ann", 1..=2).await;
    // The other way round, over HTTP too.
    mail(&mut phone, "client:tablet", 1..=1).await;
    come(&mut tablet, "client:tablet", 1..=1).await;
}

#[tokio::test]
async fn a_client_of_a_killed_node_finds_its_queue_and_its_subscriptions_at_another() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (mut first, second) = (node(&redis, &postgres), node(&redis, &postgres));
    let mut publisher = Client::open_as(&second, "publisher", "admin").await;
    let mut phone = client(&first, "phone").await;
    phone.subscribe("deployments").await;
    mail(&mut publisher, "client:phone", 1..=4).await;
    come(&mut phone, "client:phone", 1..=4).await;
    phone.send("ack", json!({ "topic": "client:phone", "offset": 2 })).await;
    until("the acknowledgement is written", async || {
        let queue = queue_of(&second, "phone").await;
        (queue["acked_offset"] == 2).then_some(())
    })
    .await;
    first.process.kill();
    mail(&mut publisher, "client:phone", 5..=5).await;
    let mut phone = client(&second, "phone").await;
    assert_eq!(phone.connected["payload"]["resumed"], true);
    assert_eq!(phone.connected["payload"]["dropped"], 0);
    come(&mut phone, "client:phone", 3..=5).await;
    phone.subscribe("deployments").await;
    // A good end: all that the node knew goes along.
    phone.send("ack", json!({ "topic": "client:phone", "offset": 5 })).await;
    phone.ask("ping", json!({})).await;
    first.start_again();
    let mut phone = client(&first, "phone").await;
    assert_eq!(phone.connected["payload"]["resumed"], true);
    assert!(subscription(&phone.connected, "deployments").is_some(), "{}", phone.connected);
    mail(&mut publisher, "client:phone", 6..=6).await;
    come(&mut phone, "client:phone", 6..=6).await;
}

/// What a hub says of the queue of a client.
async fn queue_of(hub: &Hub, client_id: &str) -> Value {
    let path = format!("/api/v1/events/offline/{client_id}");
    let url = format!("http://{}{path}", hub.address);
    let answer = reqwest::Client::new().get(url).bearer_auth(hub.token("admin")).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_newer_connection_to_another_node_takes_the_session_over() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let (first, second) = (node(&redis, &postgres), node(&redis, &postgres));
    let mut publisher = Client::open_as(&first, "publisher", "admin").await;
    let mut old = client(&first, "tab").await;
    old.subscribe("deployments").await;
    mail(&mut publisher, "client:tab", 1..=2).await;
    come(&mut old, "client:tab", 1..=2).await;
    old.send("ack", json!({ "topic": "client:tab", "offset": 1 })).await;
    old.ask("ping", json!({})).await;
    let mut new = client(&second, "tab").await;
    assert_eq!(old.ended().await, Ended::Closed(4001, "replaced".into()));
    assert_eq!(new.connected["payload"]["resumed"], true);
    assert!(subscription(&new.connected, "deployments").is_some(), "{}", new.connected);
    come(&mut new, "client:tab", 2..=2).await;
    mail(&mut publisher, "client:tab", 3..=3).await;
    come(&mut new, "client:tab", 3..=3).await;
    // Somebody else does not get it.
    let other = first.token_with(&["--role", "operator", "--sub", "bob"]);
    let refused = RawSocket::open(&first, &Upgrade::to("/ws/tab").bearer(&other)).await.err().unwrap();
    assert!(refused.body.contains("another subject"), "{refused:?}");
}

#[tokio::test]
async fn messages_for_clients_come_while_redis_is_gone() {
    let (mut redis, postgres) = (Redis::start(), Postgres::start());
    let (here, there) = (node(&redis, &postgres), node(&redis, &postgres));
    let mut publisher = Client::open_as(&there, "publisher", "admin").await;
    let mut phone = client(&here, "phone").await;
    redis.kill();
    mail(&mut publisher, "client:phone", 1..=3).await;
    come(&mut phone, "client:phone", 1..=3).await;
    redis.resume();
    mail(&mut publisher, "client:phone", 4..=5).await;
    come(&mut phone, "client:phone", 4..=5).await;
}
