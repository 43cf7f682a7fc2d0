//! What was made up reaches everybody, and says that it was made up. What was posted is checked and kept.

use serde_json::{Value, json};

use crate::hub::{Inside, until};

#[tokio::test]
async fn a_burst_of_synthetic_samples_is_live_and_labelled() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("metrics_update").await;
    let asked = json!({ "samples": 5, "nodes": 2, "duration_s": 1 });
    let (status, _, burst) = hub.post("/api/v1/operations/demo", &asked).await;
    assert_eq!((status, &burst["nodes"]), (202, &json!(["synthetic-1", "synthetic-2"])), "{burst}");
    assert_eq!((&burst["synthetic"], &burst["interval_ms"]), (&json!(true), &json!(200)));
    let (status, _, problem) = hub.post("/api/v1/operations/demo", &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "one at a time");
    for node in ["synthetic-1", "synthetic-2"] {
        let live = client.first(node, |f| f["payload"]["node"] == *node).await;
        assert!(live["payload"]["metrics"]["cpu_percent"].is_f64(), "{live}");
    }
    let (_, _, page) = hub.get("/api/v1/nodes").await;
    let nodes = page["items"].as_array().unwrap();
    let synthetic: Vec<_> =
        nodes.iter().filter(|n| n["synthetic"] == true).map(|n| n["id"].clone()).collect();
    assert_eq!(synthetic, ["synthetic-1", "synthetic-2"]);
    assert!(nodes.iter().any(|n| n["id"] == "here" && n["synthetic"] == false), "{page}");
    until("the burst is over", async || {
        let (status, ..) =
            hub.post("/api/v1/operations/demo", &json!({ "samples": 1, "duration_s": 0 })).await;
        (status == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn simulated_alerts_say_so() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    let topics = ["alerts_critical", "alerts_error", "alerts_warning", "alerts_info"];
    client.request("subscribe", json!({ "topics": topics }), "subscribed").await;
    let (status, _, simulation) = hub.post("/api/v1/operations/simulate", &json!({ "alerts": 4 })).await;
    assert_eq!(
        (status, &simulation["simulated"], &simulation["alerts_created"]),
        (200, &json!(true), &json!(4))
    );
    let mut severities = Vec::new();
    for _ in 0..4 {
        let alert = client.message().await.payload["alert"].clone();
        assert_eq!(alert["labels"]["simulated"], "true", "{alert}");
        assert!(alert["title"].as_str().unwrap().starts_with("Simulated: "));
        severities.push(alert["severity"].as_str().unwrap().to_owned());
    }
    severities.sort();
    assert_eq!(severities, ["critical", "error", "info", "warning"]);
    let (_, _, one) =
        hub.post("/api/v1/operations/simulate", &json!({ "alerts": 1, "severity": "error" })).await;
    assert_eq!(one["alerts"][0]["severity"], "error");
    let (status, _, problem) = hub.post("/api/v1/operations/simulate", &json!({ "alerts": 51 })).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/alerts")), "{problem}");
}

#[tokio::test]
async fn an_alert_is_checked_field_by_field_broadcast_and_listed() {
    let hub = Inside::start();
    let bad = json!({ "severity": "loud", "message": "", "labels": { "a/b": 7 }, "service": 1 });
    let (status, _, problem) = hub.post("/api/v1/streaming/alerts", &bad).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let mut pointers: Vec<_> = errors.map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(
        (status, pointers),
        (400, vec!["/labels/a~1b", "/message", "/service", "/severity", "/title"])
    );

    let mut client = hub.client("alice").await;
    client.subscribe("alerts_critical").await;
    let good = json!({ "severity": "critical", "title": "t", "message": "m", "labels": { "a": "b" } });
    let (status, _, taken) = hub.post("/api/v1/streaming/alerts", &good).await;
    assert_eq!((status, &taken["queued"], &taken["topic"]), (201, &json!(false), &json!("alerts_critical")));
    let heard = client.message().await;
    assert_eq!(heard.payload["alert"], taken["alert"]);
    let transition = &heard.payload["transition"];
    assert_eq!((&transition["from"], &transition["to"]), (&Value::Null, &json!("firing")), "{transition}");
    assert_eq!((&transition["actor"], json!(heard.offset)), (&json!("ann"), taken["offset"].clone()));
    let (status, _, again) = hub.post("/api/v1/streaming/alerts", &good).await;
    assert_eq!(
        (status, &again["offset"], &again["alert"]["count"]),
        (200, &Value::Null, &json!(2)),
        "told once"
    );
    for n in 0..5 {
        let severity = ["info", "error"][n % 2];
        let alert = json!({ "severity": severity, "title": n.to_string(), "message": "m" });
        assert_eq!(hub.post("/api/v1/streaming/alerts", &alert).await.0, 201);
    }
    let mut titles = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, _, page) = hub.get(&format!("/api/v1/streaming/alerts?limit=2&cursor={cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        titles.extend(items.iter().map(|i| i["payload"]["alert"]["title"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(titles, ["4", "3", "2", "1", "0", "t"], "newest first, over all severities");
    let (_, _, page) = hub.get("/api/v1/streaming/alerts?severity=error").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(hub.get("/api/v1/streaming/alerts?severity=loud").await.0, 400);
}

#[tokio::test]
async fn a_deployment_is_published_and_kept() {
    let hub = Inside::start();
    let mut client = hub.client("alice").await;
    client.subscribe("deployments").await;
    let told = json!({ "service": "api", "version": "1.2", "status": "succeeded", "environment": "eu" });
    let (status, _, published) = hub.post("/api/v1/streaming/deployments", &told).await;
    assert_eq!((status, &published["topic"]), (201, &json!("deployments")), "{published}");
    let heard = client.message().await;
    assert_eq!((&heard.payload["deployment"], heard.key.as_deref()), (&published["deployment"], Some("api")));
    let stored = hub.state.store.tail_events("deployments", 1, None).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stored[0].payload).unwrap(), heard.payload);
    let (status, _, problem) = hub.post("/api/v1/streaming/deployments", &json!({ "status": "done" })).await;
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (400, 3), "{problem}");
}
