//! Lists, searches, one alert with its history, figures.

use actix_web::http::Method;
use infrawatch::alert::Severity;
use infrawatch::auth::{NewToken, Role};
use serde_json::{Value, json};

use super::{acknowledged, firing, keep, resolved};
use crate::http::Scene;

const MINUTE_MS: u64 = 60_000;

/// Five alerts: two that fire, one in hand, one over, one that never came to more than pending.
async fn five(scene: &Scene) -> u64 {
    let now_ms = scene.state.services.clock.unix_ms();
    let at = |minutes: u64| now_ms - minutes * MINUTE_MS;
    let disk = firing("disk", Severity::Critical, "db", at(50));
    let cpu = firing("cpu", Severity::Warning, "shop", at(40));
    let taken = acknowledged(&firing("queue", Severity::Error, "shop", at(30)), at(27));
    let over = resolved(&firing("export", Severity::Info, "billing", at(20)), at(10));
    let mut dropped = resolved(&firing("blip", Severity::Critical, "shop", at(5)), at(4));
    dropped.fired_at_ms = None;
    keep(scene, [disk, cpu, taken, over, dropped]).await;
    now_ms
}

fn titles(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["title"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn lists_are_filtered_sorted_and_paged() {
    let scene = Scene::open().await;
    let now_ms = five(&scene).await;
    let since = format!("since={}", now_ms - 35 * MINUTE_MS);
    for (query, expected) in [
        ("", vec!["export", "queue", "cpu", "disk"]),
        ("sort=oldest", vec!["disk", "cpu", "queue", "export"]),
        ("sort=worst", vec!["disk", "queue", "cpu", "export"]),
        ("sort=urgent", vec!["disk", "queue", "cpu", "export"]),
        ("state=firing,acknowledged", vec!["queue", "cpu", "disk"]),
        ("severity=CRITICAL&severity=low", vec!["export", "disk"]),
        ("service=shop", vec!["queue", "cpu"]),
        ("rule_id=cpu&text=happened&state=resolved", vec!["export"]),
        ("rule_id=other", vec![]),
        ("text=DISK", vec!["disk"]),
        ("label=node=node-cpu", vec!["cpu"]),
        (&since, vec!["export", "queue"]),
    ] {
        let pages = scene.pages(&format!("/api/v1/alerts?{query}"), 3).await.concat();
        assert_eq!(titles(&pages), expected, "{query}");
    }
    let (active, _) = Scene::items(&scene.get("/api/v1/alerts/active").await);
    assert_eq!(titles(&active), ["queue", "cpu", "disk"]);
    let body = json!({"states": ["firing"], "severities": ["critical"], "labels": {"node": "node-disk"}, "sort": "worst"});
    let (found, _) = Scene::items(&scene.post("/api/v1/alerts/search", &body).await);
    assert_eq!(titles(&found), ["disk"]);
    let first = scene.post("/api/v1/alerts/search", &json!({"limit": 3})).await.json();
    let rest = scene.post("/api/v1/alerts/search", &json!({"cursor": first["next_cursor"]})).await;
    assert_eq!(titles(&Scene::items(&rest).0), ["disk"]);
}

#[actix_web::test]
async fn what_cannot_be_looked_for_is_told_field_by_field() {
    let scene = Scene::open().await;
    let query = "state=gone&severity=loud&sort=best&label=x&since=soon&limit=501&cursor=YWJj";
    let problem = scene.get(&format!("/api/v1/alerts?{query}")).await.problem(400, "invalid_field");
    let pointers = |problem: &Value| {
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected = ["/state", "/severity", "/sort", "/cursor", "/label", "/since", "/limit"];
    assert_eq!(pointers(&problem), expected);
    let body = json!({"states": "gone", "severities": [7], "labels": [], "since": "soon", "sort": 1});
    let problem = scene.post("/api/v1/alerts/search", &body).await.problem(400, "invalid_field");
    assert_eq!(pointers(&problem), ["/states", "/severities", "/sort", "/labels", "/since"]);
    five(&scene).await;
    let cursor = scene.get("/api/v1/alerts?limit=1&sort=worst").await.json()["next_cursor"].clone();
    let other = format!("/api/v1/alerts?sort=newest&cursor={}", cursor.as_str().unwrap());
    scene.get(&other).await.problem(400, "invalid_field");
}

#[actix_web::test]
async fn one_alert_is_read_with_its_version_and_its_history() {
    let scene = Scene::open().await;
    let alert = firing("disk", Severity::Critical, "db", 1_000);
    let taken = acknowledged(&alert, 5_000);
    let step = infrawatch::alert::Transition {
        at_ms: 5_000,
        from: Some(infrawatch::alert::State::Firing),
        to: infrawatch::alert::State::Acknowledged,
        actor: "alice".into(),
        reason: "on it".into(),
        value: None,
        comment: Some("on it".into()),
    };
    scene.state.store.write_alerts(vec![taken.to_change(Some(&step))]).await.unwrap();
    let answer = scene.get(&format!("/api/v1/alerts/{}", alert.id)).await;
    assert_eq!((answer.header("etag"), &answer.json()["acknowledged_by"]), ("\"2\"", &json!("alice")));
    for member in ["fingerprint", "rule_name", "score", "labels", "value", "reason", "started_at", "count"] {
        assert!(!answer.json()[member].is_null(), "{member}: {}", answer.text);
    }
    let (steps, _) = Scene::items(&scene.get(&format!("/api/v1/alerts/{}/history", alert.id)).await);
    assert_eq!((&steps[0]["from"], &steps[0]["to"]), (&json!("firing"), &json!("acknowledged")));
    for path in ["/api/v1/alerts/nothing", "/api/v1/alerts/nothing/history"] {
        scene.get(path).await.problem(404, "not_found");
    }
}

#[actix_web::test]
async fn figures_are_in_minutes_and_have_every_state_and_severity() {
    let scene = Scene::open().await;
    five(&scene).await;
    let figures = scene.get("/api/v1/alerts/statistics").await.json();
    assert_eq!(figures["total"], 4);
    let by_state = json!({"pending": 0, "firing": 2, "acknowledged": 1, "suppressed": 0, "resolved": 1});
    assert_eq!(figures["by_state"], by_state);
    assert_eq!(figures["by_severity"], json!({"critical": 1, "error": 1, "warning": 1, "info": 0}));
    assert_eq!((&figures["mtta_minutes"], &figures["mttr_minutes"]), (&json!(3.0), &json!(10.0)));
    let trend = figures["trend"].as_array().unwrap();
    let fired: u64 = trend.iter().map(|hour| hour["fired"].as_u64().unwrap()).sum();
    assert_eq!((trend.len(), fired), (24, 4));
    assert_eq!(figures["noisiest"][0], json!({"rule_id": "cpu", "rule_name": "CPU is busy", "fired": 4}));
}

/// A token for some topics reads the alerts of those topics and no others.
#[actix_web::test]
async fn a_narrow_token_reads_the_severities_that_it_may_subscribe_to() {
    let scene = Scene::open().await;
    let now_ms = five(&scene).await;
    let patterns = json!({"subscribe": ["alerts_critical"], "publish": []});
    let new = NewToken {
        subject: "ann".into(),
        role: Role::Viewer,
        node: None,
        topics: Some(serde_json::from_value(patterns).unwrap()),
        ttl_ms: 600_000,
    };
    let token = scene.state.services.auth.issue(new, now_ms).unwrap().0;
    let ask = async |method: Method, path: &str, body: Value| {
        let request = actix_web::test::TestRequest::with_uri(path)
            .method(method)
            .insert_header(("authorization", format!("Bearer {token}")))
            .set_payload(body.to_string());
        scene.send(request).await
    };
    let all = ask(Method::GET, "/api/v1/alerts", Value::Null).await;
    assert_eq!(titles(&Scene::items(&all).0), ["disk"]);
    ask(Method::GET, "/api/v1/alerts?severity=error", Value::Null).await.problem(403, "forbidden");
    ask(Method::GET, "/api/v1/alerts/statistics", Value::Null).await.problem(403, "forbidden");
    let exported = ask(Method::POST, "/api/v1/alerts/export", json!({"format": "json"})).await.json();
    assert_eq!(titles(exported.as_array().unwrap()), ["disk"]);
    let (queue, _) = Scene::items(&scene.get("/api/v1/alerts?text=queue").await);
    let path = format!("/api/v1/alerts/{}", queue[0]["id"].as_str().unwrap());
    ask(Method::GET, &path, Value::Null).await.problem(403, "forbidden");
}
