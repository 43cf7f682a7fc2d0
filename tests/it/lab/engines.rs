//! What the hub makes of an engine, whatever it does.

use infrawatch::auth::Role;
use infrawatch::auth::permission::{may_publish, may_subscribe};
use serde_json::{Value, json};

use super::{Engine, asked, begin, carry_out, look, over, progress, result, stop};
use crate::hub::{Inside, until};

#[tokio::test]
async fn an_engine_gets_its_plan_and_a_token_for_its_topics_and_nothing_else() {
    let engine = Engine::script(&format!("echo '{}'", result("completed")));
    let hub = engine.hub();
    let run = carry_out(&hub, &asked(25, 3)).await;
    let plan: Value = serde_json::from_str(&engine.read("plan")).unwrap();
    let address = hub.state.address.to_string();
    assert_eq!((&plan["target"], &plan["connections"]), (&json!(address), &json!(25)), "{plan}");
    let topic = format!("testing-load:{}", run["id"].as_str().unwrap());
    assert_eq!(plan["topic"], topic);

    let environment = engine.read("env");
    let token = environment.lines().find_map(|line| line.strip_prefix("INFRAWATCH_TOKEN=")).unwrap();
    // The shell's own.
    let own = ["INFRAWATCH_TOKEN", "PWD", "OLDPWD", "SHLVL", "_"];
    let names = environment.lines().map(|line| line.split('=').next().unwrap());
    assert_eq!(names.filter(|name| !own.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    let now_ms = hub.state.services.clock.unix_ms();
    let claims = hub.state.services.auth.authenticate(token, now_ms).unwrap();
    assert_eq!(
        (claims.sub.as_str(), claims.role),
        (&*format!("loadtest:{}", run["id"].as_str().unwrap()), Role::Operator)
    );
    assert!(claims.expires_at_ms() < now_ms + 300_000, "{claims:?}");
    assert!(may_publish(&claims, &topic) && may_subscribe(&claims, None, &topic));
    for other in ["deployments", "testing", "alerts_critical", "metrics_update"] {
        assert!(!may_publish(&claims, other) && !may_subscribe(&claims, None, other), "{other}");
    }
}

#[tokio::test]
async fn what_an_engine_tells_is_kept_and_shown() {
    let engine = Engine::script(&format!("echo '{}'", result("completed")));
    let hub = engine.hub();
    let run = carry_out(&hub, &asked(25, 3)).await;
    let expected = json!({ "name": "evening", "scenario": "paced", "status": "completed", "started_by": "ann",
        "success_rate": 100.0, "failure": null, "reconnects": null, "thresholds": [] });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&run[field], value, "{field} of {run}");
    }
    assert_eq!((&run["latency"]["p99_ms"], &run["phases"][0]["name"]), (&Value::Null, &json!("steady")));
    assert_eq!(look(&hub, run["id"].as_str().unwrap()).await, run);
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    let listed = &page["items"][0];
    assert_eq!((&listed["id"], &listed["success_rate"]), (&run["id"], &run["success_rate"]));
    assert!(listed["phases"].is_null() && listed["histogram"].is_null(), "{listed}");
}

#[tokio::test]
async fn an_engine_that_says_nothing_fails_its_run_with_what_it_complained_about() {
    let complaint = "echo noise; echo 'no more files' >&2; exit 3";
    let body = format!("echo '{}'\n{complaint}", progress(7));
    let hub_engine = Engine::script(&body);
    let run = carry_out(&hub_engine.hub(), &asked(25, 3)).await;
    let why = "the load test ended without a result (exit status: 3), after 1 lines that cannot be read: no more files";
    assert_eq!((&run["status"], &run["failure"]), (&json!("failed"), &json!(why)));
    assert_eq!((&run["success_rate"], &run["messages"]["delivered"]), (&Value::Null, &json!(7)));
}

#[tokio::test]
async fn of_a_long_complaint_the_end_is_kept_and_a_long_line_counts_once() {
    let noise = "head -c 1000000 /dev/zero | tr '\\0' x; echo; head -c 100000 /dev/zero | tr '\\0' y >&2";
    let engine = Engine::script(&format!("{noise}; echo ' the last word' >&2; exit 3"));
    let run = carry_out(&engine.hub(), &asked(25, 3)).await;
    let why = run["failure"].as_str().unwrap();
    let known = "the load test ended without a result (exit status: 3), after 1 lines that cannot be read: y";
    assert!(why.starts_with(known) && why.ends_with("y the last word"), "{why}");
    assert!(why.len() < known.len() + 2 * 1024, "{} bytes", why.len());
}

#[tokio::test]
async fn a_signal_to_the_group_of_the_hub_does_not_reach_the_engine() {
    let engine = Engine::endless();
    let hub = engine.hub();
    let id = begin(&hub, asked(25, 3)).await;
    let process = engine.process().await;
    assert_eq!(rustix::process::getpgid(Some(process)), Ok(process), "a group of its own");
    assert_eq!(stop(&hub, &id).await.0, 202);
    over(&hub, &id).await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_within_the_bounds_too() {
    let engine = Engine::script(&format!("echo '{}'", result("completed")));
    let hub = engine.hub_with(|options| {
        let lab = &mut options.settings.lab;
        (lab.connections_max, lab.duration_ms_max, lab.rate_hz_max) = (3, 1_000, 5);
        (lab.payload_bytes_max, lab.reconnects_max) = (100, 7);
    });
    carry_out(&hub, &json!({ "name": "evening", "connections": 2 })).await;
    let plan: Value = serde_json::from_str(&engine.read("plan")).unwrap();
    assert_eq!((&plan["rate_hz"], &plan["payload_bytes"]), (&json!(5.0), &json!(100)), "{plan}");
    assert_eq!(plan["phases"][1]["duration_s"], 1.0, "{plan}");
    let (status, _, run) = hub.post("/api/v1/testing/chaos/reconnect", &json!({})).await;
    assert_eq!(status, 200, "{run}");
    let plan: Value = serde_json::from_str(&engine.read("plan")).unwrap();
    assert_eq!((&plan["connections"], &plan["reconnects"]), (&json!(3), &json!(7)), "{plan}");
}

#[tokio::test]
async fn noise_of_any_length_does_not_hide_the_result() {
    let noise =
        "head -c 1000000 /dev/zero | tr '\\0' x; echo; head -c 100000 /dev/zero >&2; printf '\\377\\n'";
    let engine = Engine::script(&format!("{noise}\nprintf '%s' '{}'", result("completed")));
    let run = carry_out(&engine.hub(), &asked(25, 3)).await;
    assert_eq!((&run["status"], &run["success_rate"]), (&json!("completed"), &json!(100.0)), "{run}");
}

#[tokio::test]
async fn an_engine_that_cannot_be_started_fails_its_run() {
    let hub = Inside::with(|options| options.program = "nowhere/infrawatch".into());
    let run = carry_out(&hub, &asked(25, 3)).await;
    let why = run["failure"].as_str().unwrap();
    assert_eq!(run["status"], "failed");
    assert!(why.starts_with("nowhere/infrawatch cannot be started: No such file"), "{why}");
    carry_out(&hub, &asked(25, 3)).await;
}

#[tokio::test]
async fn what_stays_behind_an_engine_does_not_hold_up_the_end_of_its_run() {
    let engine =
        Engine::script(&format!("sleep 600 &\necho $! > \"${{0%/*}}/left\"\necho '{}'", result("completed")));
    let run = carry_out(&engine.hub(), &asked(25, 3)).await;
    assert_eq!(run["status"], "completed", "{run}");
    let left = rustix::process::Pid::from_raw(engine.read("left").trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_run_under_way_is_shown_as_it_stands() {
    let engine = Engine::endless();
    let hub = engine.hub();
    let id = begin(&hub, asked(25, 3)).await;
    let run = until("progress", async || {
        let run = look(&hub, &id).await;
        (run["messages"]["delivered"] == 7).then_some(run)
    })
    .await;
    assert_eq!((&run["status"], &run["connections"]["planned"]), (&json!("running"), &json!(25)), "{run}");
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    assert_eq!((&page["items"][0]["id"], &page["items"][0]["status"]), (&json!(id), &json!("running")));
    assert_eq!(stop(&hub, &id).await.0, 202);
    assert_eq!(over(&hub, &id).await["status"], "cancelled");
}
