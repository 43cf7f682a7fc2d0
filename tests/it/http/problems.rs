//! Every class of error is a problem of its own code, and every answer has the headers.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use infrawatch::auth::Role;
use infrawatch::telemetry::Counter;
use serde_json::json;

use super::Scene;

#[actix_web::test]
async fn every_class_of_error_is_a_problem() {
    let scene = Scene::with(|options| options.settings.http.body_bytes_max = 1_024).await;
    let publish =
        |body: String| scene.ask(Role::Admin, Method::POST, "/api/v1/events/publish").set_payload(body);
    let get = |path: &str| scene.ask(Role::Admin, Method::GET, path);
    let long = "x".repeat(10_240);
    let post =
        |path: &str, body: &str| scene.ask(Role::Admin, Method::POST, path).set_payload(body.to_owned());
    let rows = [
        (get("/api/v1/unknown"), 404, "not_found"),
        (get("/api/v1/nodes/unknown"), 404, "not_found"),
        (get("/api/v1/connections/rooms/unknown"), 404, "not_found"),
        (get("/api/v1/connections/rooms/unknown/history"), 404, "not_found"),
        (get("/api/v1/streaming/metrics/current"), 404, "not_found"),
        (get("/assets/unknown.js"), 404, "not_found"),
        (scene.ask(Role::Admin, Method::DELETE, "/api/v1/connections/unknown"), 404, "not_found"),
        (scene.ask(Role::Admin, Method::DELETE, "/api/v1/connections/a%20b"), 400, "invalid_name"),
        (get("/api/v1/nodes/a%20b"), 400, "invalid_name"),
        (get(&format!("/api/v1/nodes/{long}")), 400, "invalid_name"),
        (get("/api/v1/nodes?limit=0"), 400, "invalid_field"),
        (get("/api/v1/nodes?cursor=~"), 400, "invalid_field"),
        (get("/api/v1/connections/list?cursor=YSBi"), 400, "invalid_field"),
        (get("/api/v1/connections/rooms?cursor=_w"), 400, "invalid_field"),
        (get("/api/v1/events?cursor=QQ"), 400, "invalid_field"),
        (get("/api/v1/events?topic=a%20b"), 400, "invalid_field"),
        (get(&format!("/api/v1/events?topic={long}")), 400, "invalid_field"),
        (get("/api/v1/streaming/metrics/history?points=1921"), 400, "invalid_field"),
        (get("/api/v1/streaming/metrics/history?since=2&until=1"), 400, "invalid_field"),
        (get("/api/v1/streaming/metrics/history?metric=a%20b"), 400, "invalid_field"),
        (publish("{".to_owned()), 400, "invalid_json"),
        (publish(String::new()), 400, "invalid_json"),
        (publish("\u{0}".to_owned()), 400, "invalid_json"),
        (publish("[]".to_owned()), 400, "invalid_field"),
        (publish("{}".to_owned()), 400, "missing_field"),
        (publish(json!({"type": "", "payload": 1}).to_string()), 400, "invalid_field"),
        (publish(json!({"type": "a", "payload": 1, "topic": "a b"}).to_string()), 400, "invalid_field"),
        (publish(json!({"type": "a", "payload": 1, "priority": "urgent"}).to_string()), 400, "invalid_field"),
        (publish(json!({"type": "a", "payload": 1, "client_id": "b c"}).to_string()), 400, "invalid_field"),
        (
            publish(json!({"type": "a", "payload": 1, "key": "k".repeat(300)}).to_string()),
            400,
            "invalid_field",
        ),
        (publish(json!({"type": "a", "payload": long}).to_string()), 413, "too_large"),
        (get("/api/v1/events/publish"), 405, "method_not_allowed"),
        (scene.ask(Role::Admin, Method::POST, "/api/v1/nodes"), 405, "method_not_allowed"),
        (scene.ask(Role::Admin, Method::PUT, "/"), 405, "method_not_allowed"),
        (get("/ws/somebody"), 426, "upgrade_required"),
        (get("/api/v1/alerts?state=gone"), 400, "invalid_field"),
        (get("/api/v1/alerts/unknown"), 404, "not_found"),
        (get("/api/v1/rules/unknown/explain"), 404, "not_found"),
        (get("/api/v1/suppression?cursor=YSBi"), 400, "invalid_field"),
        (post("/api/v1/rules", "{"), 400, "invalid_json"),
        (post("/api/v1/rules", "[]"), 400, "invalid_field"),
        (post("/api/v1/rules", "{}"), 400, "missing_field"),
        (post("/api/v1/rules", r#"{"id":"a b"}"#), 400, "invalid_field"),
        (post("/api/v1/rules/bulk", "{}"), 400, "missing_field"),
        (post("/api/v1/alerts", "\u{0}"), 400, "invalid_json"),
        (post("/api/v1/alerts", "{}"), 400, "missing_field"),
        (post("/api/v1/alerts/bulk-update", r#"{"ids":[],"action":7}"#), 400, "invalid_field"),
        (post("/api/v1/alerts/unknown/acknowledge", ""), 404, "not_found"),
        (post("/api/v1/metrics/ingest", &long), 413, "too_large"),
        (post("/api/v1/metrics/ingest", "[1]"), 400, "invalid_field"),
        (post("/api/v1/heartbeats/a%20b", ""), 400, "invalid_name"),
        (scene.ask(Role::Admin, Method::PUT, "/api/v1/rules"), 405, "method_not_allowed"),
    ];
    for (request, status, code) in rows {
        let answer = scene.send(request).await;
        answer.problem(status, code);
        assert_headers(&answer);
    }
}

#[track_caller]
fn assert_headers(answer: &super::Answer) {
    assert!(answer.header("content-security-policy").contains("default-src 'self'"), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert!(!answer.header("permissions-policy").is_empty());
    assert!(!answer.header("x-correlation-id").is_empty() && !answer.header("traceparent").is_empty());
    assert!(!answer.header("cache-control").is_empty());
}

#[actix_web::test]
async fn good_answers_have_the_headers_too() {
    let scene = Scene::open().await;
    for path in ["/healthz", "/api/v1/nodes", "/docs", "/docs.js", "/metrics", "/api/openapi.json"] {
        let answer = scene.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_headers(&answer);
    }
    assert_eq!(scene.get("/api/v1/nodes").await.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn every_bad_field_is_named_by_its_pointer() {
    let scene = Scene::open().await;
    let body = json!({"type": 7, "topic": "a b", "priority": "urgent", "client_id": "c d"});
    let problem = scene.post("/api/v1/events/publish", &body).await.problem(400, "missing_field");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/type", "/payload", "/topic", "/priority", "/client_id"]);
    let problem = scene.get("/api/v1/nodes?limit=900&cursor=%00").await.problem(400, "invalid_field");
    assert_eq!(problem["errors"][0]["detail"], "must be a number from 1 to 500");
    assert_eq!(problem["errors"][1]["pointer"], "/cursor");
}

#[actix_web::test]
async fn unknown_parameters_and_fields_are_ignored() {
    let scene = Scene::open().await;
    assert_eq!(scene.get("/api/v1/nodes?colour=blue&limit=1").await.status, 200);
    let body = json!({"type": "a", "payload": 1, "colour": "blue"});
    assert_eq!(scene.post("/api/v1/events/publish", &body).await.status, 202);
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let scene = Scene::open().await;
    let allowed = |method, path| {
        let request = scene.ask(Role::Admin, method, path);
        async { scene.send(request).await.header("allow").to_owned() }
    };
    assert_eq!(allowed(Method::GET, "/api/v1/events/publish").await, "POST");
    assert_eq!(allowed(Method::POST, "/api/v1/events").await, "GET");
    assert_eq!(allowed(Method::GET, "/api/v1/connections/some-client").await, "DELETE");
}

#[actix_web::test]
async fn the_callers_ids_come_back_and_bad_ones_do_not() {
    let scene = Scene::open().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = scene
        .ask(Role::Viewer, Method::GET, "/api/v1/unknown")
        .insert_header(("x-correlation-id", "order-66"))
        .insert_header(("traceparent", parent));
    let answer = scene.send(request).await;
    assert_eq!(answer.problem(404, "not_found")["correlation_id"], "order-66");
    assert!(answer.header("traceparent").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    let request = TestRequest::with_uri("/healthz").insert_header(("x-correlation-id", "a b"));
    let made = scene.send(request).await;
    assert!(uuid::Uuid::parse_str(made.header("x-correlation-id")).is_ok());
}

#[actix_web::test]
async fn the_correlation_id_reaches_the_message() {
    let scene = Scene::open().await;
    let body = json!({"type": "a", "payload": 1, "topic": "app:trace"}).to_string();
    let request = scene
        .ask(Role::Admin, Method::POST, "/api/v1/events/publish")
        .insert_header(("x-correlation-id", "order-67"))
        .set_payload(body);
    assert_eq!(scene.send(request).await.status, 202);
    let topic = infrawatch::ids::TopicName::parse("app:trace").unwrap();
    let handle = scene.state.services.broker.find(&topic).unwrap();
    let view = handle.view(1, &infrawatch::telemetry::Cause::own()).await.unwrap();
    let frame = String::from_utf8_lossy(view.messages[0].frame.as_json()).into_owned();
    assert!(frame.contains(r#""correlation_id":"order-67""#) && frame.contains(r#""type":"a""#), "{frame}");
}

#[actix_web::test]
async fn problems_and_requests_are_counted() {
    let scene = Scene::open().await;
    let count = || Counter::Problems.by_label().get("upgrade_required").copied().unwrap_or_default();
    let before = count();
    scene.get("/ws/somebody").await.problem(426, "upgrade_required");
    assert!(count() > before);
    let text = scene.get("/metrics").await.text;
    assert!(text.contains("infrawatch_http_requests_total{class=\"4xx\"}"), "{text}");
    assert!(text.contains("infrawatch_supervision_actors{kind=\"broker\"} 1"), "{text}");
    assert!(text.trim_end().ends_with("# EOF"));
}
