//! `Idempotency-Key`: what creates something is carried out once a key.

use std::time::Duration;

use actix_web::http::Method;
use infrawatch::auth::Role;
use infrawatch::breaker::Subsystem;
use serde_json::{Value, json};

use crate::http::{Answer, Scene};
use crate::hub::{Hub, Inside, until};

const ALERTS: &str = "/api/v1/streaming/alerts";

fn alert(title: &str) -> Value {
    json!({"severity": "error", "title": title, "message": "m"})
}

async fn send(scene: &Scene, role: Role, path: &str, key: &str, body: &Value) -> Answer {
    let request = scene.ask(role, Method::POST, path).insert_header(("idempotency-key", key.to_owned()));
    scene.send(request.set_payload(body.to_string())).await
}

async fn broadcast(scene: &Scene) -> usize {
    Scene::items(&scene.get(ALERTS).await).0.len()
}

#[actix_web::test]
async fn the_same_request_gets_the_same_answer_and_has_one_effect() {
    let scene = Scene::open().await;
    let first = send(&scene, Role::Admin, ALERTS, "k", &alert("a")).await;
    let again = send(&scene, Role::Admin, &format!("{ALERTS}/"), "k", &alert("a")).await;
    assert_eq!((first.status, &first.text), (201, &again.text));
    assert_eq!((again.status, again.header("content-type")), (201, "application/json"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(broadcast(&scene).await, 1);
    let other = send(&scene, Role::Admin, ALERTS, "k", &alert("b")).await;
    other.problem(409, "conflict");
    // Another key, another caller, another route: other requests.
    assert_eq!(send(&scene, Role::Admin, ALERTS, "k2", &alert("c")).await.status, 201);
    assert_eq!(send(&scene, Role::Operator, ALERTS, "k", &alert("b")).await.status, 201);
    let event = json!({"type": "a", "payload": 1});
    assert_eq!(send(&scene, Role::Admin, "/api/v1/events/publish", "k", &event).await.status, 202);
    assert_eq!(broadcast(&scene).await, 3);
    let window = json!({"service": "s", "start": "2026-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z"});
    let made = send(&scene, Role::Admin, "/api/v1/suppression", "k", &window).await;
    let again = send(&scene, Role::Admin, "/api/v1/suppression", "k", &window).await;
    assert_eq!((again.header("location"), again.header("etag")), (made.header("location"), "\"1\""));
}

#[actix_web::test]
async fn what_was_refused_created_nothing_and_may_be_tried_again() {
    let scene = Scene::open().await;
    send(&scene, Role::Admin, ALERTS, "k", &json!({"severity": "loud"})).await.problem(400, "missing_field");
    assert_eq!(send(&scene, Role::Admin, ALERTS, "k", &alert("a")).await.status, 201);
    send(&scene, Role::Viewer, ALERTS, "v", &alert("a")).await.problem(403, "forbidden");
    // Nothing is begun whose answer cannot be kept.
    scene.state.services.breakers.degrade(Subsystem::Store, "test");
    let refused =
        send(&scene, Role::Admin, "/api/v1/events/publish", "k", &json!({"type": "a", "payload": 1})).await;
    refused.problem(503, "store_unavailable");
    scene.state.services.breakers.recover(Subsystem::Store, "test");
    assert_eq!(
        send(&scene, Role::Admin, ALERTS, "k", &alert("a")).await.header("idempotency-replayed"),
        "true"
    );
}

#[actix_web::test]
async fn a_key_is_a_short_printable_text() {
    let scene = Scene::open().await;
    for key in [String::new(), "k".repeat(256), "a\tb".to_owned()] {
        let problem =
            send(&scene, Role::Admin, ALERTS, &key, &alert("a")).await.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "/Idempotency-Key");
    }
    let twice = scene.ask(Role::Admin, Method::POST, ALERTS);
    let twice = twice.append_header(("idempotency-key", "a")).append_header(("idempotency-key", "b"));
    scene.send(twice.set_payload(alert("a").to_string())).await.problem(400, "invalid_field");
    assert_eq!(send(&scene, Role::Admin, ALERTS, &"k".repeat(255), &alert("a")).await.status, 201);
}

#[actix_web::test]
async fn a_key_is_good_for_a_day() {
    let (clock, hand) = infrawatch::clock::Clock::manual(infrawatch::clock::system_unix_ms());
    let scene = Scene::with(|options| options.clock = clock).await;
    send(&scene, Role::Admin, ALERTS, "k", &alert("a")).await;
    hand.advance_ms(24 * 3_600_000);
    assert_eq!(
        send(&scene, Role::Admin, ALERTS, "k", &alert("a")).await.header("idempotency-replayed"),
        "true"
    );
    hand.advance_ms(1);
    assert_eq!(send(&scene, Role::Admin, ALERTS, "k", &alert("b")).await.header("idempotency-replayed"), "");
}

/// The disk hangs, the caller gives up: what it began is carried out all the same, and once.
#[tokio::test]
async fn a_caller_that_went_away_finds_its_answer_when_it_comes_again() {
    let hub = Inside::start();
    let client = reqwest::Client::new();
    let post = || {
        let request = client.post(hub.url(ALERTS)).bearer_auth(hub.token(Role::Admin)).json(&alert("a"));
        request.header("idempotency-key", "k")
    };
    let lock = hub.hold_commits();
    post().timeout(Duration::from_millis(300)).send().await.unwrap_err();
    let meanwhile = post().send().await.unwrap();
    assert_eq!(meanwhile.headers()["retry-after"], "1");
    let problem: Value = meanwhile.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(409), &json!("conflict")), "{problem}");
    drop(lock);
    let answer = until("it is carried out", async || {
        let answer = post().send().await.unwrap();
        (answer.status() == 201).then_some(answer)
    })
    .await;
    assert_eq!(answer.headers()["idempotency-replayed"], "true");
    let (_, _, page) = hub.get(ALERTS).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
}

#[tokio::test]
async fn a_key_is_remembered_by_a_hub_that_was_killed() {
    let mut hub = Hub::start();
    let token = hub.token("operator");
    let post = async |hub: &Hub, title: &str| {
        let url = format!("http://{}{ALERTS}", hub.address);
        let request = reqwest::Client::new().post(url).bearer_auth(&token).json(&alert(title));
        let answer = request.header("idempotency-key", "k").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let first = post(&hub, "a").await;
    assert_eq!(first.0, 201, "{}", first.1);
    hub.process.kill();
    hub.start_again();
    assert_eq!(post(&hub, "a").await, first);
    assert_eq!(post(&hub, "b").await.0, 409);
}
