//! Alerts from outside, and what people do to them.

use actix_web::http::Method;
use futures_util::future::join;
use infrawatch::auth::{NewToken, Role};
use infrawatch::breaker::Subsystem;
use serde_json::{Value, json};

use crate::http::{Answer, Scene};

const ALERTS: &str = "/api/v1/alerts";

fn posted(title: &str) -> Value {
    json!({"severity": "HIGH", "title": title, "message": "m", "service_name": "shop", "labels": {"a": "b"}})
}

async fn post(scene: &Scene, title: &str) -> Value {
    let answer = scene.post(ALERTS, &posted(title)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// A token of an operator of that name.
fn token(scene: &Scene, name: &str) -> String {
    let new =
        NewToken { subject: name.into(), role: Role::Operator, node: None, topics: None, ttl_ms: 60_000 };
    scene.state.services.auth.issue(new, scene.state.services.clock.unix_ms()).unwrap().0
}

async fn act(scene: &Scene, token: &str, id: &Value, action: &str, body: &str) -> Answer {
    let path = format!("{ALERTS}/{}/{action}", id.as_str().unwrap());
    let request = actix_web::test::TestRequest::with_uri(&path).method(Method::POST);
    let request = request.insert_header(("authorization", format!("Bearer {token}")));
    scene.send(request.set_payload(body.to_owned())).await
}

#[actix_web::test]
async fn an_alert_from_outside_is_opened_once_and_then_counted() {
    let scene = Scene::open().await;
    let first = scene.post(ALERTS, &posted("a")).await;
    let alert = first.json();
    assert_eq!(
        (first.status, &alert["severity"], &alert["service"]),
        (201, &json!("error"), &json!("shop")),
        "{alert}"
    );
    assert_eq!(first.header("location"), format!("{ALERTS}/{}", alert["id"].as_str().unwrap()));
    assert_eq!((&alert["state"], &alert["rule_id"]), (&json!("firing"), &Value::Null));
    let again = scene.post(ALERTS, &posted("a")).await;
    assert_eq!((again.status, &again.json()["id"], &again.json()["count"]), (200, &alert["id"], &json!(2)));
    scene.state.services.breakers.degrade(Subsystem::Alerts, "test");
    let queued = scene.post(ALERTS, &posted("b")).await;
    assert_eq!((queued.status, &queued.json()["queued"]), (202, &json!(true)));
    scene.state.services.breakers.degrade(Subsystem::Store, "test");
    scene.post(ALERTS, &posted("c")).await.problem(503, "store_unavailable");
    let problem =
        scene.post(ALERTS, &json!({"severity": "loud", "labels": 7})).await.problem(400, "missing_field");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 4, "{problem}");
    let viewer = scene.ask(Role::Viewer, Method::POST, ALERTS).set_payload(posted("c").to_string());
    scene.send(viewer).await.problem(403, "forbidden");
}

#[actix_web::test]
async fn two_operators_at_once_have_one_winner() {
    let scene = Scene::open().await;
    let (alice, bob) = (token(&scene, "alice"), token(&scene, "bob"));
    for n in 0..10 {
        let id = post(&scene, &format!("a{n}")).await["id"].clone();
        let (a, b) =
            join(act(&scene, &alice, &id, "acknowledge", ""), act(&scene, &bob, &id, "acknowledge", ""))
                .await;
        let (won, lost, winner) = if a.status == 200 { (a, b, "alice") } else { (b, a, "bob") };
        assert_eq!((won.status, &won.json()["acknowledged_by"]), (200, &json!(winner)), "{}", won.text);
        let problem = lost.problem(409, "conflict");
        assert_eq!(
            (&problem["state"], &problem["acknowledged_by"]),
            (&json!("acknowledged"), &json!(winner))
        );
    }
}

#[actix_web::test]
async fn acknowledge_and_resolve_are_idempotent_and_in_the_audit_trail() {
    let scene = Scene::open().await;
    let alice = token(&scene, "alice");
    let id = post(&scene, "a").await["id"].clone();
    for _ in 0..2 {
        let taken = act(&scene, &alice, &id, "acknowledge", r#"{"comment":"on it"}"#).await;
        assert_eq!(
            (taken.status, &taken.json()["acknowledged_by"]),
            (200, &json!("alice")),
            "{}",
            taken.text
        );
    }
    for body in [r#"{"comment":"fixed"}"#, "", "{}"] {
        let over = act(&scene, &alice, &id, "resolve", body).await;
        assert_eq!((over.status, &over.json()["state"]), (200, &json!("resolved")), "{}", over.text);
    }
    let late = act(&scene, &alice, &id, "acknowledge", "").await.problem(409, "conflict");
    assert_eq!(late["state"], "resolved");
    let (steps, _) = Scene::items(&scene.get(&format!("{ALERTS}/{}/history", id.as_str().unwrap())).await);
    let told: Vec<_> = steps
        .iter()
        .map(|step| (step["to"].clone(), step["actor"].clone(), step["comment"].clone()))
        .collect();
    let expected = [
        (json!("firing"), json!("a-admin"), Value::Null),
        (json!("acknowledged"), json!("alice"), json!("on it")),
        (json!("resolved"), json!("alice"), json!("fixed")),
    ];
    assert_eq!(told, expected);
    act(&scene, &alice, &json!("nothing"), "resolve", "").await.problem(404, "not_found");
    act(&scene, &alice, &id, "resolve", "[]").await.problem(400, "invalid_field");
}

#[actix_web::test]
async fn many_are_updated_each_by_itself() {
    let scene = Scene::open().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(post(&scene, &format!("a{n}")).await["id"].clone());
    }
    act(&scene, &token(&scene, "alice"), &ids[0], "acknowledge", "").await;
    let body =
        json!({"ids": [ids[0], ids[1], ids[2], "nothing"], "action": "acknowledge", "comment": "all mine"});
    let outcome = scene.post("/api/v1/alerts/bulk-update", &body).await.json();
    assert_eq!(outcome["done"], json!([ids[1], ids[2]]), "{outcome}");
    assert_eq!(
        (&outcome["failed"][0]["code"], &outcome["failed"][0]["state"]),
        (&json!("conflict"), &json!("acknowledged"))
    );
    assert_eq!(outcome["failed"][1]["code"], "not_found");
    let outcome =
        scene.post("/api/v1/alerts/bulk-update", &json!({"ids": ids, "action": "resolve"})).await.json();
    assert_eq!(outcome["done"].as_array().unwrap().len(), 3);
    scene
        .post("/api/v1/alerts/bulk-update", &json!({"ids": [], "action": "sing"}))
        .await
        .problem(400, "invalid_field");
}

#[actix_web::test]
async fn made_up_alerts_are_labelled_and_each_is_another() {
    let scene = Scene::open().await;
    for _ in 0..2 {
        let made = scene.post("/api/v1/alerts/simulate", &json!({"count": 5})).await;
        assert_eq!((made.status, &made.json()["alerts_created"]), (201, &json!(5)), "{}", made.text);
        assert_eq!(made.json()["alerts"][4]["labels"]["synthetic"], "true");
    }
    let (active, _) = Scene::items(&scene.get("/api/v1/alerts/active?label=simulated=true").await);
    assert_eq!(active.len(), 10);
}

/// What is laid down holds for the next alert, when it was answered.
#[actix_web::test]
async fn a_window_holds_back_what_comes_after_it() {
    let scene = Scene::open().await;
    let window = json!({"name": "deploy", "service": "shop", "start": "2026-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z"});
    let made = scene.post("/api/v1/suppression", &window).await;
    assert_eq!(post(&scene, "a").await["state"], "suppressed");
    let delete = scene.ask(Role::Operator, Method::DELETE, made.header("location"));
    assert_eq!(scene.send(delete).await.status, 204);
    assert_eq!(post(&scene, "b").await["state"], "firing");
}
