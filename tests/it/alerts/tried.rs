//! Rules tried out on the past and on given values; templates.

use actix_web::http::Method;
use infrawatch::auth::Role;
use infrawatch::clock::rfc3339;
use serde_json::{Value, json};

use crate::http::Scene;

fn rule() -> Value {
    json!({"name": "Queue is long", "kind": "threshold", "metric": "queue_depth", "comparison": ">", "value": 100,
        "for_duration_seconds": 20, "severity": "error"})
}

/// Ten seconds apart, the last one a minute ago; two series.
async fn past(scene: &Scene) -> u64 {
    let begin_ms = scene.state.services.clock.unix_ms() - 160_000;
    let values = [50, 120, 130, 140, 60, 110, 50, 120, 130, 150];
    let samples: Vec<Value> = (0..10_u64)
        .zip(values)
        .flat_map(|(n, value)| {
            let at = begin_ms + n * 10_000;
            let sample = |node: &str, value: i32| json!({"metric_name": "queue_depth", "value": value, "node": node, "timestamp": at});
            [sample("n1", value), sample("n2", 1)]
        })
        .collect();
    assert_eq!(scene.post("/api/v1/metrics/ingest", &json!(samples)).await.json()["accepted"], 20);
    begin_ms
}

#[actix_web::test]
async fn a_rule_is_previewed_on_what_the_store_has() {
    let scene = Scene::open().await;
    let begin_ms = past(&scene).await;
    let (since, until) = (rfc3339(begin_ms), rfc3339(begin_ms + 95_000));
    let body = json!({"rule": rule(), "since": since, "until": until});
    let answer = scene.post("/api/v1/rules/preview", &body).await.json();
    assert_eq!(
        (&answer["fired"], &answer["samples"], &answer["truncated"]),
        (&json!(2), &json!(20), &json!(false)),
        "{answer}"
    );
    let series = answer["series"].as_array().unwrap();
    let first = &series[0];
    assert_eq!(
        (series.len(), &first["labels"]["node"], &first["metric"]),
        (2, &json!("n1"), &json!("queue_depth"))
    );
    // From the third breach in a row on, until the good one; then from the third again, until the end.
    assert_eq!((&first["fired"], &first["firing_ms"]), (&json!(2), &json!(10_000 + 5_000)), "{first}");
    let phases: Vec<_> =
        first["phases"].as_array().unwrap().iter().map(|one| one["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["pending", "firing", "ok", "pending", "ok", "pending", "firing"]);
    let firing = &first["phases"][1];
    assert_eq!(
        (&firing["at"], &firing["value"], &firing["severity"]),
        (&json!(rfc3339(begin_ms + 30_000)), &json!(140.0), &json!("error"))
    );

    // One that is kept, on one node, as it was read.
    let kept = scene.post("/api/v1/rules", &rule()).await.json();
    for asked in [json!({"rule_id": kept["id"], "node": "n2"}), json!({"rule": kept, "node": "n2"})] {
        let answer = scene.post("/api/v1/rules/preview", &asked).await.json();
        assert_eq!(
            (answer["series"].as_array().unwrap().len(), &answer["fired"]),
            (1, &json!(0)),
            "{answer}"
        );
    }
    let none = scene.post("/api/v1/rules/preview", &json!({"rule": rule(), "node": "n3"})).await.json();
    assert_eq!(none["series"], json!([]));
    scene.post("/api/v1/rules/preview", &json!({"rule_id": "nothing"})).await.problem(404, "not_found");
    for (body, pointer) in [
        (json!({}), "/rule"),
        (json!({"rule": 7}), "/rule"),
        (json!({"rule": {"name": "x", "kind": "threshold"}}), "/metric"),
        (json!({"rule": rule(), "since": "soon"}), "/since"),
        (json!({"rule": rule(), "since": 5, "until": 3}), "/since"),
    ] {
        let problem = scene.post("/api/v1/rules/preview", &body).await.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let viewer = scene.ask(Role::Viewer, Method::POST, "/api/v1/rules/preview").set_payload(body.to_string());
    assert_eq!(scene.send(viewer).await.status, 200, "looking changes nothing");
}

#[actix_web::test]
async fn a_rule_says_its_state_after_each_value() {
    let scene = Scene::open().await;
    let body = json!({"rule": rule(), "test_values": [50, 120, 130, 140, 60]});
    let items = scene.post("/api/v1/test/rule", &body).await.json()["items"].clone();
    let states: Vec<_> =
        items.as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ok", "pending", "pending", "firing", "ok"], "{items}");
    assert_eq!(
        (&items[3]["at_s"], &items[3]["value"], &items[3]["severity"]),
        (&json!(30.0), &json!(140.0), &json!("error"))
    );
    let slow = json!({"rule": rule(), "test_values": [120, 120], "interval_seconds": 60});
    assert_eq!(scene.post("/api/v1/test/rule", &slow).await.json()["items"][1]["state"], "firing");
    for (body, pointer) in [
        (json!({"rule": rule()}), "/test_values"),
        (json!({"rule": rule(), "test_values": []}), "/test_values"),
        (json!({"rule": rule(), "test_values": ["x"]}), "/test_values"),
        (json!({"rule": rule(), "test_values": [1], "interval_seconds": 0}), "/interval_seconds"),
        (json!({"test_values": [1]}), "/rule"),
    ] {
        let problem = scene.post("/api/v1/test/rule", &body).await.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[actix_web::test]
async fn templates_of_every_kind_are_kept_and_rules_come_ready_made() {
    const TEMPLATES: &str = "/api/v1/templates";
    let scene = Scene::open().await;
    let (built_in, _) = Scene::items(&scene.get(&format!("{TEMPLATES}?kind=rule")).await);
    assert!(built_in.len() > 5 && built_in.iter().all(|one| one["built_in"] == true), "{built_in:?}");
    let id = built_in[0]["id"].as_str().unwrap();
    assert_eq!(scene.get(&format!("{TEMPLATES}/{id}")).await.json(), built_in[0]);
    // What is ready-made is a rule as it stands.
    let mut ready = built_in[0]["definition"].clone();
    ready["id"] = json!("made");
    assert_eq!(scene.post("/api/v1/rules", &ready).await.status, 201);
    scene.post(TEMPLATES, &json!({"id": id, "name": "x", "subject": "y"})).await.problem(409, "conflict");

    for (body, kind) in [
        (json!({"name": "Mail", "subject": "{{ alert.title }}", "body": "b"}), "message"),
        (json!({"name": "Week", "sections": ["alerts"]}), "report"),
        (json!({"name": "Wall", "panels": []}), "dashboard"),
        (json!({"name": "Mine", "kind": "rule", "definition": rule()}), "rule"),
        (rule(), "rule"),
    ] {
        let made = scene.post(TEMPLATES, &body).await;
        assert_eq!(
            (made.status, &made.json()["kind"], &made.json()["built_in"]),
            (201, &json!(kind), &json!(false)),
            "{}",
            made.text
        );
        if kind == "rule" {
            assert_eq!(made.json()["definition"]["metric"], "queue_depth", "{}", made.text);
        }
        let path = made.header("location").to_owned();
        let put = scene.ask(Role::Operator, Method::PUT, &path).set_payload(made.text.clone());
        assert_eq!(scene.send(put).await.header("etag"), "\"2\"");
        let delete = scene.ask(Role::Operator, Method::DELETE, &path);
        if kind != "message" {
            assert_eq!(scene.send(delete).await.status, 204);
        }
    }
    let (messages, _) = Scene::items(&scene.get(&format!("{TEMPLATES}?kind=message")).await);
    assert_eq!((messages.len(), &messages[0]["subject"]), (1, &json!("{{ alert.title }}")));
    let all: usize = scene.pages(TEMPLATES, 4).await.iter().map(Vec::len).sum();
    assert_eq!(all, built_in.len() + 1);
    for (body, pointer) in [
        (json!({"name": "x"}), "/kind"),
        (json!({"kind": "song", "name": "x"}), "/kind"),
        (json!({"kind": "message"}), "/name"),
        (json!({"kind": "message", "name": "x", "body": "b".repeat(40_000)}), ""),
        (json!({"kind": "rule", "name": "x", "definition": {"kind": "threshold"}}), "/definition/metric"),
    ] {
        let problem = scene.post(TEMPLATES, &body).await.problem(400, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    scene.get(&format!("{TEMPLATES}?kind=song")).await.problem(400, "invalid_field");
}
