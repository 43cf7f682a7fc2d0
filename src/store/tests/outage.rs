//! PostgreSQL that goes away: what was acknowledged stays, everybody is answered, and it goes on by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use infrawatch_servers::{Postgres, Proxy, Way};

use super::super::value::params;
use super::super::{Column, Event, Place, Store, StoreError, StoreOptions};
use super::{Backend, Hold, fixture};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const TOPIC: &str = "room:shared";

fn event(id: String) -> Event {
    Event {
        offset: 0,
        id,
        ts_ms: 1,
        key: None,
        priority: "normal".into(),
        kind: "message".into(),
        payload: Bytes::from_static(b"{}"),
    }
}

/// Whoever waits while the server is away is told so, and nothing else.
fn is_outage(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::WriterFailed(_) | StoreError::Overloaded)
}

/// What writers were told is kept.
#[derive(Default)]
struct Told {
    kept: AtomicUsize,
    failed: AtomicUsize,
    is_over: AtomicBool,
}

/// Appends until it is over; the offset and id of each message that was acknowledged.
async fn write(store: Store, writer: usize, told: Arc<Told>) -> Vec<(u64, String)> {
    let columns: Arc<[Column]> = [Column { name: "a".into(), labels: BTreeMap::new() }].into();
    let mut kept = Vec::new();
    for n in 0.. {
        if told.is_over.load(Relaxed) {
            break;
        }
        let id = format!("{writer}-{n}");
        let frame = store.append_frame(&format!("node-{writer}"), n + 1, columns.clone(), &[n as f64]);
        match (store.append_next(TOPIC, "epoch", event(id.clone())).await, frame.await) {
            (Ok((_, offset)), frame) => {
                assert!(frame.as_ref().err().is_none_or(is_outage), "{frame:?}");
                kept.push((offset, id));
                told.kept.fetch_add(1, Relaxed);
            }
            (Err(error), _) => {
                assert!(is_outage(&error), "{error:?}");
                told.failed.fetch_add(1, Relaxed);
                // As a client does, instead of asking as fast as it can.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    kept
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let asking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_of_the_server() {
    let mut f = fixture(Backend::Postgres);
    let told = Arc::new(Told::default());
    let writers: Vec<_> =
        (0..8).map(|writer| tokio::spawn(write(f.store.clone(), writer, told.clone()))).collect();
    for round in 1..=3 {
        let before = told.kept.load(Relaxed);
        until("writes are acknowledged", || told.kept.load(Relaxed) > before + 200).await;
        let failed = told.failed.load(Relaxed);
        let server = f.server.as_mut().unwrap();
        server.kill();
        until("writers are told", || told.failed.load(Relaxed) >= failed + 8).await;
        assert!(!f.store.stats().writer_running, "round {round}");
        let read = f.store.topic_head(TOPIC).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        server.resume();
    }
    let before = told.kept.load(Relaxed);
    until("it goes on by itself", || told.kept.load(Relaxed) > before + 200).await;
    told.is_over.store(true, Relaxed);
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        for (offset, id) in writer.await.unwrap() {
            let twice = acknowledged.insert(offset, id);
            assert_eq!(twice, None, "offset {offset} was given twice");
        }
    }
    let there = f.store.events_after(TOPIC, "epoch", 0, 1_000_000).await.unwrap();
    let there: BTreeMap<u64, String> = there.into_iter().map(|event| (event.offset, event.id)).collect();
    for (offset, id) in &acknowledged {
        assert_eq!(there.get(offset), Some(id), "{} of {} are there", there.len(), acknowledged.len());
    }
    let head = f.store.topic_head(TOPIC).await.unwrap().unwrap();
    assert_eq!(head.last_offset, there.len() as u64, "without a gap");
    assert!(f.store.stats().writer_running && f.store.stats().writer_restarts >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_taken_for_gone_and_found_again() {
    let server = Postgres::start();
    let proxy = Proxy::before(server.port());
    let place = Place::postgres(&server.url_through(proxy.port())).unwrap();
    let store = Store::open(place, &StoreOptions::default(), 0).unwrap();
    store.append_next(TOPIC, "epoch", event("before".into())).await.unwrap();

    proxy.set(Way::Stall);
    let (write, read) =
        tokio::join!(store.append_next(TOPIC, "epoch", event("stalled".into())), store.topic_head(TOPIC));
    // The offset was not given out: nothing was committed.
    assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    proxy.set(Way::Reset);
    let answer = store.append_next(TOPIC, "epoch", event("reset".into())).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");

    proxy.set(Way::Pass);
    let after = async {
        loop {
            match store.append_next(TOPIC, "epoch", event("after".into())).await {
                Ok((_, offset)) => break offset,
                Err(error) => assert!(is_outage(&error), "{error:?}"),
            }
        }
    };
    let offset = tokio::time::timeout(PATIENCE, after).await.unwrap();
    assert_eq!(offset, 2);
    let ids = store.events_after(TOPIC, "epoch", 0, 9).await.unwrap();
    assert_eq!(ids.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["before", "after"]);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_in_doubt() {
    let server = Postgres::start();
    let proxy = Arc::new(Proxy::before(server.port()));
    let place = Place::postgres(&server.url_through(proxy.port())).unwrap();
    let store = Store::open(place, &StoreOptions::default(), 0).unwrap();
    let cut = proxy.clone();
    let answer = store.write(0, move |database| {
        database.session.execute("INSERT INTO revoked_tokens VALUES ('doubt', 1)", params![])?;
        // All that is left to do is the commit.
        cut.set(Way::Stall);
        Ok(())
    });
    let answer = answer.await;
    assert!(matches!(&answer, Err(StoreError::WriterFailed(why)) if why.contains("committed")), "{answer:?}");
    proxy.set(Way::Pass);
}

#[tokio::test]
async fn a_read_after_an_outage_that_nobody_noticed_is_answered() {
    let mut f = fixture(Backend::Postgres);
    f.store.append_next(TOPIC, "epoch", event("kept".into())).await.unwrap();
    assert!(f.store.topic_head(TOPIC).await.unwrap().is_some());
    let server = f.server.as_mut().unwrap();
    server.kill();
    server.resume();
    assert!(f.store.topic_head(TOPIC).await.unwrap().is_some());
}

#[tokio::test]
async fn two_hubs_that_write_to_the_same_topics_in_opposite_orders_do_not_wait_for_a_deadlock() {
    let f = fixture(Backend::Postgres);
    let other = f.again();
    let holds = [Hold::start(&f.store), Hold::start(&other)];
    let topics: Vec<String> = (0..100).map(|n| format!("room:{n}")).collect();
    let append = |store: &Store, topic: &String| store.append_next(topic, "epoch", event("x".into()));
    let one: Vec<_> = topics.iter().map(|topic| append(&f.store, topic)).collect();
    let two: Vec<_> = topics.iter().rev().map(|topic| append(&other, topic)).collect();
    for hold in holds {
        hold.let_go.send(()).unwrap();
    }
    let mut offsets = Vec::new();
    for reply in one.into_iter().chain(two) {
        offsets.push(reply.await.unwrap().1);
    }
    offsets.sort_unstable();
    assert_eq!(offsets, [vec![1; 100], vec![2; 100]].concat());
}

#[tokio::test]
async fn a_request_that_goes_on_after_a_failed_statement_fails_and_nobody_else() {
    let f = fixture(Backend::Postgres);
    let hold = Hold::start(&f.store);
    let before = f.store.revoke_token("before", 1);
    let careless = f.store.write(0, |database| {
        let sql = "INSERT INTO revoked_tokens VALUES ('careless', 1)";
        database.session.execute(sql, params![])?;
        drop(database.session.execute(sql, params![]));
        Ok(())
    });
    let after = f.store.revoke_token("after", 1);
    hold.end().await;
    before.await.unwrap();
    assert!(matches!(careless.await, Err(StoreError::Sql(_))));
    after.await.unwrap();
    let mut kept = f.store.revocations(0).await.unwrap().tokens;
    kept.sort();
    assert_eq!(kept, [("after".into(), 1), ("before".into(), 1)]);
}

#[tokio::test]
async fn a_commit_is_durable_whatever_the_server_is_set_to() {
    let f = fixture(Backend::Postgres);
    let alter = "ALTER DATABASE postgres SET synchronous_commit = off";
    f.store.write(0, move |database| database.session.execute_batch(alter)).await.unwrap();
    let later = f.again();
    let setting = later.write(0, |database| {
        database.session.one("SHOW synchronous_commit", params![], |row| row.get::<String>(0))
    });
    assert_eq!(setting.await.unwrap(), "on");
}
