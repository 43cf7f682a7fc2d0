//! What is laid down about alerts: made, read, replaced by version, forgotten.

use actix_web::http::Method;
use infrawatch::auth::Role;
use serde_json::{Value, json};

use crate::http::{Answer, Scene};

fn window() -> Value {
    json!({"name": "deploy", "service": "shop", "start": "2026-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z"})
}

fn three() -> [(&'static str, Value); 3] {
    [
        ("/api/v1/suppression", window()),
        (
            "/api/v1/inhibitions",
            json!({"source_matchers": ["severity=critical"], "target_matchers": ["severity=warning"], "equal": ["node"]}),
        ),
        (
            "/api/v1/escalation-policies",
            json!({"name": "on call", "levels": [{"delay_seconds": 0, "targets": ["ann"]}]}),
        ),
    ]
}

async fn put(scene: &Scene, path: &str, body: &Value, if_match: Option<&str>) -> Answer {
    let mut request = scene.ask(Role::Operator, Method::PUT, path).set_payload(body.to_string());
    if let Some(version) = if_match {
        request = request.insert_header(("if-match", version.to_owned()));
    }
    scene.send(request).await
}

#[actix_web::test]
async fn each_kind_is_made_read_replaced_and_forgotten() {
    let scene = Scene::open().await;
    for (path, body) in three() {
        let made = scene.post(path, &body).await;
        assert_eq!((made.status, made.header("etag")), (201, "\"1\""), "{}", made.text);
        let one = made.header("location").to_owned();
        let read = scene.get(&one).await.json();
        assert_eq!(read, made.json());
        assert_eq!((&read["created_by"], &read["version"]), (&json!("a-admin"), &json!(1)));
        assert_eq!(Scene::items(&scene.get(path).await).0, std::slice::from_ref(&read));
        // What was read is written back as it is.
        let replaced = put(&scene, &one, &read, None).await;
        assert_eq!((replaced.status, replaced.header("etag")), (200, "\"2\""), "{}", replaced.text);
        assert_eq!(
            (&replaced.json()["updated_by"], &replaced.json()["created_by"]),
            (&json!("a-operator"), &json!("a-admin"))
        );
        for stale in [put(&scene, &one, &read, None).await, put(&scene, &one, &body, Some("\"1\"")).await] {
            assert_eq!(stale.problem(409, "conflict")["current_version"], 2);
        }
        put(&scene, &one, &body, Some("soon")).await.problem(400, "invalid_field");
        assert_eq!(put(&scene, &one, &body, Some("\"2\"")).await.status, 200);
        let forget = |role| scene.ask(role, Method::DELETE, &one);
        let stale = scene.send(forget(Role::Operator).insert_header(("if-match", "\"2\""))).await;
        assert_eq!(stale.problem(409, "conflict")["current_version"], 3);
        assert_eq!(scene.send(forget(Role::Operator)).await.status, 204);
        scene.send(forget(Role::Operator)).await.problem(404, "not_found");
        put(&scene, &one, &body, None).await.problem(404, "not_found");
    }
}

#[actix_web::test]
async fn an_id_may_be_chosen_and_is_taken_once() {
    let scene = Scene::open().await;
    for (path, mut body) in three() {
        body["id"] = json!("chosen");
        assert_eq!(scene.post(path, &body).await.header("location"), format!("{path}/chosen"));
        assert_eq!(scene.post(path, &body).await.problem(409, "conflict")["current_version"], 1);
        body["id"] = json!("a b");
        assert_eq!(
            scene.post(path, &body).await.problem(400, "invalid_field")["errors"][0]["pointer"],
            "/id"
        );
        put(&scene, &format!("{path}/chosen"), &body, None).await.problem(400, "invalid_field");
    }
    for n in 0..5 {
        let mut body = window();
        body["id"] = json!(format!("w{n}"));
        scene.post("/api/v1/suppression", &body).await;
    }
    let ids = |page: &Vec<Value>| {
        page.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let pages: Vec<_> = scene.pages("/api/v1/suppression", 4).await.iter().map(ids).collect();
    assert_eq!(pages, [vec!["chosen", "w0", "w1", "w2"], vec!["w3", "w4"]]);
}

#[actix_web::test]
async fn a_window_says_whether_it_is_open() {
    let scene = Scene::open().await;
    let made = scene.post("/api/v1/suppression", &window()).await.json();
    assert_eq!((&made["active"], &made["over"]), (&json!(true), &json!(false)), "{made}");
    assert_eq!(made["active_until"], "2036-01-01T00:00:00.000Z");
    let mut past = window();
    past["end"] = json!("2026-01-02T00:00:00Z");
    let made = scene.post("/api/v1/suppression", &past).await.json();
    assert_eq!((&made["active"], &made["over"]), (&json!(false), &json!(true)), "{made}");
    let weekly = json!({"matchers": ["team=db"], "cron": "0 3 * * 1", "time_zone": "Europe/Berlin", "duration_seconds": 3600});
    let made = scene.post("/api/v1/suppression", &weekly).await.json();
    assert!(made["next_start"].is_string() && made["over"] == false, "{made}");
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused_by_its_pointer() {
    let scene = Scene::open().await;
    let one = "/api/v1/suppression";
    for (path, body, code, pointer) in [
        (one, json!({}), "invalid_field", "/matchers"),
        (
            one,
            json!({"service": "s", "start": "x", "end": "2026-01-02T00:00:00Z"}),
            "invalid_field",
            "/start",
        ),
        (one, json!({"service": "s", "cron": "0 3 * *", "duration_seconds": 60}), "invalid_field", "/cron"),
        (
            one,
            json!({"metric_pattern": "(", "cron": "0 3 * * 1", "duration_seconds": 60}),
            "invalid_field",
            "/metric_pattern",
        ),
        (one, json!({"service": "s", "colour": 1}), "invalid_field", "/colour"),
        (one, json!({"service": "s", "version": "x"}), "invalid_field", "/version"),
        (
            "/api/v1/inhibitions",
            json!({"source_matchers": ["x"], "target_matchers": ["a=b"]}),
            "invalid_field",
            "/source_matchers/0",
        ),
        ("/api/v1/escalation-policies", json!({"name": "x"}), "missing_field", "/levels"),
        ("/api/v1/escalation-policies", json!({"name": "x", "levels": []}), "invalid_field", "/levels"),
    ] {
        let problem = scene.post(path, &body).await.problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let text = scene.ask(Role::Admin, Method::POST, one).set_payload("[]");
    scene.send(text).await.problem(400, "invalid_field");
}
