//! What is read back: events, samples, nodes, rooms, connections.

use actix_web::http::Method;
use infrawatch::auth::Role;
use infrawatch::ids::NodeName;
use infrawatch::ingest::Parsed;
use infrawatch::node::{Batch, Report, Source};
use infrawatch::store::Column;
use infrawatch::telemetry::Cause;
use serde_json::{Value, json};

use super::Scene;

async fn publish(scene: &Scene, topic: &str, n: u64) -> Value {
    let body = json!({"type": "step.done", "topic": topic, "key": "k", "payload": {"n": n, "exact": 1.50}});
    let answer = scene.post("/api/v1/events/publish", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

fn offsets(pages: &[Vec<Value>]) -> Vec<Vec<u64>> {
    pages.iter().map(|page| page.iter().map(|item| item["offset"].as_u64().unwrap()).collect()).collect()
}

#[actix_web::test]
async fn events_come_back_newest_first_page_by_page() {
    let scene = Scene::open().await;
    for topic in ["app:steps", "deployments"] {
        for n in 1..=5 {
            let published = publish(&scene, topic, n).await;
            assert_eq!((&published["offset"], &published["queued"]), (&n.into(), &false.into()));
        }
        let pages = scene.pages(&format!("/api/v1/events?topic={topic}"), 2).await;
        assert_eq!(offsets(&pages), [vec![5, 4], vec![3, 2], vec![1]], "{topic}");
        let newest = &pages[0][0];
        assert_eq!(
            (&newest["type"], &newest["key"], &newest["topic"]),
            (&"step.done".into(), &"k".into(), &topic.into())
        );
        assert_eq!(
            (&newest["payload"], &newest["priority"]),
            (&json!({"n": 5, "exact": 1.5}), &"normal".into())
        );
    }
    let answer = scene.get("/api/v1/events?topic=app:unknown").await;
    assert_eq!(answer.json(), json!({"items": [], "next_cursor": null}));
}

#[actix_web::test]
async fn an_event_without_a_topic_is_listed_without_one() {
    let scene = Scene::open().await;
    scene.post("/api/v1/events/publish", &json!({"type": "a", "payload": null})).await;
    let (items, _) = Scene::items(&scene.get("/api/v1/events").await);
    assert_eq!((&items[0]["topic"], &items[0]["payload"]), (&"events".into(), &Value::Null));
}

#[actix_web::test]
async fn a_cursor_of_another_list_or_epoch_is_refused() {
    let scene = Scene::open().await;
    for topic in ["app:a", "deployments"] {
        publish(&scene, topic, 1).await;
        publish(&scene, topic, 2).await;
    }
    let cursor = |answer: super::Answer| answer.json()["next_cursor"].as_str().unwrap().to_owned();
    let memory = cursor(scene.get("/api/v1/events?topic=app:a&limit=1").await);
    let kept = cursor(scene.get("/api/v1/events?topic=deployments&limit=1").await);
    publish(&scene, "app:b", 1).await;
    for (topic, cursor) in [("app:a", &kept), ("deployments", &memory), ("app:b", &memory)] {
        let answer = scene.get(&format!("/api/v1/events?topic={topic}&cursor={cursor}")).await;
        let problem = answer.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "/cursor");
    }
}

#[actix_web::test]
async fn topics_are_read_and_written_as_the_table_says() {
    let scene = Scene::open().await;
    let read = |role, topic: &str| scene.ask(role, Method::GET, &format!("/api/v1/events?topic={topic}"));
    scene.send(read(Role::Viewer, "user:bob")).await.problem(403, "forbidden");
    assert_eq!(scene.send(read(Role::Viewer, "user:a-viewer")).await.status, 200);
    assert_eq!(scene.send(read(Role::Admin, "user:bob")).await.status, 200);
    let write = |role, topic: &str| {
        let body = json!({"type": "a", "payload": 1, "topic": topic}).to_string();
        scene.ask(role, Method::POST, "/api/v1/events/publish").set_payload(body)
    };
    scene.send(write(Role::Operator, "system")).await.problem(403, "forbidden");
    scene.send(write(Role::Viewer, "events")).await.problem(403, "forbidden");
    // Allowed, but nobody of that name has a session.
    scene.send(write(Role::Operator, "user:bob")).await.problem(404, "no_session");
}

fn report(unix_ms: u64, cpu_percent: f64) -> Parsed {
    let columns = vec![Column { name: "cpu_percent".into(), labels: Default::default() }];
    let batch = Batch { unix_ms, columns: columns.into(), values: vec![cpu_percent] };
    let report = Report {
        source: Source::Agent,
        batches: vec![batch],
        labels: None,
        inventory: None,
        interval_ms: None,
        ttl_ms: None,
    };
    Parsed { report, accepted: 1, rejected: Default::default() }
}

async fn sample(scene: &Scene, node: &str, unix_ms: u64, cpu_percent: f64) {
    let node = NodeName::parse(node).unwrap();
    let ingest = &scene.state.services.ingest;
    let mut receipt = ingest.submit(&node, report(unix_ms, cpu_percent), &Cause::own()).unwrap();
    assert!(receipt.durable().await);
}

#[actix_web::test]
async fn samples_are_read_as_snapshot_and_as_points() {
    let scene = Scene::open().await;
    let now_ms = scene.state.services.clock.unix_ms();
    for (ago_ms, value) in [(3_000, 10.0), (2_000, 20.0), (1_000, 30.0)] {
        sample(&scene, "own", now_ms - ago_ms, value).await;
    }
    let current = scene.get("/api/v1/streaming/metrics/current").await.json();
    assert_eq!((&current["node"], &current["cpu_percent"]), (&"own".into(), &30.0.into()));
    let age_ms = current["age_ms"].as_u64().unwrap();
    assert!((1_000..10_000).contains(&age_ms), "{current}");
    let span = format!("since={}&until={}", now_ms - 3_000, now_ms - 1_000);
    let path = format!("/api/v1/streaming/metrics/history?{span}&points=1920&node=own");
    let history = scene.get(&path).await.json();
    let points: Vec<_> =
        history["points"].as_array().unwrap().iter().map(|p| p[1].as_f64().unwrap()).collect();
    assert_eq!((points, &history["metric"]), (vec![10.0, 20.0, 30.0], &"cpu_percent".into()));
    let one = scene.get(&path.replace("1920", "1")).await.json();
    assert_eq!((one["points"].as_array().unwrap().len(), &one["points"][0][1]), (1, &20.0.into()));
    let none = scene.get("/api/v1/streaming/metrics/history?metric=load1").await.json();
    assert_eq!(none["points"], json!([]));
}

#[actix_web::test]
async fn nodes_are_listed_by_name_page_by_page() {
    let scene = Scene::open().await;
    let now_ms = scene.state.services.clock.unix_ms();
    for node in ["web-2", "web-1", "db"] {
        sample(&scene, node, now_ms, 1.0).await;
    }
    let pages = scene.pages("/api/v1/nodes", 2).await;
    let ids: Vec<Vec<_>> =
        pages.iter().map(|p| p.iter().map(|n| n["id"].as_str().unwrap()).collect()).collect();
    assert_eq!(ids, [vec!["db", "web-1"], vec!["web-2"]]);
    let one = scene.get("/api/v1/nodes/web-1").await.json();
    assert_eq!((&one["state"], &one["metrics"]["cpu_percent"]), (&"online".into(), &1.0.into()));
    assert_eq!(one["transitions"][0]["to"], "online");
    let counts = scene.get("/api/v1/operations/overview").await.json()["nodes"].clone();
    assert_eq!(counts, json!({"total": 3, "online": 3, "late": 0, "offline": 0}));
}

#[actix_web::test]
async fn what_was_said_in_a_room_is_read_oldest_first() {
    let scene = Scene::open().await;
    for n in 1..=60 {
        publish(&scene, "room:ops", n).await;
    }
    let (items, next) = Scene::items(&scene.get("/api/v1/connections/rooms/ops/history").await);
    let offsets: Vec<_> = items.iter().map(|item| item["offset"].as_u64().unwrap()).collect();
    assert_eq!((offsets, next), ((11..=60).collect::<Vec<_>>(), None));
    assert_eq!(items[0]["payload"]["n"], 11);
    let (rooms, _) = Scene::items(&scene.get("/api/v1/connections/rooms").await);
    assert!(rooms.is_empty(), "nobody is in: {rooms:?}");
}

#[actix_web::test]
async fn connections_are_counted_and_listed() {
    let scene = Scene::open().await;
    let stats = scene.get("/api/v1/connections/stats").await.json();
    let nobody = json!({"json": 0, "msgpack": 0});
    assert_eq!((&stats["active_connections"], &stats["by_encoding"]), (&0.into(), &nobody));
    for figure in ["messages_per_second", "deliveries_per_second", "published_total", "bytes_saved_total"] {
        assert!(stats[figure].is_number(), "{figure} in {stats}");
    }
    let clients = &scene.state.services.clients;
    for name in ["c", "a", "b"] {
        let claims =
            infrawatch::auth::Claims { sub: "ann".into(), ..infrawatch::auth::Claims::development() };
        let identity = infrawatch::connection::Identity {
            client_id: infrawatch::ids::ClientId::parse(name).unwrap(),
            claims: claims.into(),
            address: [10, 0, 0, 9].into(),
        };
        clients.arrive(&identity, 1_000, 10).unwrap();
    }
    // As a restarted hub finds it in its store.
    clients.all_changed();
    let mut ended = clients.take_changed(10).into_iter().find(|record| record.client_id == "b").unwrap();
    (ended.connected_at_ms, ended.disconnected_at_ms) = (1_500, Some(2_000));
    clients.recall(vec![ended], 9_000);
    let pages = scene.pages("/api/v1/connections/list", 2).await;
    let all: Vec<_> = pages.concat();
    let ids: Vec<_> =
        all.iter().map(|c| (c["client_id"].as_str().unwrap(), c["state"].as_str().unwrap())).collect();
    assert_eq!(ids, [("a", "connected"), ("b", "disconnected"), ("c", "connected")]);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    let ended = &all[1];
    assert_eq!(
        (&ended["since"], &ended["remote_address"]),
        (&"1970-01-01T00:00:02.000Z".into(), &"10.0.0.9".into())
    );
}
