//! What the hub acknowledged is not lost: not by `kill -9` at a random moment under load, round after round.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use infrawatch::clock::system_unix_ms;
use infrawatch::store::{SampleQuery, Store, StoreOptions};
use rand::RngExt;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::hub::{Client, Hub, infrawatch, within};

const ROUNDS: u64 = 5;

/// Requests of one client under way.
const WINDOW: usize = 32;

/// A client at full speed until the hub is gone: what it was told is safe, as (position, content).
type Load = JoinHandle<Vec<(Value, Value)>>;

/// Sends `kind` requests made by `payload`, and keeps what was acknowledged.
fn load(
    mut client: Client,
    kind: &'static str,
    payload: impl Fn(u64) -> (Value, Value) + Send + 'static,
    progress: watch::Sender<u64>,
) -> Load {
    tokio::spawn(async move {
        let (mut under_way, mut safe) = (VecDeque::new(), Vec::new());
        for n in 0.. {
            let (request, content) = payload(n);
            under_way.push_back((client.send(kind, request).await, content));
            if under_way.len() < WINDOW {
                continue;
            }
            let (id, content) = under_way.pop_front().unwrap();
            let Some(answer) = client.answer_or_end(&id).await else { break };
            if answer["type"] == "error" {
                assert_eq!(answer["payload"]["retryable"], true, "{answer}");
                continue;
            }
            assert_ne!(answer["payload"]["durable"], false, "{answer}");
            safe.push((answer["payload"].clone(), content));
            progress.send_modify(|acknowledged| *acknowledged += 1);
        }
        safe
    })
}

/// Everything acknowledged in all rounds.
#[derive(Default)]
struct Acknowledged {
    epochs: BTreeMap<String, String>,
    /// Content by topic and offset.
    messages: BTreeMap<(String, u64), Value>,
    /// Values by time.
    samples: BTreeMap<u64, f64>,
}

impl Acknowledged {
    fn published(&mut self, topic: &str, safe: Vec<(Value, Value)>) {
        for (position, content) in safe {
            let epoch = position["epoch"].as_str().unwrap().to_owned();
            let known = self.epochs.entry(topic.to_owned()).or_insert(epoch.clone());
            assert_eq!(*known, epoch, "the epoch of {topic} outlives a crash");
            let offset = position["offset"].as_u64().unwrap();
            let taken = self.messages.insert((topic.to_owned(), offset), content);
            assert_eq!(taken, None, "offset {offset} of {topic} was given twice");
        }
    }

    fn last(&self, topic: &str) -> u64 {
        let offsets = self.messages.keys().filter(|(of, _)| of == topic);
        offsets.map(|(_, offset)| *offset).max().unwrap_or(0)
    }

    /// Looks for all of it in the file, beside the hub that runs on it.
    fn check(&self, database: &Path) {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let sql =
            r#"SELECT topics.name, events."offset", payload FROM events JOIN topics ON topics.id = topic_id"#;
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let position = (row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs());
            Ok((position, row.get::<_, Vec<u8>>(2)?))
        });
        let stored: BTreeMap<_, _> = rows.unwrap().map(Result::unwrap).collect();
        for (position, content) in &self.messages {
            let payload = stored.get(position).unwrap_or_else(|| panic!("{position:?} is lost"));
            let payload: Value = serde_json::from_slice(payload).unwrap();
            let data = if position.0.starts_with("room:") { &payload["data"] } else { &payload };
            assert_eq!(data, content, "{position:?}");
        }
    }

    /// Looks for the samples as history shows them: one value a millisecond.
    async fn check_samples(&self, database: &Path) {
        let store = Store::open(database, &StoreOptions::default(), system_unix_ms()).unwrap();
        for (time, value) in &self.samples {
            let query = SampleQuery {
                node: "web-1".into(),
                metric: "load1".into(),
                labels: BTreeMap::new(),
                since_ms: *time,
                until_ms: *time,
                points: 1,
            };
            let series = store.query_samples(query).await.unwrap();
            assert_eq!(series.points, [(*time, *value)], "the sample of {time}");
        }
        store.close().await;
    }
}

/// Puts the hub under load of three kinds, kills it somewhere in the middle, and gathers what is safe.
async fn round(hub: &mut Hub, round: u64, acknowledged: &mut Acknowledged) {
    let (progress, mut seen) = watch::channel(0);
    let publisher = Client::open_as(hub, "publisher", "operator").await;
    let mut speaker = Client::open_as(hub, "speaker", "operator").await;
    speaker.request("join_room", json!({ "room": "x" }), "room_joined").await;
    let agent = Client::open(hub, "agent", &hub.agent_token("web-1")).await;
    let publishing = load(
        publisher,
        "publish",
        move |n| {
            (
                json!({ "topic": "deployments", "data": { "round": round, "n": n } }),
                json!({ "round": round, "n": n }),
            )
        },
        progress.clone(),
    );
    let speaking = load(
        speaker,
        "room_message",
        move |n| (json!({ "room": "x", "data": [round, n] }), json!([round, n])),
        progress.clone(),
    );
    // A time of its own for every frame, all within what the hub takes.
    let first_ms = system_unix_ms() - 3_600_000 + round * 600_000;
    let sampling = load(
        agent,
        "metrics",
        move |n| {
            let (time, value) = (first_ms + n, n as f64);
            (
                json!({ "node": "web-1", "timestamp": time, "names": ["load1"], "values": [value] }),
                json!([time, value]),
            )
        },
        progress,
    );
    let moment = rand::rng().random_range(20..1_500);
    within("the load", seen.wait_for(|count| *count >= moment)).await.unwrap();
    hub.process.kill();
    acknowledged.published("deployments", within("the publisher's end", publishing).await.unwrap());
    acknowledged.published("room:x", within("the speaker's end", speaking).await.unwrap());
    for (_, sample) in within("the agent's end", sampling).await.unwrap() {
        acknowledged.samples.insert(sample[0].as_u64().unwrap(), sample[1].as_f64().unwrap());
    }
}

#[tokio::test]
async fn kill_9_loses_nothing_acknowledged() {
    let mut hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let mut acknowledged = Acknowledged::default();
    for n in 0..ROUNDS {
        round(&mut hub, n, &mut acknowledged).await;
        hub.start_again();
        acknowledged.check(&hub.data_dir().join("infrawatch.db"));
        let mut client = Client::open_as(&hub, "after", "operator").await;
        let mut offsets = BTreeMap::new();
        for topic in ["deployments", "room:x"] {
            let position = client.subscribe(topic).await;
            assert_eq!(position["epoch"], *acknowledged.epochs[topic]);
            let offset = position["offset"].as_u64().unwrap();
            // What was taken and not yet acknowledged may be there too.
            let last = acknowledged.last(topic);
            assert!((last..=last + 2 * WINDOW as u64).contains(&offset), "{topic}: {offset} after {last}");
            offsets.insert(topic, offset);
        }
        let published = client.publish("deployments", json!("after")).await;
        assert_eq!(published["offset"], offsets["deployments"] + 1, "offsets go on");
        acknowledged.published("deployments", vec![(published, json!("after"))]);
        let joined = client.request("join_room", json!({ "room": "x" }), "room_joined").await;
        let history = joined["history"].as_array().unwrap();
        assert_eq!(history.len() as u64, offsets["room:x"].min(50));
        for item in history {
            let position = ("room:x".to_owned(), item["offset"].as_u64().unwrap());
            if let Some(said) = acknowledged.messages.get(&position) {
                assert_eq!(item["payload"]["data"], *said);
            }
        }
    }
    let database = hub.data_dir().join("infrawatch.db");
    hub.process.kill();
    acknowledged.check_samples(&database).await;
    let kinds =
        [acknowledged.last("deployments"), acknowledged.last("room:x"), acknowledged.samples.len() as u64];
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

/// A hub goes on writing while it is copied; the copy is of one moment, and a hub goes on from it.
#[tokio::test]
async fn a_backup_under_load_is_whole_and_a_hub_starts_from_it() {
    let hub = Hub::with_arguments(&["--limits", "off"], |_settings| {});
    let (progress, mut seen) = watch::channel(0);
    let publisher = Client::open_as(&hub, "publisher", "operator").await;
    let publishing =
        load(publisher, "publish", |n| (json!({ "topic": "deployments", "data": n }), json!(n)), progress);
    within("the load", seen.wait_for(|count| *count >= 200)).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("copy.db");
    let arguments = [copy.display().to_string(), hub.data_dir().display().to_string()];
    let command = move || infrawatch(&["backup", &arguments[0], "--data-dir", &arguments[1]], "");
    let copied = tokio::task::spawn_blocking(command.clone()).await.unwrap().answer();
    assert!(copied.contains("sound") && copied.contains("signing key"), "{copied}");
    let before = *seen.borrow_and_update();
    within("the load goes on", seen.wait_for(|count| *count > before)).await.unwrap();
    assert!(command().complaint().contains("exists already"));
    drop(hub);
    let acknowledged = within("the publisher's end", publishing).await.unwrap();

    let mut restored = Hub::start();
    restored.process.kill();
    for beside in ["infrawatch.db-wal", "infrawatch.db-shm"] {
        // Those of the database that is replaced; they may be gone already.
        let _gone = std::fs::remove_file(restored.data_dir().join(beside));
    }
    std::fs::rename(&copy, restored.data_dir().join("infrawatch.db")).unwrap();
    restored.start_again();
    let mut client = Client::open_as(&restored, "after", "operator").await;
    let position = client.subscribe("deployments").await;
    let (epoch, offset) = (&position["epoch"], position["offset"].as_u64().unwrap());
    assert_eq!(*epoch, acknowledged[0].0["epoch"]);
    assert!((200..=acknowledged.len() as u64 + 2 * WINDOW as u64).contains(&offset), "{offset}");
    let next = client.publish("deployments", json!("after")).await;
    assert_eq!(next["offset"], offset + 1, "offsets go on from the copy");
}
