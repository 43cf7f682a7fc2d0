//! Rules over HTTP: made, read, replaced by version, switched, forgotten, explained; fed by samples over HTTP.

use actix_web::http::Method;
use infrawatch::auth::{NewToken, Role};
use infrawatch::clock::rfc3339;
use serde_json::{Value, json};

use crate::http::{Answer, Scene};
use crate::hub::until;

const RULES: &str = "/api/v1/rules";

fn rule(id: &str) -> Value {
    json!({
        "id": id, "name": "Queue is long", "kind": "threshold", "metric": "queue_depth", "comparison": ">", "value": 100,
        "severity": "error", "labels": {"team": "orders"},
    })
}

async fn put(scene: &Scene, path: &str, body: &Value, if_match: &str) -> Answer {
    let request =
        scene.ask(Role::Operator, Method::PUT, path).insert_header(("if-match", if_match.to_owned()));
    scene.send(request.set_payload(body.to_string())).await
}

async fn sample(scene: &Scene, value: f64) -> Value {
    let body = json!({"metric_name": "queue_depth", "value": value, "service": "shop", "labels": {"queue": "orders"}});
    let answer = scene.post("/api/v1/metrics/ingest", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn alert_of(scene: &Scene, rule: &str, state: &str) -> Value {
    let path = format!("/api/v1/alerts?rule_id={rule}&state={state}");
    until(&format!("an alert that is {state}"), async || Scene::items(&scene.get(&path).await).0.pop()).await
}

#[actix_web::test]
async fn a_rule_is_made_read_replaced_switched_and_forgotten() {
    let scene = Scene::open().await;
    let made = scene.post(RULES, &rule("queue")).await;
    assert_eq!(
        (made.status, made.header("etag"), made.header("location")),
        (201, "\"1\"", "/api/v1/rules/queue"),
        "{}",
        made.text
    );
    assert_eq!(
        (&made.json()["live"]["state"], &made.json()["created_by"]),
        (&json!("ok"), &json!("a-admin"))
    );
    assert_eq!(scene.post(RULES, &rule("queue")).await.problem(409, "conflict")["current_version"], 1);
    let read = scene.get("/api/v1/rules/queue").await.json();
    let replaced = put(&scene, "/api/v1/rules/queue", &read, "*").await;
    assert_eq!((replaced.status, replaced.header("etag")), (200, "\"2\""), "{}", replaced.text);
    for stale in [
        put(&scene, "/api/v1/rules/queue", &read, "*").await,
        put(&scene, "/api/v1/rules/queue", &rule("queue"), "\"1\"").await,
    ] {
        assert_eq!(stale.problem(409, "conflict")["current_version"], 2);
    }
    put(&scene, "/api/v1/rules/nothing", &rule("nothing"), "*").await.problem(404, "not_found");
    for n in 0..3 {
        assert_eq!(scene.post(RULES, &rule(&format!("r{n}"))).await.status, 201);
    }
    let bulk = async |action: &str, ids: Value| {
        scene.post("/api/v1/rules/bulk", &json!({"ids": ids, "action": action})).await.json()
    };
    let outcome = bulk("disable", json!(["r0", "r1", "none"])).await;
    assert_eq!(outcome["done"], json!(["r0", "r1"]));
    assert_eq!(outcome["failed"][0]["code"], "not_found");
    let ids = async |query: &str| {
        let (items, _) = Scene::items(&scene.get(&format!("{RULES}?{query}")).await);
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("text=queue&enabled=true").await, ["queue", "r2"]);
    assert_eq!(ids("text=QUEUE&enabled=false").await, ["r0", "r1"]);
    assert_eq!(ids("text=nothing").await, Vec::<String>::new());
    assert_eq!(
        scene.pages(&format!("{RULES}?text=queue"), 3).await.iter().map(Vec::len).collect::<Vec<_>>(),
        [3, 1]
    );
    assert_eq!(bulk("enable", json!(["r0"])).await["done"], json!(["r0"]));
    assert_eq!(bulk("delete", json!(["r0", "r1", "r2"])).await["done"], json!(["r0", "r1", "r2"]));
    assert_eq!(ids("text=queue").await, ["queue"]);
    let delete = || scene.ask(Role::Operator, Method::DELETE, "/api/v1/rules/queue");
    let stale = scene.send(delete().insert_header(("if-match", "\"1\""))).await;
    stale.problem(409, "conflict");
    assert_eq!(scene.send(delete()).await.status, 204);
    scene.send(delete()).await.problem(404, "not_found");
    scene.get("/api/v1/rules/queue").await.problem(404, "not_found");
}

#[actix_web::test]
async fn what_is_no_rule_is_refused_by_its_pointer() {
    let scene = Scene::open().await;
    let with = |field: &str, value: Value| {
        let mut body = rule("x");
        body[field] = value;
        body
    };
    for (body, code, pointer) in [
        (with("value", Value::Null), "invalid_field", "/value"),
        (with("comparison", json!("~")), "invalid_field", "/comparison"),
        (with("severity", json!("loud")), "invalid_field", "/severity"),
        (with("id", json!("a b")), "invalid_field", "/id"),
        (with("version", json!("x")), "invalid_field", "/version"),
        (json!({"name": "x"}), "missing_field", "/kind"),
    ] {
        let problem = scene.post(RULES, &body).await.problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for body in [
        json!({"action": "delete"}),
        json!({"ids": [7], "action": "delete"}),
        json!({"ids": [], "action": "sing"}),
    ] {
        scene.post("/api/v1/rules/bulk", &body).await.problem(400, "invalid_field");
    }
}

#[actix_web::test]
async fn samples_over_http_make_an_alert_fire_and_end_and_both_are_explained() {
    let scene = Scene::open().await;
    scene.post(RULES, &rule("queue")).await;
    let taken = sample(&scene, 140.0).await;
    assert_eq!(taken, json!({"accepted": 1, "nodes": ["ingest"], "durable": true}));
    let alert = alert_of(&scene, "queue", "firing").await;
    assert_eq!(
        (&alert["value"], &alert["service"], &alert["severity"]),
        (&json!(140.0), &json!("shop"), &json!("error"))
    );
    assert_eq!((&alert["labels"]["queue"], &alert["labels"]["team"]), (&json!("orders"), &json!("orders")));
    let explained = scene.get("/api/v1/rules/queue/explain?series=queue=orders").await.json();
    let item = &explained["items"][0];
    assert_eq!(
        (&item["phase"], &item["alert"]["id"], &item["metric"]),
        (&json!("firing"), &alert["id"], &json!("queue_depth")),
        "{explained}"
    );
    assert_eq!(
        (&item["decisions"][0]["to"], &item["decisions"][0]["value"]),
        (&json!("firing"), &json!(140.0))
    );
    assert_eq!(item["fingerprint"], alert["fingerprint"]);
    let while_firing = rfc3339(scene.state.services.clock.unix_ms());
    let none = scene.get("/api/v1/rules/queue/explain?series=queue=other").await.json();
    assert_eq!(none["items"], json!([]));

    // A later moment than that of the alert's last step.
    let begun_ms = scene.state.services.clock.unix_ms();
    until("time passes", async || (scene.state.services.clock.unix_ms() > begun_ms + 5).then_some(())).await;
    sample(&scene, 3.0).await;
    alert_of(&scene, "queue", "resolved").await;
    let explain = async |at: &str| {
        scene.get(&format!("/api/v1/rules/queue/explain{at}")).await.json()["items"][0].clone()
    };
    let now = explain("").await;
    assert_eq!((&now["phase"], &now["alert"]["state"]), (&json!("ok"), &json!("resolved")), "{now}");
    assert_eq!(now["decisions"].as_array().unwrap().len(), 2);
    let then = explain(&format!("?at={while_firing}")).await;
    assert_eq!((&then["phase"], &then["alert"]["state"]), (&json!("firing"), &json!("firing")), "{then}");
    assert_eq!(then["decisions"].as_array().unwrap().len(), 1);
    let before = explain("?at=2026-01-01T00:00:00Z").await;
    assert_eq!((&before["phase"], &before["alert"]), (&json!("ok"), &Value::Null), "{before}");
    let caveats = async |at: &str| {
        scene.get(&format!("/api/v1/rules/queue/explain{at}")).await.json()["caveats"].to_string()
    };
    assert_eq!(caveats("").await, "[]");
    assert_eq!(caveats(&format!("?at={while_firing}")).await, "[]");
    let before = caveats("?at=2026-01-01T00:00:00Z").await;
    assert!(before.contains("the rule was made at") && before.contains("judged nothing"), "{before}");
    let read = scene.get("/api/v1/rules/queue").await.json();
    assert_eq!(put(&scene, "/api/v1/rules/queue", &read, "\"1\"").await.status, 200);
    let before = caveats(&format!("?at={while_firing}")).await;
    assert!(before.contains("by a-operator (version 2)"), "{before}");
    scene.get("/api/v1/rules/queue/explain?at=soon").await.problem(400, "invalid_field");
    scene.get("/api/v1/rules/nothing/explain").await.problem(404, "not_found");
}

#[actix_web::test]
async fn samples_are_taken_all_or_none_and_every_bad_one_is_named() {
    let scene = Scene::open().await;
    let good = json!({"metric_name": "a.b", "value": 1, "node": "n1"});
    let many = json!([good, {"metric_name": "a.b", "value": 2, "node": "n2", "timestamp": scene.state.services.clock.unix_ms()}]);
    assert_eq!(scene.post("/api/v1/metrics/ingest", &many).await.json()["nodes"], json!(["n1", "n2"]));
    let bad = json!([
        good,
        {"metric_name": "a b", "value": 1},
        {"metric_name": "a", "value": "NaN"},
        {"metric_name": "a", "value": 1, "timestamp": "1970-01-01T00:00:00Z"},
        {"metric_name": "a", "value": 1, "labels": {"": "x"}},
        {"metric_name": "a", "value": 1, "node": "a/b"},
    ]);
    let problem = scene.post("/api/v1/metrics/ingest", &bad).await.problem(400, "invalid_field");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/1/metric_name", "/2/value", "/3/timestamp", "/4/labels", "/5/node"]);
    for (body, code) in [
        ("", "invalid_json"),
        ("{}", "missing_field"),
        ("7", "invalid_field"),
        ("[7]", "invalid_field"),
        (r#"{"metric_name":"a","value":1e999}"#, "invalid_field"),
    ] {
        let request =
            scene.ask(Role::Admin, Method::POST, "/api/v1/metrics/ingest").set_payload(body.to_owned());
        scene.send(request).await.problem(400, code);
    }
    // An agent sends samples of its own node.
    let new = NewToken {
        subject: "agent".into(),
        role: Role::Agent,
        node: Some("web-1".into()),
        topics: None,
        ttl_ms: 60_000,
    };
    let token = scene.state.services.auth.issue(new, scene.state.services.clock.unix_ms()).unwrap().0;
    let ask = async |body: Value| {
        let request = actix_web::test::TestRequest::post().uri("/api/v1/metrics/ingest");
        let request = request.insert_header(("authorization", format!("Bearer {token}")));
        scene.send(request.set_payload(body.to_string())).await
    };
    assert_eq!(ask(json!({"metric_name": "a", "value": 1})).await.json()["nodes"], json!(["web-1"]));
    ask(good).await.problem(403, "forbidden");
}

#[actix_web::test]
async fn a_synthetic_walk_goes_from_pending_to_firing_to_resolved() {
    let scene = Scene::open().await;
    let walk = scene.post("/api/v1/metrics/simulate", &json!({"duration_s": 0})).await;
    assert_eq!((walk.status, &walk.json()["synthetic"]), (202, &json!(true)), "{}", walk.text);
    let alert = alert_of(&scene, "synthetic-walk", "resolved").await;
    assert_eq!(alert["labels"]["synthetic"], "true");
    let path = format!("/api/v1/alerts/{}/history", alert["id"].as_str().unwrap());
    let (steps, _) = Scene::items(&scene.get(&path).await);
    let to: Vec<_> = steps.iter().map(|step| step["to"].as_str().unwrap()).collect();
    assert_eq!(to, ["pending", "firing", "resolved"]);
    // Again, though the rule is there.
    until("the walk is over", async || {
        (scene.post("/api/v1/metrics/simulate", &json!({"duration_s": 0})).await.status == 202).then_some(())
    })
    .await;
    scene.post("/api/v1/metrics/simulate", &json!({"duration_s": 61})).await.problem(400, "invalid_field");
}
