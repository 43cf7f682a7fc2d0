//! Real agents: `infrawatch agent` as a process beside the hub.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{Client, Hub, Running, infrawatch, until};

const NODE: &str = "web-1";
const INTERVAL_MS: u64 = 200;

/// Starts an agent of [`NODE`] whose spool is a directory of the hub's test.
fn agent(hub: &Hub, token: &str) -> Running {
    let spool = hub.directory().join("spool").display().to_string();
    let interval = INTERVAL_MS.to_string();
    let url = hub.url();
    let arguments = [
        "agent",
        "--hub",
        &url,
        "--token",
        token,
        "--spool-dir",
        &spool,
        "--interval-ms",
        &interval,
        "--label",
        "service=api",
        "--log-format",
        "json",
    ];
    Running::start(&arguments.map(str::to_owned), &hub.directory().join("agent.log"))
}

/// The next change of [`NODE`]'s state: from, to.
async fn change(client: &mut Client) -> (String, String) {
    loop {
        let message = client.message().await;
        if message.topic == "nodes" && message.payload["event"] != "inventory" {
            assert_eq!((&message.payload["node"], message.key.as_deref()), (&json!(NODE), Some(NODE)));
            assert_eq!(message.payload["event"], message.payload["to"]);
            let state = |field: &str| message.payload[field].as_str().unwrap().to_owned();
            return (state("from"), state("to"));
        }
    }
}

fn states(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

#[tokio::test]
async fn a_node_appears_with_its_agent_and_goes_late_then_offline_without_it() {
    let hub = Hub::with(|settings| settings.ingest.node_ttl_ms = 1_500);
    let mut client = Client::open_as(&hub, "console", "viewer").await;
    client.request("subscribe", json!({ "topics": ["nodes", "metrics_update"] }), "subscribed").await;
    let mut process = agent(&hub, &hub.agent_token(NODE));
    let (mut inventory, mut online, mut update) = (None, None, None);
    while inventory.is_none() || online.is_none() || update.is_none() {
        let message = client.message().await;
        assert_eq!(message.payload["node"], NODE);
        match (&*message.topic, message.payload["event"].as_str()) {
            ("nodes", Some("inventory")) => inventory = Some(message.payload),
            ("nodes", _) => online = Some(message.payload),
            _ => update = Some(message.payload),
        }
    }
    let (inventory, online, update) = (inventory.unwrap(), online.unwrap(), update.unwrap());
    assert_eq!((&online["from"], &online["to"]), (&json!("enrolling"), &json!("online")));
    assert_eq!(inventory["labels"], json!({ "service": "api" }));
    for field in ["hostname", "os", "kernel", "arch", "cpu_cores", "memory_bytes", "agent_version"] {
        assert!(!inventory["inventory"][field].is_null(), "{field}: {inventory}");
    }
    let percent = |metric: &str| update["metrics"][metric].as_f64().unwrap();
    assert!(
        (0.0..=100.0).contains(&percent("memory_percent")) && percent("memory_percent") > 0.0,
        "{update}"
    );
    assert!(update["metrics"]["memory_total_bytes"].as_f64().unwrap() > 1e6, "{update}");
    process.kill();
    assert_eq!(change(&mut client).await, states("online", "late"));
    assert_eq!(change(&mut client).await, states("late", "offline"));
    drop(process);
    let _again = agent(&hub, &hub.agent_token(NODE));
    assert_eq!(change(&mut client).await, states("offline", "online"));
}

/// Bytes of all files under a directory.
fn bytes_under(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.map(|entry| {
        let entry = entry.unwrap();
        let kind = entry.metadata().unwrap();
        if kind.is_dir() { bytes_under(&entry.path()) } else { kind.len() }
    });
    sizes.sum()
}

/// Times of the stored frames, sorted.
fn stored_times(hub: &Hub) -> Vec<i64> {
    let database = hub.data_dir().join("infrawatch.db");
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql =
        "SELECT DISTINCT ts_ms FROM samples JOIN sample_nodes ON id = node_id WHERE name = ?1 ORDER BY ts_ms";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([NODE], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_agent_comes_back_to_a_hub_that_was_killed_and_nothing_it_spooled_is_lost() {
    let mut hub = Hub::start();
    let mut process = agent(&hub, &hub.agent_token(NODE));
    until("some samples are stored", async || (stored_times(&hub).len() >= 3).then_some(())).await;
    hub.process.kill();
    let killed_ms = infrawatch::clock::system_unix_ms() as i64;
    let spool = hub.directory().join("spool");
    // A sample is 1 to 2 kB, so this is an outage of ten samples and more.
    until("samples are spooled", async || (bytes_under(&spool) > 20_000).then_some(())).await;
    let away_ms = infrawatch::clock::system_unix_ms() as i64 - killed_ms;
    hub.start_again();
    until("the gap is filled", async || {
        let times = stored_times(&hub);
        let is_back = times.last().is_some_and(|last| *last > killed_ms + away_ms);
        (is_back && longest_gap_ms(&times) < away_ms / 3).then_some(())
    })
    .await;
    process.signal(Signal::TERM);
    assert!(process.wait().is_some_and(|status| status.success()));
    let log = process.log();
    assert!(log.contains("the agent stops") && log.contains("lost: 0"), "{log}");
}

fn longest_gap_ms(times: &[i64]) -> i64 {
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

#[tokio::test]
async fn a_token_that_is_not_good_there_is_said_clearly() {
    let hub = Hub::start();
    let other = tempfile::tempdir().unwrap();
    let data_dir = other.path().display().to_string();
    let forged =
        infrawatch(&["token", "--role", "agent", "--node", NODE, "--data-dir", &data_dir], "").answer();
    let process = agent(&hub, forged.trim());
    let complaint = until("the agent complains", async || {
        let log = process.log();
        log.lines().find(|line| line.contains("does not let this agent in")).map(str::to_owned)
    })
    .await;
    let complaint: Value = serde_json::from_str(&complaint).unwrap();
    assert!(complaint["ending"].as_str().unwrap().contains("HTTP 401"), "{complaint}");
    assert!(complaint["advice"].as_str().unwrap().contains("made by this hub"), "{complaint}");
    assert!(!process.log().contains(forged.trim()), "the token is in the log");
}

#[test]
fn what_cannot_work_ends_the_agent_at_once() {
    let hub = Hub::start();
    let (url, token) = (hub.url(), hub.agent_token(NODE));
    let spool = hub.directory().join("spool").display().to_string();
    let rows: [(&[&str], &str); 6] = [
        (&["--token", &token], "--hub is missing"),
        (&["--hub", &url], "infrawatch token --role agent"),
        (&["--hub", &url, "--token", "not a token"], "the token cannot be used"),
        (&["--hub", &url, "--token", &token, "--node", "web-2"], "the token is for \"web-1\""),
        (&["--hub", "http://127.0.0.1:1", "--token", &token], "hub"),
        (
            &["--hub", &url, "--token", &token, "--interval-ms", "1"],
            "interval_ms must be 200 to 60000, not 1",
        ),
    ];
    for (arguments, expected) in rows {
        let mut all = vec!["agent", "--spool-dir", &spool];
        all.extend(arguments);
        let complaint = infrawatch(&all, "").complaint();
        assert!(complaint.contains(expected), "{arguments:?} should say {expected:?}: {complaint}");
        assert!(!complaint.contains(&token), "the token is in the complaint");
    }
}

#[tokio::test]
async fn a_hub_samples_its_own_host() {
    let hub = Hub::with(|settings| {
        settings.sampler.enabled = true;
        settings.sampler.node = "here".into();
    });
    let mut client = Client::open_as(&hub, "live", "viewer").await;
    let mut cpu = None;
    while cpu.is_none() {
        let message = client.message().await;
        assert_eq!(message.payload["node"], "here");
        cpu = message.payload["metrics"]["cpu_percent"].as_f64();
    }
    assert!((0.0..=100.0).contains(&cpu.unwrap()));
}
