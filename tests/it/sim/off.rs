//! A hub that was not started with `--lab` cannot be made to fail.

use infrawatch::auth::Role;
use serde_json::{Value, json};

use crate::hub::{Inside, within};

#[tokio::test]
async fn without_the_lab_scenarios_are_listed_and_everything_else_is_refused() {
    let hub = Inside::with(|options| options.lab = false);
    let (status, _, listed) = hub.get("/api/sim/scenarios").await;
    assert_eq!((status, &listed["enabled"]), (200, &json!(false)), "{listed}");
    assert_eq!(listed["items"].as_array().unwrap().len(), 18);
    let (status, _, problem) = hub.get("/api/sim/status").await;
    assert_eq!((status, &problem["code"]), (403, &json!("lab_disabled")), "{problem}");
    for (path, body) in [
        ("/api/sim/enable", json!({ "name": "latency" })),
        ("/api/sim/disable", json!({ "name": "latency" })),
        ("/api/sim/reset", json!({})),
    ] {
        let (status, _, problem) = hub.post(path, &body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("lab_disabled")), "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("--lab"), "says how to turn it on: {problem}");
    }
    assert!(hub.state.services.faults.is_none(), "nothing can ask for a fault");
    assert_eq!(hub.row("lab_faults").instances, 0);
}

#[tokio::test]
async fn people_see_the_scenarios_and_only_admins_turn_them_on() {
    let hub = Inside::start();
    let ask = async |role: Role, path: &str, body: Option<Value>| {
        let client = reqwest::Client::new();
        let request = match body {
            Some(body) => client.post(hub.url(path)).json(&body),
            None => client.get(hub.url(path)),
        };
        within("an answer", request.bearer_auth(hub.token(role)).send()).await.unwrap().status().as_u16()
    };
    let wish = json!({ "name": "latency", "parameters": { "clients": "nobody" } });
    for role in [Role::Viewer, Role::Operator] {
        assert_eq!(ask(role, "/api/sim/scenarios", None).await, 200);
        assert_eq!(ask(role, "/api/sim/status", None).await, 200);
        for path in ["/api/sim/enable", "/api/sim/disable", "/api/sim/reset"] {
            assert_eq!(ask(role, path, Some(wish.clone())).await, 403, "{path} as {role}");
        }
    }
    assert_eq!(ask(Role::Agent, "/api/sim/scenarios", None).await, 403);
    assert_eq!(ask(Role::Admin, "/api/sim/enable", Some(wish)).await, 200);
}
