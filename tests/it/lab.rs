//! Load tests: measured by a process of their own, one at a time, told, kept, and never left behind.

mod crashes;
mod ends;
mod engines;
mod kept;
mod measured;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use infrawatch::auth::Role;
use infrawatch::hub::HubOptions;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::hub::{Inside, until};

/// A program in the place of the engine, so that it can do what the real one never should.
struct Engine {
    directory: TempDir,
}

impl Engine {
    /// Keeps its plan and environment, then does what `body` says in the language of the shell.
    fn script(body: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        let text =
            format!("#!/bin/sh\nenv > {place}/env\ncat > {place}/plan\necho $$ > {place}/id\n{body}\n");
        let engine = Self { directory };
        fs::write(engine.program(), text).unwrap();
        fs::set_permissions(engine.program(), fs::Permissions::from_mode(0o700)).unwrap();
        engine
    }

    /// One that says that it runs and goes on until it is ended.
    fn endless() -> Self {
        Self::script(&format!("echo '{}'\nexec sleep 600", progress(7)))
    }

    /// One that has its result once it is told to go.
    fn patient() -> Self {
        let result = result("completed");
        Self::script(&format!("until [ -e \"${{0%/*}}/go\" ]; do sleep 0.02; done\necho '{result}'"))
    }

    fn go(&self) {
        fs::write(self.directory.path().join("go"), "").unwrap();
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("engine")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// Its process, once it runs.
    async fn process(&self) -> Pid {
        until("the engine runs", async || self.read("id").trim().parse().ok().and_then(Pid::from_raw)).await
    }

    /// Waits until its process is gone.
    async fn is_gone(&self) {
        let process = self.process().await;
        until("the engine is gone", async || test_kill_process(process).is_err().then_some(())).await;
    }

    /// A hub with this engine.
    fn hub(&self) -> Inside {
        self.hub_with(|_options| {})
    }

    fn hub_with(&self, change: impl FnOnce(&mut HubOptions)) -> Inside {
        Inside::with(|options| {
            options.program = self.program();
            change(options);
        })
    }
}

/// A line of an engine that has delivered so many messages.
fn progress(delivered: u64) -> Value {
    json!({ "type": "progress", "phase": "steady", "elapsed_s": 1.5, "connected": 20, "published": 1,
        "delivered": delivered, "deliveries_per_s": 5.0 })
}

/// The last line of an engine.
fn result(status: &str) -> Value {
    json!({ "type": "result", "name": "evening", "scenario": "paced", "status": status, "success_rate": 100.0,
        "connections": { "planned": 25, "connected": 25, "failed": 0, "lost": 0 }, "phases": [{ "name": "steady" }],
        "histogram": [{ "le_ms": 0.5, "count": 12 }] })
}

fn asked(connections: u64, duration_s: u64) -> Value {
    json!({ "name": "evening", "connections": connections, "duration_s": duration_s, "rate_hz": 50 })
}

/// Starts a run and does not wait for it; its id.
async fn begin(hub: &Inside, mut asked: Value) -> String {
    asked["wait"] = false.into();
    let (status, _, run) = hub.post("/api/v1/testing/start", &asked).await;
    assert_eq!((status, &run["status"], &run["ended_at"]), (202, &json!("running"), &Value::Null), "{run}");
    run["id"].as_str().unwrap().to_owned()
}

/// Starts a run and waits for its end.
async fn carry_out(hub: &Inside, asked: &Value) -> Value {
    let (status, _, run) = hub.post("/api/v1/testing/start", asked).await;
    assert_eq!(status, 200, "{run}");
    assert!(run["ended_at"].is_string(), "{run}");
    run
}

/// The same in the background.
fn waiting(hub: &Inside, asked: &Value) -> JoinHandle<Value> {
    let sending = reqwest::Client::new().post(hub.url("/api/v1/testing/start")).json(asked);
    let sending = sending.bearer_auth(hub.token(Role::Operator));
    tokio::spawn(async move { sending.send().await.unwrap().json().await.unwrap() })
}

/// The run as it stands.
async fn look(hub: &Inside, id: &str) -> Value {
    let (status, _, run) = hub.get(&format!("/api/v1/testing/runs/{id}")).await;
    assert_eq!(status, 200, "{run}");
    run
}

/// The run when it is over.
async fn over(hub: &Inside, id: &str) -> Value {
    until("the run is over", async || {
        let run = look(hub, id).await;
        (run["status"] != "running").then_some(run)
    })
    .await
}

/// A hub whose data outlives it.
fn hub_on(directory: &Path) -> Inside {
    let directory = directory.to_owned();
    Inside::with(|options| options.data_dir = directory)
}

/// Stops a run; status, and the problem if it is one.
async fn stop(hub: &Inside, id: &str) -> (u16, Value) {
    let sending = reqwest::Client::new().post(hub.url(&format!("/api/v1/testing/runs/{id}/stop")));
    let answer = sending.bearer_auth(hub.token(Role::Operator)).send().await.unwrap();
    // Without a problem there is no body.
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}
