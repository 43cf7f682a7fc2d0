//! Load tests: what cannot be asked for, and by whom.

use actix_web::http::Method;
use infrawatch::auth::{NewToken, Role, TopicClaims, TopicPattern};
use serde_json::{Value, json};

use super::Scene;

const START: &str = "/api/v1/testing/start";

/// A body that is good but for these fields.
fn but(fields: Value) -> Value {
    let mut body = json!({ "name": "evening", "connections": 25 });
    let Value::Object(fields) = fields else { panic!("{fields} has no fields") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

#[actix_web::test]
async fn what_is_out_of_bounds_is_refused_with_the_bound() {
    let scene = Scene::open().await;
    let rows = [
        (json!({ "name": "" }), "/name", "1 to 80 bytes"),
        (json!({ "name": "x".repeat(81) }), "/name", "1 to 80 bytes"),
        (json!({ "connections": 0 }), "/connections", "1 to 2000"),
        (json!({ "connections": 2_001 }), "/connections", "1 to 2000"),
        (json!({ "connections": 2.5 }), "/connections", "1 to 2000"),
        (json!({ "connections": 161, "scenario": "storm" }), "/connections", "1 to 160"),
        (json!({ "duration_s": 601 }), "/duration_s", "1 to 600"),
        (json!({ "rate_hz": 0 }), "/rate_hz", "1 to 1000"),
        (json!({ "rate_hz": "fast" }), "/rate_hz", "1 to 1000"),
        (json!({ "payload_bytes": 31 }), "/payload_bytes", "32 to 16384"),
        (json!({ "payload_bytes": 16_385 }), "/payload_bytes", "32 to 16384"),
        (json!({ "scenario": "attack" }), "/scenario", "fanout, paced, storm"),
        (json!({ "scenario": "fanout" }), "/scenario", "connection.frames_per_s"),
        (json!({ "reconnects": 5_001, "scenario": "reconnect" }), "/reconnects", "1 to 5000"),
        (json!({ "wait": 1 }), "/wait", "true or false"),
    ];
    for (fields, pointer, bound) in rows {
        let problem = scene.post(START, &but(fields.clone())).await.problem(400, "invalid_field");
        let told = &problem["errors"][0];
        assert_eq!(told["pointer"], pointer, "{fields}: {problem}");
        assert!(told["detail"].as_str().unwrap().contains(bound), "{fields}: {problem}");
    }
    scene.post(START, &json!({ "name": "evening" })).await.problem(400, "missing_field");
    scene.post(START, &json!({ "connections": 1 })).await.problem(400, "missing_field");
    let reconnect = "/api/v1/testing/chaos/reconnect";
    scene.post(reconnect, &json!({ "reconnects": 0 })).await.problem(400, "invalid_field");
    scene.post(reconnect, &json!({ "connections": -1 })).await.problem(400, "invalid_field");
    let (runs, _) = Scene::items(&scene.get("/api/v1/testing/runs").await);
    assert!(runs.is_empty(), "nothing was started: {runs:?}");
}

#[actix_web::test]
async fn the_settings_of_the_lab_and_of_the_hub_are_the_bounds() {
    let scene = Scene::with(|options| {
        options.settings.lab.connections_max = 30;
        options.settings.connection.connections_max = 20;
        options.settings.connection.frames_per_s = 100;
    })
    .await;
    for (fields, bound) in
        [(json!({ "connections": 21 }), "1 to 20"), (json!({ "connections": 1, "rate_hz": 81 }), "1 to 80")]
    {
        let problem = scene.post(START, &but(fields)).await.problem(400, "invalid_field");
        assert!(problem["detail"].as_str().unwrap().contains(bound), "{problem}");
    }
}

/// Whoever fills in a form is told beforehand: what is published is what is checked.
#[actix_web::test]
async fn the_bounds_are_published_as_they_are_checked() {
    let scene = Scene::with(|options| {
        options.settings.lab.duration_ms_max = 7_000;
        options.settings.lab.reconnects_max = 9;
        options.settings.connection.connects_per_s = 20;
    })
    .await;
    let limits = scene.get("/api/v1/testing/limits").await.json();
    let expected = json!({ "connections": { "min": 1, "max": 2_000 }, "duration_s": { "min": 1, "max": 7 },
        "rate_hz": { "min": 1, "max": 1_000 }, "payload_bytes": { "min": 32, "max": 16_384 },
        "reconnects": { "min": 1, "max": 9 } });
    for (field, bound) in expected.as_object().unwrap() {
        assert_eq!(&limits[field], bound, "{field} of {limits}");
        let over = json!({ field.clone(): bound["max"].as_u64().unwrap() + 1, "scenario": "reconnect" });
        let problem = scene.post(START, &but(over)).await.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
    }
    for scenario in limits["scenarios"].as_array().unwrap() {
        let over = json!({ "scenario": scenario["name"], "connections": scenario["connections_max"].as_u64().unwrap() + 1 });
        let problem = scene.post(START, &but(over)).await.problem(400, "invalid_field");
        let told: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        assert!(told.contains(&&json!("/connections")), "{problem}");
        assert_eq!(told.contains(&&json!("/scenario")), scenario["refusal"].is_string(), "{problem}");
    }
    let storm = limits["scenarios"].as_array().unwrap().iter().find(|s| s["name"] == "storm").unwrap();
    assert_eq!((&storm["connections_max"], limits["scenarios"].as_array().unwrap().len()), (&json!(16), 10));
}

#[actix_web::test]
async fn runs_that_do_not_exist_are_not_found() {
    let scene = Scene::open().await;
    let unknown = uuid::Uuid::now_v7().to_string();
    for id in [unknown.as_str(), "nothing", "%00"] {
        scene.get(&format!("/api/v1/testing/runs/{id}")).await.problem(404, "not_found");
        scene.post(&format!("/api/v1/testing/runs/{id}/stop"), &json!({})).await.problem(404, "not_found");
    }
    for bad in ["limit=0", "limit=501", "cursor=~", "cursor=QQ"] {
        scene.get(&format!("/api/v1/testing/runs?{bad}")).await.problem(400, "invalid_field");
    }
}

#[actix_web::test]
async fn a_token_for_other_topics_neither_starts_nor_reads() {
    let scene = Scene::open().await;
    let topics = vec![TopicPattern::parse("orders:*").unwrap()];
    let new = NewToken {
        subject: "ann".into(),
        role: Role::Admin,
        node: None,
        topics: Some(TopicClaims { publish: topics.clone(), subscribe: topics }),
        ttl_ms: 60_000,
    };
    let (token, _) = scene.state.services.auth.issue(new, scene.state.services.clock.unix_ms()).unwrap();
    let ask = |method: Method, path: &str| {
        actix_web::test::TestRequest::with_uri(path)
            .method(method)
            .insert_header(("authorization", format!("Bearer {token}")))
            .set_payload(but(json!({})).to_string())
    };
    let id = uuid::Uuid::now_v7();
    for (method, path) in [
        (Method::POST, START.to_owned()),
        (Method::POST, "/api/v1/testing/chaos/reconnect".to_owned()),
        (Method::POST, format!("/api/v1/testing/runs/{id}/stop")),
        (Method::GET, "/api/v1/testing/limits".to_owned()),
        (Method::GET, "/api/v1/testing/runs".to_owned()),
        (Method::GET, format!("/api/v1/testing/runs/{id}")),
    ] {
        scene.send(ask(method, &path)).await.problem(403, "forbidden");
    }
}

#[actix_web::test]
async fn a_hub_that_stops_starts_no_run() {
    let scene = Scene::open().await;
    scene.state.draining.send_replace(true);
    scene.post(START, &but(json!({}))).await.problem(503, "draining");
    scene.state.draining.send_replace(false);
    scene.state.load_tests.drain().await;
    scene.post(START, &but(json!({}))).await.problem(503, "draining");
}
