//! The end-to-end check finds what is broken, and nothing else.

use serde_json::{Value, json};

use crate::hub::{Hub, Inside, infrawatch};

const STEPS: [&str; 10] =
    ["token", "connect", "subscribe", "publish", "deliver", "ack", "store", "ingest", "alert", "recovery"];

async fn check(hub: &Inside) -> Value {
    let (status, _, report) = hub.post("/api/v1/operations/e2e", &json!({})).await;
    assert_eq!(status, 200, "{report}");
    let names: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    report
}

fn failed(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["passed"] == false).map(|step| step["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_hub_that_works_passes_again_and_again() {
    let hub = Inside::start();
    for _ in 0..2 {
        let report = check(&hub).await;
        assert_eq!((&report["passed"], failed(&report)), (&json!(true), vec![]), "{report:#}");
    }
    let node = hub.node("synthetic-e2e").await;
    assert!(node.synthetic, "what it leaves behind says what it is");
}

#[tokio::test]
async fn what_is_degraded_fails_its_own_step() {
    let hub = Inside::start();
    for (subsystem, expected) in
        [("alerts", vec!["alert"]), ("store", vec!["ack", "store", "ingest", "alert"])]
    {
        let degraded = json!({ "subsystem": subsystem });
        assert_eq!(hub.post("/api/v1/operations/degrade", &degraded).await.0, 200);
        let report = check(&hub).await;
        assert_eq!((&report["passed"], failed(&report)), (&json!(false), expected), "{report:#}");
        assert_eq!(hub.post("/api/v1/operations/recover", &json!({})).await.0, 200);
    }
    let report = check(&hub).await;
    assert_eq!(failed(&report), Vec::<&str>::new(), "{report:#}");
}

#[tokio::test]
async fn the_command_prints_the_steps_and_its_status_tells() {
    let hub = Hub::start();
    let url = format!("http://{}", hub.address);
    let token = hub.token("operator");
    let run = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        tokio::task::spawn_blocking(move || {
            infrawatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "")
        })
    };
    let good = run(&["e2e", "--url", &url, "--token", &token]).await.unwrap();
    assert_eq!(good.status, 0, "{good:?}");
    for step in STEPS {
        assert!(good.stdout.lines().any(|line| line.starts_with("ok") && line.contains(step)), "{good:?}");
    }
    assert!(good.stdout.contains("passed in"), "{good:?}");

    let degrade = reqwest::Client::new().post(format!("{url}/api/v1/operations/degrade")).bearer_auth(&token);
    assert_eq!(degrade.json(&json!({ "subsystem": "alerts" })).send().await.unwrap().status(), 200);
    let bad = run(&["e2e", "--url", &url, "--token", &token]).await.unwrap();
    assert_eq!(bad.status, 1, "{bad:?}");
    assert!(bad.stdout.lines().any(|line| line.starts_with("FAILED") && line.contains("alert")), "{bad:?}");
    assert!(bad.stderr.contains("1 of 10 steps failed"), "{bad:?}");

    let refused = run(&["e2e", "--url", &url, "--token", "nonsense"]).await.unwrap();
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(refused.stderr.contains("401"), "{refused:?}");
    let nobody = run(&["e2e", "--url", "http://127.0.0.1:9", "--token", "x"]).await.unwrap();
    assert_eq!(nobody.status, 2, "{nobody:?}");
}

/// Under `--dev` everybody is the same admin, and the check passes all the same.
#[tokio::test]
async fn a_hub_without_authentication_passes_too() {
    let hub = Hub::with_arguments(&["--dev"], |_settings| {});
    let url = format!("http://{}", hub.address);
    let checked = tokio::task::spawn_blocking(move || infrawatch(&["e2e", "--url", &url], "")).await.unwrap();
    assert_eq!(checked.status, 0, "{checked:?}");
}
