//! Exports are streams: a part at a time, whole in the end.

use std::collections::BTreeSet;

use actix_web::body::MessageBody;
use actix_web::http::Method;
use actix_web::test::{call_service, init_service};
use actix_web::web;
use infrawatch::alert::Severity;
use infrawatch::auth::Role;
use serde_json::{Value, json};

use super::{firing, keep};
use crate::http::Scene;

const ALERTS: u64 = 10_000;

async fn many(scene: &Scene) {
    let now_ms = scene.state.services.clock.unix_ms();
    keep(scene, (0..ALERTS).map(|n| firing(&format!("a{n}"), Severity::Error, "s", now_ms - n))).await;
}

/// The parts as they are sent.
async fn parts(scene: &Scene, body: &Value) -> Vec<bytes::Bytes> {
    let service = init_service(infrawatch::http::app(web::Data::from(scene.state.clone()))).await;
    let request =
        scene.ask(Role::Viewer, Method::POST, "/api/v1/alerts/export").set_payload(body.to_string());
    let answer = call_service(&service, request.insert_header(("host", "127.0.0.1:5050")).to_request()).await;
    assert_eq!(answer.status(), 200);
    let mut body = std::pin::pin!(answer.into_body());
    let mut parts = Vec::new();
    while let Some(part) = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await {
        parts.push(part.unwrap());
    }
    parts
}

#[actix_web::test]
async fn ten_thousand_alerts_leave_in_parts_and_each_once() {
    let scene = Scene::open().await;
    many(&scene).await;
    let json_parts = parts(&scene, &json!({"format": "json", "sort": "oldest"})).await;
    assert!(
        json_parts.len() > 10 && json_parts.iter().all(|part| part.len() < 1 << 20),
        "{}",
        json_parts.len()
    );
    let alerts: Vec<Value> = serde_json::from_slice(&json_parts.concat()).unwrap();
    let titles: BTreeSet<&str> = alerts.iter().map(|alert| alert["title"].as_str().unwrap()).collect();
    assert_eq!((alerts.len() as u64, titles.len() as u64), (ALERTS, ALERTS));
    assert_eq!(
        (&alerts[0]["title"], &alerts[0]["state"]),
        (&json!("a9999"), &json!("firing")),
        "the oldest first"
    );

    let csv = String::from_utf8(parts(&scene, &json!({})).await.concat()).unwrap();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len() as u64, ALERTS + 1);
    assert!(lines[0].starts_with("id,fingerprint,rule_id,rule_name,state,severity,"), "{}", lines[0]);
    assert!(lines[1].contains(",firing,error,20,s,a0,a0 happened,"), "{}", lines[1]);
    assert!(lines[1].contains(r#""{""node"":""node-a0""}",91.5,91.5 > 90,1,"#), "{}", lines[1]);
}

#[actix_web::test]
async fn an_export_takes_what_a_search_takes() {
    let scene = Scene::open().await;
    assert_eq!(scene.post("/api/v1/alerts/export", &json!({"format": "json"})).await.json(), json!([]));
    let now_ms = scene.state.services.clock.unix_ms();
    keep(&scene, [firing("=1+1", Severity::Info, "s", now_ms), firing("b", Severity::Error, "t", now_ms)])
        .await;
    let answer = scene.post("/api/v1/alerts/export", &json!({"severities": ["info"]})).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"alerts.csv\"");
    assert_eq!(answer.text.lines().count(), 2);
    assert!(answer.text.contains(",'=1+1,"), "no formula: {}", answer.text);
    for body in [json!({"format": "xml"}), json!({"states": ["gone"]})] {
        scene.post("/api/v1/alerts/export", &body).await.problem(400, "invalid_field");
    }
}
