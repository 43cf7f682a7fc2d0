use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;

use futures_util::FutureExt;

use super::super::value::params;
use super::super::{DataDirectory, Store, StoreError, StoreOptions};
use super::{Backend, Hold, fixture, fixture_with, on_each};
use crate::breaker::{Breakers, Subsystem};
use crate::clock::Clock;
use crate::config::BreakerSection;

on_each!(
    a_panic_answers_the_whole_group_and_the_writer_comes_back,
    the_breaker_is_told_how_every_request_went,
    requests_that_take_too_long_are_failures_once_each,
    a_connection_that_turned_read_only_is_replaced,
    reads_are_bounded_and_a_failed_one_harms_nobody,
    readers_cannot_write,
    the_probe_goes_all_the_way,
);

async fn a_panic_answers_the_whole_group_and_the_writer_comes_back(backend: Backend) {
    let f = fixture(backend);
    let hold = Hold::start(&f.store);
    let before = f.store.revoke_token("before", 1);
    let panics = f.store.write::<(), _>(0, |_| panic!("on purpose"));
    let after = f.store.revoke_token("after", 1);
    hold.end().await;
    let expected = Err(StoreError::WriterFailed("panic: on purpose".into()));
    assert_eq!((before.await, panics.await, after.await), (expected.clone(), expected.clone(), expected));

    f.store.revoke_token("later", 1).await.unwrap();
    assert_eq!(f.store.revocations(0).await.unwrap().tokens, [("later".into(), 1)], "the group left nothing");
    let stats = f.store.stats();
    assert!(stats.writer_running);
    assert_eq!((stats.writer_failures, stats.writer_restarts, stats.requests_failed), (1, 1, 3));
    assert_eq!(stats.last_failure.unwrap(), "the store failed while it wrote: panic: on purpose");
}

fn breakers() -> Breakers {
    Breakers::new(&BreakerSection::default(), &Clock::system())
}

async fn the_breaker_is_told_how_every_request_went(backend: Backend) {
    let f = fixture_with(backend, &StoreOptions { queue_requests_max: 30, ..StoreOptions::default() });
    let breakers = breakers();
    f.store.watched_by(breakers.clone());
    for n in 0..5 {
        f.store.revoke_token("good", n).await.unwrap();
    }
    let tally = || breakers.one(Subsystem::Store).tally;
    assert_eq!((tally().calls, tally().failures), (5, 0));
    assert!(f.store.write::<(), _>(0, |_| panic!("on purpose")).await.is_err());
    assert_eq!((tally().calls, tally().failures), (6, 1));
    let hold = Hold::start(&f.store);
    let waiting: Vec<_> = (0..40).map(|n| f.store.revoke_token("many", n)).collect();
    assert_eq!(tally().failures, 11, "ten found the queue full");
    assert!(breakers.is_closed(Subsystem::Store), "11 of 16");
    hold.end().await;
    drop(waiting);
}

async fn requests_that_take_too_long_are_failures_once_each(backend: Backend) {
    let f = fixture(backend);
    let breakers = breakers();
    f.store.watched_by(breakers.clone());
    let hold = Hold::start(&f.store);
    let _waiting: Vec<_> = (0..9).map(|n| f.store.revoke_token("late", n)).collect();
    f.store.count_late(60_000);
    assert_eq!(breakers.one(Subsystem::Store).tally.failures, 0, "not yet");
    for _ in 0..3 {
        f.store.count_late(0);
        assert_eq!(breakers.one(Subsystem::Store).tally.failures, 10, "the one in hand and those that wait");
    }
    let _more = f.store.revoke_token("later", 1);
    f.store.count_late(0);
    assert_eq!(breakers.one(Subsystem::Store).tally.failures, 11);
    hold.end().await;
    f.store.settled().await.unwrap();
    f.store.count_late(0);
    assert_eq!(breakers.one(Subsystem::Store).tally.failures, 11, "nothing is in hand");
}

async fn a_connection_that_turned_read_only_is_replaced(backend: Backend) {
    let f = fixture(backend);
    f.turn_read_only().await;
    assert_eq!(f.store.revoke_token("x", 1).await, Err(StoreError::ReadOnly));
    f.store.revoke_token("x", 1).await.unwrap();
    assert_eq!(f.store.stats().writer_restarts, 1);
}

#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let f = fixture(Backend::Sqlite);
    let limit = |pages: u32| {
        f.store.write(0, move |database| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            database.session.one(&sql, params![], |_| Ok(()))
        })
    };
    limit(1).await.unwrap();
    let hold = Hold::start(&f.store);
    let small = f.store.revoke_token("small", 1);
    let big = f.store.revoke_token(&"x".repeat(100_000), 1);
    hold.end().await;
    assert_eq!((small.await, big.await), (Err(StoreError::DiskFull), Err(StoreError::DiskFull)));
    assert_eq!(f.store.revocations(0).await.unwrap().tokens, []);
    limit(1_000_000).await.unwrap();
    f.store.revoke_token("small", 1).await.unwrap();
    assert_eq!(f.store.stats().writer_restarts, 0, "the connection was fine");
}

#[tokio::test]
async fn while_the_file_cannot_be_opened_every_request_is_answered() {
    let parent = tempfile::tempdir().unwrap();
    let (here, away) = (parent.path().join("data"), parent.path().join("away"));
    let directory = DataDirectory::prepare(&here).unwrap();
    let store = Store::open(&directory.database(), &StoreOptions::default(), 0).unwrap();
    store.revoke_token("kept", 1).await.unwrap();

    std::fs::rename(&here, &away).unwrap();
    assert!(store.write::<(), _>(0, |_| panic!("on purpose")).await.is_err());
    for _ in 0..20 {
        let answer = store.revoke_token("lost", 1).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(!store.stats().writer_running);

    std::fs::rename(&away, &here).unwrap();
    while let Err(error) = store.revoke_token("later", 1).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    let mut tokens = store.revocations(0).await.unwrap().tokens;
    tokens.sort();
    assert_eq!(tokens, [("kept".into(), 1), ("later".into(), 1)]);
    assert!(store.stats().writer_running);
    assert_eq!(store.stats().writer_restarts, 1);
}

#[tokio::test]
async fn a_store_that_is_down_can_be_closed() {
    let parent = tempfile::tempdir().unwrap();
    let (here, away) = (parent.path().join("data"), parent.path().join("away"));
    let directory = DataDirectory::prepare(&here).unwrap();
    let store = Store::open(&directory.database(), &StoreOptions::default(), 0).unwrap();
    std::fs::rename(&here, &away).unwrap();
    assert!(store.write::<(), _>(0, |_| panic!("on purpose")).await.is_err());
    store.close().await;
    assert_eq!(store.revoke_token("late", 1).await, Err(StoreError::Closed));
}

async fn reads_are_bounded_and_a_failed_one_harms_nobody(backend: Backend) {
    let options = StoreOptions { readers: 1, reads_waiting_max: 1, ..StoreOptions::default() };
    let f = fixture_with(backend, &options);
    let (entered, has_entered) = channel();
    let (let_go, may_go) = channel::<()>();
    let store = f.store.clone();
    let blocked = tokio::spawn(async move {
        store
            .read::<(), _>(move |_| {
                entered.send(()).unwrap();
                may_go.recv().unwrap();
                panic!("on purpose")
            })
            .await
    });
    tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();
    let mut waiting = Box::pin(f.store.user("nobody"));
    assert!((&mut waiting).now_or_never().is_none());
    assert_eq!(f.store.user("nobody").now_or_never(), Some(Err(StoreError::Overloaded)));
    let_go.send(()).unwrap();
    assert!(matches!(blocked.await.unwrap(), Err(StoreError::Sql(_))));
    assert_eq!(waiting.await, Ok(None));
}

async fn readers_cannot_write(backend: Backend) {
    let f = fixture(backend);
    let write = f.store.read(|session| session.execute("DELETE FROM users", params![])).await;
    assert_eq!(write, Err(StoreError::ReadOnly));
}

async fn the_probe_goes_all_the_way(backend: Backend) {
    let f = fixture(backend);
    f.store.probe(5_000).await.unwrap();
    f.turn_read_only().await;
    assert_eq!(f.store.probe(6_000).await, Err(StoreError::ReadOnly));
}

#[tokio::test]
async fn the_file_and_its_log_are_private() {
    let f = fixture(Backend::Sqlite);
    f.store.probe(5_000).await.unwrap();
    for name in ["infrawatch.db", "infrawatch.db-wal", "infrawatch.db-shm"] {
        let mode = std::fs::metadata(f.directory.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[test]
fn opening_damage_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("infrawatch.db");
    std::fs::write(&path, "not a database, but long enough to be looked at".repeat(100)).unwrap();
    let error = Store::open(&path, &StoreOptions::default(), 0).err().unwrap().to_string();
    assert!(error.starts_with(path.to_str().unwrap()) && error.contains("restore a backup"), "{error}");
}
