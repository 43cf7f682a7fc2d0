//! The tables of days, on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::sample_days::{DAY_MS, list};
use super::super::value::params;
use super::super::{Column, SampleQuery, Store, StoreError};
use super::{Backend, Hold, fixture};

fn columns(name: &str) -> Arc<[Column]> {
    [Column { name: name.into(), labels: BTreeMap::new() }].into()
}

async fn days(store: &Store) -> Vec<u64> {
    store.read(list).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn days_are_made_ahead_and_dropped_whole() {
    let f = fixture(Backend::Postgres);
    f.store.append_frame("old", 10 * DAY_MS, columns("gone"), &[1.0]).await.unwrap();
    assert_eq!(days(&f.store).await, [10, 11], "the next one too");
    f.store.append_frame("web-1", 11 * DAY_MS - 1, columns("a"), &[1.0]).await.unwrap();
    f.store.append_frame("web-1", 11 * DAY_MS, columns("a"), &[2.0]).await.unwrap();
    assert_eq!(days(&f.store).await, [10, 11, 12]);

    f.store.prune_samples(11 * DAY_MS - 1).await.unwrap();
    assert_eq!(days(&f.store).await, [10, 11, 12], "the day is not over");
    f.store.prune_samples(11 * DAY_MS).await.unwrap();
    assert_eq!(days(&f.store).await, [11, 12]);
    let query = SampleQuery {
        node: "web-1".into(),
        metric: "a".into(),
        labels: BTreeMap::new(),
        since_ms: 0,
        until_ms: u64::MAX,
        points: 10_000,
    };
    assert_eq!(f.store.query_samples(query).await.unwrap().points.len(), 1);
    let names = f.store.read(|session| {
        session.query::<String, Vec<_>>("SELECT name FROM sample_nodes", params![], |row| row.get(0))
    });
    assert!(names.await.unwrap().contains(&"web-1".to_owned()));
    // A day that was dropped comes back with its samples.
    f.store.append_frame("web-1", 10 * DAY_MS, columns("a"), &[3.0]).await.unwrap();
    assert_eq!(days(&f.store).await, [10, 11, 12]);
}

#[tokio::test]
async fn frames_of_a_request_that_is_undone_are_not_kept() {
    let f = fixture(Backend::Postgres);
    let hold = Hold::start(&f.store);
    let first = f.store.append_frame("web-1", 1, columns("a"), &[1.0]);
    let fails = f.store.write::<(), _>(0, |database| {
        let id = database.sets.find_or_make(&database.session, "web-2", &columns("a"), 2)?;
        database.frames.put(&database.session, id, 3 * DAY_MS, vec![0])?;
        Err(StoreError::Invalid("no".into()))
    });
    let last = f.store.append_frame("web-1", 3 * DAY_MS, columns("a"), &[3.0]);
    hold.end().await;
    first.await.unwrap();
    last.await.unwrap();
    assert_eq!(fails.await, Err(StoreError::Invalid("no".into())));
    assert_eq!(f.store.latest_frame("web-2").await.unwrap(), None);
    assert_eq!(f.store.latest_frame("web-1").await.unwrap().unwrap().values, [3.0]);
    assert_eq!(days(&f.store).await, [0, 1, 3, 4]);
}

#[tokio::test]
async fn two_hubs_make_the_same_day_at_once() {
    let f = fixture(Backend::Postgres);
    let stores = [f.store.clone(), f.again(), f.again()];
    let frames: Vec<_> = (0..30)
        .map(|n| stores[n % 3].append_frame(&format!("n{n}"), n as u64 / 3 * DAY_MS, columns("a"), &[1.0]))
        .collect();
    for frame in frames {
        frame.await.unwrap();
    }
    assert_eq!(days(&f.store).await, (0..=10).collect::<Vec<_>>());
}
