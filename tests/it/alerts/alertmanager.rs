//! The API of Alertmanager: what Prometheus posts, what a silence does. Against the real programs: [`super::prometheus`].

use infrawatch::clock::rfc3339;
use serde_json::{Value, json};

use crate::http::Scene;
use crate::hub::until;

const HOUR_MS: u64 = 3_600_000;

fn in_ms(scene: &Scene, ms: u64) -> String {
    rfc3339(scene.state.services.clock.unix_ms() + ms)
}

async fn post(scene: &Scene, alerts: &Value) {
    let answer = scene.post("/api/v2/alerts", alerts).await;
    assert_eq!((answer.status, &*answer.text), (200, ""), "as Alertmanager: nothing to say");
}

fn busy(ends_at: &str) -> Value {
    json!([{
        "labels": {"alertname": "Busy", "severity": "page", "instance": "web-1:9100", "empty": ""},
        "annotations": {"description": "web-1 is busy"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": ends_at, "generatorURL": "http://prometheus/graph",
    }])
}

#[actix_web::test]
async fn what_prometheus_posts_is_an_alert_until_prometheus_ends_it() {
    let scene = Scene::open().await;
    let later = in_ms(&scene, HOUR_MS);
    post(&scene, &busy(&later)).await;
    post(&scene, &busy(&later)).await;
    let (ours, _) = Scene::items(&scene.get("/api/v1/alerts?state=firing").await);
    let alert = &ours[0];
    assert_eq!(
        (ours.len(), &alert["title"], &alert["severity"], &alert["message"]),
        (1, &json!("Busy"), &json!("critical"), &json!("web-1 is busy"))
    );
    assert_eq!(
        (&alert["count"], &alert["ends_at"], &alert["labels"]["empty"]),
        (&json!(2), &json!(later), &Value::Null)
    );
    let theirs = scene.get("/api/v2/alerts").await.json();
    let alert = &theirs[0];
    assert_eq!(
        (&alert["labels"]["alertname"], &alert["labels"]["severity"]),
        (&json!("Busy"), &json!("page"))
    );
    assert_eq!(
        (&alert["generatorURL"], &alert["endsAt"]),
        (&json!("http://prometheus/graph"), &json!(later))
    );
    assert_eq!(alert["status"], json!({"inhibitedBy": [], "silencedBy": [], "state": "active"}));
    assert_eq!(alert["receivers"], json!([{"name": "infrawatch"}]));
    post(&scene, &busy("2026-01-02T00:00:00Z")).await;
    assert_eq!(scene.get("/api/v2/alerts").await.json(), json!([]));
    let (ours, _) = Scene::items(&scene.get("/api/v1/alerts").await);
    assert_eq!((&ours[0]["state"], &ours[0]["resolved_by"]), (&json!("resolved"), &json!("infrawatch")));
    // What is over and was never told is none.
    post(&scene, &json!([{"labels": {"alertname": "Other"}, "endsAt": "2026-01-02T00:00:00Z"}])).await;
    assert_eq!(Scene::items(&scene.get("/api/v1/alerts").await).0.len(), 1);
}

#[actix_web::test]
async fn alerts_are_filtered_and_grouped() {
    let scene = Scene::open().await;
    let one = |name: &str, node: &str| json!({"labels": {"alertname": name, "node": node}});
    post(&scene, &json!([one("a", "1"), one("a", "2"), one("b", "1")])).await;
    let names = async |query: &str| {
        let found = scene.get(&format!("/api/v2/alerts?{query}")).await.json();
        found.as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 3),
        ("filter=alertname%3D%22a%22", 2),
        ("filter=alertname%3D~%22a%7Cb%22&filter=node%21%3D%222%22", 2),
        ("filter=severity%3Dwarning", 3),
        ("active=false", 0),
        ("receiver=infra.*", 3),
        ("receiver=other", 0),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    let groups = scene.get("/api/v2/alerts/groups").await.json();
    assert_eq!(
        (
            groups.as_array().unwrap().len(),
            &groups[0]["labels"],
            groups[0]["alerts"].as_array().unwrap().len()
        ),
        (2, &json!({"alertname": "a"}), 2)
    );
    assert_eq!(scene.get("/api/v2/receivers").await.json(), json!([{"name": "infrawatch"}]));
    let status = scene.get("/api/v2/status").await.json();
    assert!(status["uptime"].is_string() && status["versionInfo"]["version"].is_string(), "{status}");
    for (path, body) in [
        ("/api/v2/alerts?filter=x", Value::Null),
        ("/api/v2/alerts?active=x", Value::Null),
        ("/api/v2/alerts", json!([{"labels": {}}])),
        ("/api/v2/alerts", json!([{"labels": {"alertname": "a"}, "endsAt": "soon"}])),
        ("/api/v2/silences", json!({"matchers": [{"name": "a", "value": "b", "isRegex": false}]})),
        (
            "/api/v2/silences",
            json!({"matchers": [{"name": "a", "value": "", "isRegex": false}], "startsAt": "2026-01-01T00:00:00Z", "endsAt": in_ms(&scene, HOUR_MS)}),
        ),
        (
            "/api/v2/silences",
            json!({"matchers": [{"name": "a", "value": "b", "isRegex": false}], "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-02T00:00:00Z"}),
        ),
    ] {
        let answer = if body.is_null() { scene.get(path).await } else { scene.post(path, &body).await };
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text);
        assert!(answer.json().is_string(), "a text, as Alertmanager: {}", answer.text);
    }
}

#[actix_web::test]
async fn a_silence_is_a_suppression_window() {
    let scene = Scene::open().await;
    post(&scene, &busy(&in_ms(&scene, HOUR_MS))).await;
    let silence = json!({
        "matchers": [{"name": "instance", "value": "web-.*", "isRegex": true, "isEqual": true}],
        "startsAt": in_ms(&scene, 0), "endsAt": in_ms(&scene, HOUR_MS), "createdBy": "ann", "comment": "deploy",
    });
    let made = scene.post("/api/v2/silences", &silence).await;
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    let held = until("it is silenced", async || {
        let alerts = scene.get("/api/v2/alerts").await.json();
        (alerts[0]["status"]["state"] == "suppressed").then(|| alerts[0].clone())
    })
    .await;
    assert_eq!(held["status"]["silencedBy"], json!([id]));
    assert_eq!(scene.get("/api/v2/alerts?silenced=false").await.json(), json!([]));
    let listed = scene.get("/api/v2/silences").await.json();
    let one = &listed[0];
    assert_eq!(
        (&one["id"], &one["createdBy"], &one["comment"]),
        (&json!(id), &json!("ann"), &json!("deploy"))
    );
    assert_eq!((&one["status"]["state"], &one["matchers"]), (&json!("active"), &silence["matchers"]));
    assert_eq!(scene.get("/api/v2/silences?filter=instance%3D~%22other.*%22").await.json(), json!([]));
    let window = scene.get(&format!("/api/v1/suppression/{id}")).await.json();
    assert_eq!((&window["active"], &window["matchers"]), (&json!(true), &json!(["instance=~\"web-.*\""])));
    let path = format!("/api/v2/silence/{id}");
    let delete = || scene.ask(infrawatch::auth::Role::Operator, actix_web::http::Method::DELETE, &path);
    for _ in 0..2 {
        assert_eq!(scene.send(delete()).await.status, 200);
    }
    assert_eq!(scene.get(&path).await.json()["status"]["state"], "expired");
    until("it fires again", async || {
        (scene.get("/api/v2/alerts").await.json()[0]["status"]["state"] == "active").then_some(())
    })
    .await;
    assert_eq!(scene.get("/api/v2/silence/nothing").await.status, 404);
}
