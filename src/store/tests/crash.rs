//! `kill -9` at a random moment: whatever was acknowledged before is in the file after.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use super::super::{AlertRecord, Column, Event, Store, StoreOptions, TransitionRecord};

const DIRECTORY: &str = "INFRAWATCH_TEST_CRASH_DIRECTORY";
const ROUND: &str = "INFRAWATCH_TEST_CRASH_ROUND";
const ROUNDS: u64 = 5;

/// Runs itself as the process that is killed: with the variable set it only writes and says what was acknowledged.
#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        let round = std::env::var(ROUND).unwrap().parse().unwrap();
        write_for_ever(Path::new(&directory), round);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
        let before = acknowledged.len();
        run_and_kill(directory.path(), round, &mut acknowledged);
        assert!(acknowledged.len() > before, "round {round} acknowledged something");
        let kept = kept(&directory.path().join("infrawatch.db"));
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "round {round} lost {} of {}: {lost:?}", lost.len(), acknowledged.len());
    }
}

fn run_and_kill(directory: &Path, round: u64, acknowledged: &mut HashSet<String>) {
    let name =
        format!("{}::what_was_acknowledged_survives_kill_9", module_path!().split_once("::").unwrap().1);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kill_after = rand::random_range(1..3_000);
    let mut heard = 0;
    // Goes on to the end of the pipe: what was said before the kill counts too.
    for line in lines.map_while(Result::ok) {
        let Some(id) = line.strip_prefix("acknowledged ") else { continue };
        acknowledged.insert(id.to_owned());
        heard += 1;
        if heard == kill_after {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "it ended by itself: {status}"
    );
}

fn write_for_ever(directory: &Path, round: u64) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&directory.join("infrawatch.db"), &StoreOptions::default(), 0).unwrap();
        let writers: Vec<_> =
            (0..16).map(|writer| tokio::spawn(write(store.clone(), round, writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        unreachable!("the writers never end")
    })
}

async fn write(store: Store, round: u64, writer: u64) {
    let columns: Arc<[Column]> =
        (0..20).map(|n| Column { name: format!("metric_{n}"), labels: Default::default() }).collect();
    let topic = format!("room:{round}-{writer}");
    for n in 1.. {
        let id = if writer.is_multiple_of(4) {
            // Opened, then resolved: two steps of one alert.
            let (alert, version) = (format!("alert-{round}-{writer}-{}", (n - 1) / 2), (n - 1) % 2 + 1);
            store.transition(alert_at(&alert, version), step_at(version)).await.unwrap();
            format!("{alert} {version}")
        } else if writer.is_multiple_of(2) {
            let (node, ts_ms) = (format!("node-{writer}"), round * 1_000_000 + n);
            store.append_frame(&node, ts_ms, columns.clone(), &[n as f64 / 3.0; 20]).await.unwrap();
            format!("{node} {ts_ms}")
        } else {
            let event = Event {
                offset: n,
                id: format!("{round}-{writer}-{n}"),
                ts_ms: n,
                key: None,
                priority: "normal".into(),
                kind: "message".into(),
                payload: Bytes::from_static(b"{\"text\":\"hello\"}"),
            };
            let id = event.id.clone();
            store.append_event(&topic, "epoch", event).await.unwrap();
            id
        };
        writeln!(std::io::stdout().lock(), "acknowledged {id}").unwrap();
    }
}

fn alert_at(id: &str, version: u64) -> AlertRecord {
    AlertRecord {
        id: id.to_owned(),
        version,
        fingerprint: id.to_owned(),
        rule_id: None,
        rule_name: None,
        state: state_at(version).into(),
        severity: 0,
        score: 0,
        service: None,
        title: String::new(),
        message: String::new(),
        labels: Default::default(),
        started_at_ms: version,
        fired_at_ms: None,
        acknowledged_at_ms: None,
        resolved_at_ms: None,
        resolved_by: None,
        detail: "{}".into(),
    }
}

fn step_at(version: u64) -> TransitionRecord {
    TransitionRecord {
        version,
        at_ms: version,
        from: None,
        to: state_at(version).into(),
        actor: "alice".into(),
        reason: String::new(),
        value: None,
        comment: None,
    }
}

fn state_at(version: u64) -> &'static str {
    if version == 1 { "firing" } else { "resolved" }
}

fn kept(path: &Path) -> HashSet<String> {
    // Opening the store is what a hub does after a crash; the check is that nothing is broken.
    drop(Store::open(path, &StoreOptions::default(), 0).unwrap());
    assert_eq!(super::super::check(path).unwrap().problems, Vec::<String>::new());
    let connection = Connection::open(path).unwrap();
    let mut kept = HashSet::new();
    for sql in [
        "SELECT name || ' ' || ts_ms FROM samples JOIN sample_nodes ON id = node_id",
        "SELECT id FROM events",
        "SELECT alert_id || ' ' || version FROM alert_state_history",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        kept.extend(statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap));
    }
    let apart: i64 = connection
        .query_row(
            "SELECT count(*) FROM alerts LEFT JOIN alert_state_history AS step
             ON alert_id = id AND step.version = alerts.version WHERE to_state IS NOT state",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(apart, 0, "alerts without the step that made them what they are");
    kept
}
