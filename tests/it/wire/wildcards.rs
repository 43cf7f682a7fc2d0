//! Wildcards: as far as the token allows, on every way; topics that open later, from their first message on.

use infrawatch::auth::Role;
use infrawatch::config::{Kept, NamespaceSection, Settings};
use serde_json::{Value, json};

use super::events::{Events, poll};
use crate::hub::{Client, Hub, Message, until, within};

fn at_once(settings: &mut Settings) {
    settings.topic.flush_interval_ms = 0;
}

/// Topic, offset and payload of each frame of a poll.
fn messages(polled: &Value) -> Vec<(String, u64, Value)> {
    polled["messages"].as_array().unwrap().iter().map(message).collect()
}

fn message(frame: &Value) -> (String, u64, Value) {
    let meta = &frame["metadata"];
    let topic = meta["topic"].as_str().unwrap().to_owned();
    (topic, meta["offset"].as_u64().unwrap(), frame["payload"].clone())
}

/// Topic, offset and whether it is recovered of each place that is told.
fn places(told: &Value) -> Vec<(&str, u64, bool)> {
    let places = told["topics"].as_array().unwrap().iter();
    places
        .map(|place| {
            let offset = place["offset"].as_u64().unwrap();
            (place["topic"].as_str().unwrap(), offset, place["recovered"].as_bool().unwrap())
        })
        .collect()
}

fn cursor(polled: &Value) -> &str {
    polled["cursor"].as_str().unwrap()
}

async fn refusal(hub: &Hub, route: &str, topics: &str, token: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/streaming/{route}?topics={topics}", hub.address);
    let sending = reqwest::Client::new().get(url).bearer_auth(token).send();
    let answer = within("an answer", sending).await.unwrap();
    let status = answer.status().as_u16();
    (status, within("its body", answer.json()).await.unwrap())
}

#[tokio::test]
async fn a_wildcard_reaches_as_far_as_the_token_on_every_way() {
    let hub = Hub::with(at_once);
    let token = hub.narrow_token(Role::Viewer, "ann", &["app:a*", "user:bob"]);
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    for topic in ["app:a1", "app:b1"] {
        publisher.publish(topic, json!("before")).await;
    }
    let mut socket = Client::open(&hub, "reader", &token).await;
    // Wider than the token, across it, and what the role may not although the token would.
    for topic in ["*", "app:*", "ap*", "*:a*", "app:b*", "user:*", "user:bob", "user:ann", "client:*"] {
        let error = socket.ask("subscribe", json!({ "topics": [topic] })).await;
        assert_eq!(error["payload"]["code"], "forbidden", "{topic}: {error}");
        for route in ["poll", "sse"] {
            let (status, problem) = refusal(&hub, route, &format!("app:a1,{topic}"), &token).await;
            assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{topic}: {problem}");
        }
    }
    let told = socket.request("subscribe", json!({ "topics": ["app:a*"] }), "subscribed").await;
    assert_eq!(places(&told), [("app:a1", 1, false)]);
    let first = poll(&hub, "app:a*", &token, None, 0).await;
    assert_eq!(places(&first), [("app:a1", 1, false)]);
    let mut events = Events::open(&hub, "app:a*", &token, None).await;
    assert_eq!(places(&events.next_of("subscribed").await.data), [("app:a1", 1, false)]);
    for topic in ["app:b2", "app:b1", "app:a1", "app:a2"] {
        publisher.publish(topic, json!("after")).await;
    }
    let expected = [("app:a1".to_owned(), 2, json!("after")), ("app:a2".to_owned(), 1, json!("after"))];
    let polled = poll(&hub, "app:a*", &token, Some(cursor(&first)), 20).await;
    assert_eq!(messages(&polled), expected);
    // Topics are not ordered against each other.
    let (mut streamed, mut heard) = (Vec::new(), Vec::new());
    for _ in &expected {
        streamed.push(message(&events.next_of("message").await.data));
        let Message { topic, offset, payload, .. } = socket.message().await;
        heard.push((topic, offset, payload));
    }
    for seen in [&mut streamed, &mut heard] {
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(seen[..], expected);
    }
}

#[tokio::test]
async fn a_topic_that_opens_later_is_read_from_its_first_message_on() {
    let hub = Hub::with(at_once);
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    let first = poll(&hub, "orders:*", &token, None, 20).await;
    assert_eq!((messages(&first), places(&first), cursor(&first)), (vec![], vec![], "v1~orders:*"));
    // Between two polls.
    for n in 1..=2 {
        publisher.publish("orders:a", json!(n)).await;
    }
    let second = poll(&hub, "orders:*", &token, Some(cursor(&first)), 20).await;
    let both = [("orders:a".to_owned(), 1, json!(1)), ("orders:a".to_owned(), 2, json!(2))];
    assert_eq!((&messages(&second)[..], places(&second)), (&both[..], vec![("orders:a", 2, false)]));
    // While one waits.
    let waiting = poll(&hub, "orders:*", &token, Some(cursor(&second)), 20);
    let publishing = async {
        until("the poll waits", async || (hub.metric("infrawatch_polls_waiting").await == 1).then_some(()))
            .await;
        publisher.publish("orders:b", json!(3)).await;
    };
    let (third, ()) = tokio::join!(waiting, publishing);
    assert_eq!(messages(&third), [("orders:b".to_owned(), 1, json!(3))]);
    assert_eq!(places(&third), [("orders:a", 2, true), ("orders:b", 1, false)]);
    // Who waits for the first topic has a place before it comes.
    let mut events = Events::open(&hub, "nothing:*", &token, None).await;
    assert_eq!(events.next_of("subscribed").await.data, json!({ "topics": [] }));
    publisher.publish("nothing:a", json!(0)).await;
    assert_eq!(message(&events.next_of("message").await.data), ("nothing:a".to_owned(), 1, json!(0)));
    // A stream goes on from there.
    let mut events = Events::open(&hub, "orders:*", &token, Some(cursor(&third))).await;
    let told = events.next_of("subscribed").await.data;
    assert_eq!(places(&told), [("orders:a", 2, true), ("orders:b", 1, true)]);
    publisher.publish("orders:c", json!(4)).await;
    assert_eq!(places(&events.next_of("subscribed").await.data), [("orders:c", 0, false)]);
    assert_eq!(message(&events.next_of("message").await.data), ("orders:c".to_owned(), 1, json!(4)));
    let last_id = events.last_id.take().unwrap();
    drop(events);
    for (topic, n) in [("orders:d", 5), ("orders:a", 6)] {
        publisher.publish(topic, json!(n)).await;
    }
    let mut events = Events::open(&hub, "orders:*", &token, Some(&last_id)).await;
    let mut seen =
        [message(&events.next_of("message").await.data), message(&events.next_of("message").await.data)];
    // Topics are not ordered against each other.
    seen.sort_by_key(|message| message.1);
    assert_eq!(seen, [("orders:d".to_owned(), 1, json!(5)), ("orders:a".to_owned(), 3, json!(6))]);
}

#[tokio::test]
async fn after_a_kill_a_wildcard_goes_on_with_what_the_store_has() {
    let mut hub = Hub::with(|settings| {
        at_once(settings);
        let section = NamespaceSection { kept: Some(Kept::Store), ..NamespaceSection::default() };
        settings.topic.namespaces.insert("jobs".into(), section);
    });
    let token = hub.token("viewer");
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    for topic in ["jobs:a", "app:a"] {
        publisher.publish(topic, json!(1)).await;
    }
    let first = poll(&hub, "jobs:*,app:*", &token, None, 0).await;
    for topic in ["jobs:a", "app:a"] {
        publisher.publish(topic, json!(2)).await;
    }
    hub.process.kill();
    hub.start_again();
    // Nobody has opened either of them.
    let second = poll(&hub, "jobs:*,app:*", &token, Some(cursor(&first)), 20).await;
    assert_eq!(messages(&second), [("jobs:a".to_owned(), 2, json!(2))]);
    assert_eq!(places(&second), [("jobs:a", 2, true)]);
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    publisher.publish("app:a", json!(3)).await;
    let third = poll(&hub, "jobs:*,app:*", &token, Some(cursor(&second)), 20).await;
    assert_eq!(messages(&third), [("app:a".to_owned(), 1, json!(3))]);
    assert_eq!(places(&third), [("app:a", 1, false), ("jobs:a", 2, true)]);
}

#[tokio::test]
async fn more_topics_than_a_client_may_have_are_refused_and_said_so() {
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.connection.topics_max = 3;
    });
    let token = hub.token("viewer");
    let mut publishers =
        [Client::open_as(&hub, "one", "operator").await, Client::open_as(&hub, "two", "operator").await];
    let mut socket = Client::open_as(&hub, "reader", "viewer").await;
    socket.request("subscribe", json!({ "topics": ["many:*"] }), "subscribed").await;
    let mut events = Events::open(&hub, "many:*", &token, None).await;
    for n in 1..=3 {
        publishers[0].publish(&format!("many:{n}"), json!(n)).await;
        assert_eq!(socket.message().await.payload, n);
        assert_eq!(events.next_of("message").await.data["payload"], n);
    }
    let first = poll(&hub, "many:*", &token, None, 0).await;
    assert_eq!(places(&first).len(), 3);
    publishers[1].publish("many:4", json!(4)).await;
    let error = socket.next_of("error").await;
    assert_eq!(error["payload"]["code"], "too_many_topics");
    assert!(error["payload"]["message"].as_str().unwrap().contains("many:4"), "{error}");
    let closed = events.next_of("closed").await.data;
    assert_eq!((&closed["code"], &closed["reason"]), (&json!(4029), &json!("too many requests")));
    assert!(events.next().await.is_none());
    for route in ["poll", "sse"] {
        let (status, problem) = refusal(&hub, route, "many:*", &token).await;
        assert_eq!((status, &problem["code"]), (429, &json!("too_many_topics")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("more than 3 topics"), "{problem}");
    }
    // The others go on.
    publishers[1].publish("many:1", json!(5)).await;
    assert_eq!(socket.message().await.payload, 5);
}

#[tokio::test]
async fn personal_topics_are_read_by_whose_they_are() {
    let hub = Hub::with(at_once);
    let ann = hub.token_with(&["--role", "viewer", "--sub", "ann"]);
    let bob = hub.token_with(&["--role", "viewer", "--sub", "bob"]);
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    for topic in ["client:laptop", "user:ann"] {
        let (status, _) = refusal(&hub, "poll", topic, &bob).await;
        assert_eq!(status, 403, "{topic}");
    }
    // Nobody's yet.
    assert_eq!(refusal(&hub, "poll", "client:laptop", &ann).await.0, 403);
    let laptop = Client::open(&hub, "laptop", &ann).await;
    let topics = "client:laptop,user:ann";
    let first = poll(&hub, topics, &ann, None, 0).await;
    for topic in ["client:laptop", "user:ann"] {
        publisher.publish(topic, json!("hello")).await;
        assert_eq!(refusal(&hub, "sse", topic, &bob).await.0, 403);
    }
    laptop.leave().await;
    let polled = poll(&hub, topics, &ann, Some(cursor(&first)), 20).await;
    let expected = ["client:laptop", "user:ann"].map(|topic| (topic.to_owned(), 1, json!("hello")));
    assert_eq!(messages(&polled), expected);
    let mut events = Events::open(&hub, topics, &ann, Some(cursor(&polled))).await;
    publisher.publish("client:laptop", json!("again")).await;
    assert_eq!(
        message(&events.next_of("message").await.data),
        ("client:laptop".to_owned(), 2, json!("again"))
    );
    // As on her own connection, a token may leave them out.
    let narrow = hub.narrow_token(Role::Viewer, "ann", &["app:*"]);
    assert_eq!(refusal(&hub, "poll", "client:laptop", &narrow).await.0, 403);
}

#[tokio::test]
async fn the_queue_of_a_client_is_no_longer_read_by_whose_session_ended() {
    let hub = Hub::with(|settings| {
        at_once(settings);
        settings.connection.session_ttl_ms = 1_000;
    });
    let ann = hub.token_with(&["--role", "viewer", "--sub", "ann"]);
    let bob = hub.token_with(&["--role", "viewer", "--sub", "bob"]);
    let mut publisher = Client::open_as(&hub, "publisher", "operator").await;
    Client::open(&hub, "laptop", &ann).await.leave().await;
    let mut events = Events::open(&hub, "client:laptop", &ann, None).await;
    events.next_of("subscribed").await;
    publisher.publish("client:laptop", json!("for ann")).await;
    assert_eq!(events.next_of("message").await.data["payload"], "for ann");
    until("the session ended", async || {
        let asked = refusal(&hub, "poll", "client:laptop", &ann).await;
        (asked.0 == 403).then_some(())
    })
    .await;
    let mut laptop = Client::open(&hub, "laptop", &bob).await;
    publisher.publish("client:laptop", json!("for bob")).await;
    assert_eq!(laptop.message().await.payload, "for bob");
    let closed = events.next().await.unwrap();
    assert_eq!((&*closed.kind, &closed.data["code"]), ("closed", &json!(4003)), "{closed:?}");
    // What was ann's is not bob's, neither on the socket nor by a poll.
    let history = laptop.request("history", json!({ "topic": "client:laptop" }), "history").await;
    let payloads: Vec<_> = history["messages"].as_array().unwrap().iter().map(|m| &m["payload"]).collect();
    assert_eq!(payloads, ["for bob"]);
    let epoch = history["epoch"].as_str().unwrap();
    let polled = poll(&hub, "client:laptop", &bob, Some(&format!("v1~client:laptop~{epoch}~0")), 0).await;
    assert!(messages(&polled).iter().all(|message| message.2 == "for bob"), "{polled}");
}
