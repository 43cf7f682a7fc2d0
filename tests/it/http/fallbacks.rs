//! Polls and event streams, asked in process: what is refused, and where a reader stands.

use std::sync::atomic::Ordering;

use actix_web::http::Method;
use infrawatch::auth::Role;
use infrawatch::ids::TopicName;
use infrawatch::supervision::fault::Phase;
use serde_json::{Value, json};

use super::Scene;

async fn publish(scene: &Scene, topic: &str, n: u64) -> Value {
    let event = json!({ "type": "step", "topic": topic, "payload": n });
    let answer = scene.post("/api/v1/events/publish", &event).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

async fn poll(scene: &Scene, query: &str) -> Value {
    let answer = scene.get(&format!("/api/v1/streaming/poll?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn payloads(polled: &Value) -> Vec<(String, u64)> {
    let frames = polled["messages"].as_array().unwrap().iter();
    frames
        .map(|f| (f["metadata"]["topic"].as_str().unwrap().to_owned(), f["payload"].as_u64().unwrap()))
        .collect()
}

#[actix_web::test]
async fn bad_requests_are_refused_with_what_is_allowed() {
    let scene = Scene::open().await;
    let many: Vec<String> = (0..65).map(|n| format!("t{n}")).collect();
    let rows = [
        (String::new(), "/topics", "one or more topics"),
        ("topics=".to_owned(), "/topics", "one or more topics"),
        ("topics=a,,b".to_owned(), "/topics", "1 to 200 characters"),
        ("topics=a%20b".to_owned(), "/topics", "may have only"),
        ("topics=met*rics".to_owned(), "/topics", "neither at the end"),
        (format!("topics={}", many.join(",")), "/topics", "at most 64 topics, not 65"),
        ("topics=a&since=v2~a~e~1".to_owned(), "/since", "must begin with v1~"),
        ("topics=a&since=v1~a~e".to_owned(), "/since", "in the middle"),
        ("topics=a&since=v1~a~e~x".to_owned(), "/since", "no offset"),
        ("topics=a&limit=0".to_owned(), "/limit", "from 1 to 500"),
        ("topics=a&wait_s=61".to_owned(), "/wait_s", "from 0 to 60"),
    ];
    for (query, pointer, detail) in rows {
        for route in ["poll", "sse"] {
            if route == "sse" && query.contains("wait_s") {
                continue;
            }
            let answer = scene.get(&format!("/api/v1/streaming/{route}?{query}")).await;
            let problem = answer.problem(400, "invalid_field");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{route} {query}: {problem}");
            assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(detail), "{problem}");
        }
    }
    let bad_id = scene.ask(Role::Viewer, Method::GET, "/api/v1/streaming/sse?topics=a");
    let answer = scene.send(bad_id.insert_header(("Last-Event-ID", "v1~a"))).await;
    assert_eq!(answer.problem(400, "invalid_field")["errors"][0]["pointer"], "/Last-Event-ID");
    for route in ["poll", "sse"] {
        let path = format!("/api/v1/streaming/{route}?topics=events,user:bob");
        scene.send(scene.ask(Role::Viewer, Method::GET, &path)).await.problem(403, "forbidden");
    }
    scene.state.draining.send_replace(true);
    for route in ["poll", "sse"] {
        let answer = scene.get(&format!("/api/v1/streaming/{route}?topics=a")).await;
        answer.problem(503, "draining");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[actix_web::test]
async fn a_busy_topic_leaves_the_others_their_share() {
    let scene = Scene::open().await;
    let mut cursor = poll(&scene, "topics=app:busy,app:quiet").await["cursor"].clone();
    for n in 1..=10 {
        publish(&scene, "app:busy", n).await;
    }
    publish(&scene, "app:quiet", 1).await;
    let mut read = Vec::new();
    for round in 0.. {
        let since = cursor.as_str().unwrap().to_owned();
        let polled = poll(&scene, &format!("topics=app:busy,app:quiet&limit=4&wait_s=0&since={since}")).await;
        let new = payloads(&polled);
        assert!(new.len() <= 4, "{polled}");
        assert_eq!(new.contains(&("app:quiet".to_owned(), 1)), round == 0, "{polled}");
        cursor = polled["cursor"].clone();
        if new.is_empty() {
            break;
        }
        read.extend(new);
    }
    read.retain(|(topic, _)| topic == "app:busy");
    assert!(read.into_iter().map(|(_, n)| n).eq(1..=10));
}

#[actix_web::test]
async fn who_is_behind_history_is_told_and_goes_on_from_now() {
    let scene = Scene::with(|options| options.settings.topic.history_messages_max = 5).await;
    let epoch = publish(&scene, "app:a", 1).await["epoch"].as_str().unwrap().to_owned();
    for n in 2..=20 {
        publish(&scene, "app:a", n).await;
    }
    let polled = poll(&scene, &format!("topics=app:a&since=v1~app:a~{epoch}~14")).await;
    assert_eq!((payloads(&polled).len(), &polled["topics"][0]["recovered"]), (0, &json!(false)));
    assert_eq!(polled["topics"][0]["offset"], 20);
    let polled = poll(&scene, &format!("topics=app:a&since=v1~app:a~{epoch}~15")).await;
    assert_eq!((payloads(&polled).len(), &polled["topics"][0]["recovered"]), (5, &json!(true)));
}

/// A topic in memory crashes while a poll waits: the poll gets the new epoch from its first message on.
#[actix_web::test]
async fn who_waits_when_a_topic_begins_anew_misses_nothing_of_it() {
    let scene = Scene::with(|options| options.lab = true).await;
    let published = publish(&scene, "app:a", 1).await;
    let epoch = published["epoch"].as_str().unwrap();
    let query = format!("topics=app:a&wait_s=20&since=v1~app:a~{epoch}~1");
    let waiting = poll(&scene, &query);
    let anew = async {
        crate::hub::until("the poll waits", async || {
            let stats = scene.get("/api/v1/connections/stats").await.json();
            (stats["polls_waiting"] == 1).then_some(())
        })
        .await;
        let tree = &scene.state.services.tree;
        tree.arm("topic", "app:a", Phase::Handler, 1);
        crate::hub::until("the topic is back", async || (tree.totals().restarts == 1).then_some(())).await;
        let first = publish(&scene, "app:a", 2).await;
        assert_ne!(first["epoch"], epoch);
        first
    };
    let (polled, first) = tokio::join!(waiting, anew);
    assert_eq!(polled["topics"][0]["recovered"], false, "{polled}");
    assert_eq!(
        (payloads(&polled), &polled["topics"][0]["epoch"]),
        (vec![("app:a".into(), 2)], &first["epoch"])
    );
}

/// Topics that a wildcard finds are forgotten with the hub's, and begin anew when somebody uses them again.
#[actix_web::test]
async fn a_wildcard_keeps_no_topic_open_that_nobody_uses() {
    let scene = Scene::open().await;
    let broker = &scene.state.services.broker;
    let topic = TopicName::parse("app:a").unwrap();
    publish(&scene, "app:a", 1).await;
    let mut polled = poll(&scene, "topics=app:*").await;
    for n in [2, 3] {
        let since = polled["cursor"].as_str().unwrap();
        assert!(since.contains("~app:a~"), "{polled}");
        broker.find(&topic).unwrap().interest().touched_ms.store(0, Ordering::Relaxed);
        polled = poll(&scene, &format!("topics=app:*&wait_s=0&since={since}")).await;
        broker.sweep();
        assert!(broker.find(&topic).is_none(), "the reader keeps it");
        let since = polled["cursor"].as_str().unwrap();
        polled = poll(&scene, &format!("topics=app:*&wait_s=0&since={since}")).await;
        assert_eq!((&polled["topics"], &polled["cursor"]), (&json!([]), &json!("v1~app:*")));
        assert!(broker.find(&topic).is_none(), "the reader opens it");
        let published = publish(&scene, "app:a", n).await;
        polled = poll(&scene, "topics=app:*&since=v1~app:*").await;
        assert_eq!((payloads(&polled), &published["offset"]), (vec![("app:a".into(), n)], &json!(1)));
    }
}
