//! Sessions: what a client finds when it is back, and its own topics.

use infrawatch::auth::Role;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::http::call;
use crate::hub::{Client, Ended, Hub};

fn subscription<'a>(connected: &'a Value, topic: &str) -> Option<&'a Value> {
    connected["payload"]["subscriptions"].as_array().unwrap().iter().find(|s| s["topic"] == *topic)
}

/// Leaves, and waits until the hub knows.
async fn gone(watcher: &mut Client, mut client: Client) {
    watcher.request("join_room", json!({ "room": "hall" }), "room_joined").await;
    client.request("join_room", json!({ "room": "hall" }), "room_joined").await;
    client.leave().await;
    watcher.next_of("member_left").await;
}

#[tokio::test]
async fn a_client_that_is_back_goes_on_where_it_was() {
    let hub = Hub::start();
    let token = hub.token("operator");
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let mut client = Client::open(&hub, "laptop", &token).await;
    assert_eq!(client.connected["payload"]["resumed"], false);
    client.subscribe("app:orders").await;
    client.request("subscribe", json!({ "topics": ["site:*"] }), "subscribed").await;
    for n in 1..=3 {
        publisher.publish("app:orders", json!(n)).await;
        assert_eq!(client.message().await.payload, n);
    }
    gone(&mut publisher, client).await;
    for n in 4..=5 {
        publisher.publish("app:orders", json!(n)).await;
    }
    let mut client = Client::open(&hub, "laptop", &token).await;
    let connected = client.connected.clone();
    assert_eq!(
        (&connected["payload"]["resumed"], &connected["payload"]["dropped"]),
        (&json!(true), &json!(0))
    );
    let former = subscription(&connected, "app:orders").unwrap();
    assert_eq!(former["offset"], 3);
    assert_eq!(subscription(&connected, "site:*").unwrap(), &json!({ "topic": "site:*" }));
    let recover = json!({ "epoch": former["epoch"], "offset": former["offset"] });
    let asked = json!({ "topics": [{ "topic": "app:orders", "recover": recover }] });
    let answer = client.request("subscribe", asked, "subscribed").await;
    let row = &answer["topics"][0];
    assert_eq!(
        (&row["recovered"], &row["recovered_count"], &row["offset"]),
        (&json!(true), &json!(2), &json!(5))
    );
    assert_eq!((client.message().await.offset, client.message().await.offset), (4, 5));
}

#[tokio::test]
async fn a_newer_connection_takes_the_session_over() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    let mut first = Client::open(&hub, "tab", &token).await;
    first.subscribe("app:orders").await;
    let second = Client::open(&hub, "tab", &token).await;
    assert_eq!(first.ended().await, Ended::Closed(4001, "replaced".into()));
    assert_eq!(second.connected["payload"]["resumed"], true);
    assert_eq!(subscription(&second.connected, "app:orders").unwrap()["offset"], 0);
}

#[tokio::test]
async fn permissions_are_checked_again_on_resume() {
    let hub = Hub::start();
    let wide = hub.token_with(&["--role", "admin", "--sub", "ann"]);
    let narrow = hub.narrow_token(Role::Viewer, "ann", &["app:orders", "site:a*", "client:*"]);
    let mut watcher = Client::open_as(&hub, "watcher", "viewer").await;
    let mut client = Client::open(&hub, "laptop", &wide).await;
    let topics = json!({ "topics": ["app:orders", "app:bills", "site:*", "site:a*", "client:bob"] });
    client.request("subscribe", topics, "subscribed").await;
    gone(&mut watcher, client).await;
    let mut client = Client::open(&hub, "laptop", &narrow).await;
    let former = client.connected["payload"]["subscriptions"].as_array().unwrap().iter();
    let former: Vec<_> = former.map(|row| row["topic"].as_str().unwrap()).collect();
    assert_eq!(former, ["app:orders", "site:a*"]);
    let refused = client.ask("subscribe", json!({ "topics": ["client:bob"] })).await;
    assert_eq!(refused["payload"]["code"], "forbidden");
}

/// Publishes to the queue of the client `phone`.
async fn mail(publisher: &mut Client, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        publisher.publish("client:phone", json!(n)).await;
    }
}

#[tokio::test]
async fn what_is_sent_to_a_client_that_is_away_waits_until_it_is_acknowledged() {
    let hub = Hub::start();
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let refused = publisher.ask("publish", json!({ "topic": "client:phone", "data": 0 })).await;
    assert_eq!(refused["payload"]["code"], "no_session", "only clients with a session have a queue");
    let phone = Client::open(&hub, "phone", &token).await;
    gone(&mut publisher, phone).await;
    mail(&mut publisher, 1..=4).await;
    let mut phone = Client::open(&hub, "phone", &token).await;
    let told = phone.next_of("subscribed").await;
    assert_eq!(told["payload"]["topics"][0]["topic"], "client:phone");
    let mut ids = Vec::new();
    for n in 1..=4 {
        let frame = phone.next_of("message").await;
        assert_eq!((&frame["payload"], &frame["metadata"]["topic"]), (&json!(n), &json!("client:phone")));
        ids.push(frame["id"].as_str().unwrap().to_owned());
    }
    // Live as well, and in order.
    mail(&mut publisher, 5..=5).await;
    assert_eq!(phone.message().await.payload, 5);
    phone.send("ack", json!({ "topic": "client:phone", "offset": 2 })).await;
    phone.send("ack", json!({ "ids": [ids[3]] })).await;
    phone.ask("ping", json!({})).await;
    gone(&mut publisher, phone).await;
    let mut phone = Client::open(&hub, "phone", &token).await;
    for n in [3, 5] {
        assert_eq!(phone.message().await.payload, n);
    }
    let wrong = phone.ask("ack", json!({ "topic": "client:phone", "offset": 6 })).await;
    assert!(wrong["payload"]["message"].as_str().unwrap().contains("at most 5"), "{wrong}");
    let wrong = phone.ask("ack", json!({ "topic": "app:orders", "offset": 1 })).await;
    assert_eq!(wrong["payload"]["code"], "invalid_field");
    for malformed in [json!({}), json!({ "ids": ["x"] }), json!({ "topic": "client:phone" })] {
        assert_eq!(phone.ask("ack", malformed).await["payload"]["code"], "invalid_field");
    }
}

#[tokio::test]
async fn what_a_queue_dropped_is_told_at_once_and_with_the_first_message() {
    let hub = Hub::with(|settings| settings.topic.personal_messages_max = 3);
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let phone = Client::open(&hub, "phone", &token).await;
    gone(&mut publisher, phone).await;
    mail(&mut publisher, 1..=5).await;
    let mut phone = Client::open(&hub, "phone", &token).await;
    assert_eq!(phone.connected["payload"]["dropped"], 2);
    let first = phone.next_of("message").await;
    assert_eq!((&first["payload"], &first["metadata"]["dropped"]), (&json!(3), &json!(2)));
    let second = phone.next_of("message").await;
    assert_eq!((&second["payload"], second["metadata"].get("dropped")), (&json!(4), None));
}

#[tokio::test]
async fn a_persons_topic_reaches_every_client_of_that_person() {
    let hub = Hub::start();
    let ann = hub.token_with(&["--role", "viewer", "--sub", "ann"]);
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let mut laptop = Client::open(&hub, "laptop", &ann).await;
    let mut phone = Client::open(&hub, "phone", &ann).await;
    publisher.publish("user:ann", json!("hello")).await;
    for client in [&mut laptop, &mut phone] {
        assert_eq!(client.message().await.payload, "hello");
    }
    let refused = publisher.ask("publish", json!({ "topic": "user:bob", "data": 0 })).await;
    assert_eq!(refused["payload"]["code"], "no_session");
}

#[tokio::test]
async fn a_queue_and_its_session_survive_a_kill() {
    let mut hub = Hub::start();
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let phone = Client::open(&hub, "phone", &token).await;
    // The session is not even written when its first message is acknowledged to the publisher.
    mail(&mut publisher, 1..=2).await;
    hub.process.kill();
    drop(phone);
    hub.start_again();
    let mut phone = Client::open(&hub, "phone", &token).await;
    assert_eq!(phone.connected["payload"]["resumed"], true);
    for n in 1..=2 {
        assert_eq!(phone.message().await.payload, n);
    }
}

#[tokio::test]
async fn topics_in_memory_keep_their_epoch_over_a_drain_and_lose_it_in_a_crash() {
    let mut hub = Hub::start();
    let token = hub.token("admin");
    let mut client = Client::open(&hub, "client", &token).await;
    let at = client.publish("app:orders", json!(1)).await;
    let recover =
        json!({ "topics": [{ "topic": "app:orders", "recover": { "epoch": at["epoch"], "offset": 0 } }] });
    hub.process.signal(Signal::TERM);
    client.ended().await;
    assert!(hub.process.wait().is_some_and(|status| status.success()));
    hub.start_again();
    let mut client = Client::open(&hub, "client", &token).await;
    let answer = client.request("subscribe", recover.clone(), "subscribed").await;
    assert_eq!(
        (&answer["topics"][0]["recovered"], &answer["topics"][0]["epoch"]),
        (&json!(true), &at["epoch"])
    );
    assert_eq!(client.message().await.payload, 1);
    hub.process.kill();
    hub.start_again();
    let mut client = Client::open(&hub, "client", &token).await;
    let answer = client.request("subscribe", recover, "subscribed").await;
    let row = &answer["topics"][0];
    assert_eq!((&row["recovered"], &row["offset"]), (&json!(false), &json!(0)));
    assert_ne!(row["epoch"], at["epoch"]);
}

#[tokio::test]
async fn the_queue_of_a_client_can_be_looked_at() {
    let hub = Hub::start();
    let mut publisher = Client::open_as(&hub, "publisher", "admin").await;
    let phone = Client::open_as(&hub, "phone", "viewer").await;
    gone(&mut publisher, phone).await;
    mail(&mut publisher, 1..=3).await;
    let admin = hub.token("admin");
    let path = "/api/v1/events/offline/phone?limit=2";
    let queue = call(&hub, Method::GET, path, &admin, None, 200).await;
    assert_eq!((&queue["queued"], &queue["acked_offset"]), (&json!(3), &json!(0)));
    assert_eq!((queue["messages"].as_array().unwrap().len(), &queue["dropped"]), (2, &json!(0)));
    assert_eq!(queue["messages"][0]["payload"], 1);
    // Its own subject may look, another viewer may not.
    call(&hub, Method::GET, path, &hub.token("viewer"), None, 200).await;
    let other = hub.token_with(&["--role", "viewer", "--sub", "eve"]);
    call(&hub, Method::GET, path, &other, None, 403).await;
    call(&hub, Method::GET, "/api/v1/events/offline/nobody", &admin, None, 404).await;
    let event = json!({ "type": "call", "payload": "back", "client_id": "phone", "topic": "app:calls" });
    let answer = call(&hub, Method::POST, "/api/v1/events/publish", &admin, Some(event), 202).await;
    assert_eq!((&answer["queued"], &answer["topic"]), (&json!(true), &json!("app:calls")));
    let event = json!({ "type": "call", "payload": "back", "client_id": "nobody" });
    let answer = call(&hub, Method::POST, "/api/v1/events/publish", &admin, Some(event), 202).await;
    assert_eq!((&answer["queued"], &answer["topic"]), (&json!(false), &json!("events")));
}
