use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::value::params;
use super::super::{Column, SampleQuery, StoreError};
use super::{Backend, Hold, fixture, on_each};

on_each!(
    a_series_is_found_by_metric_and_labels_over_changing_columns,
    the_newest_frame_comes_back_whole,
    a_replayed_frame_changes_nothing,
    columns_and_values_must_be_as_many,
);

const NAN: f64 = f64::NAN;

fn column(name: &str, labels: &[(&str, &str)]) -> Column {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Column { name: name.to_owned(), labels }
}

fn columns() -> Arc<[Column]> {
    [
        column("cpu_percent", &[]),
        column("disk_used_bytes", &[("mount", "/")]),
        column("disk_used_bytes", &[("mount", "/home")]),
    ]
    .into()
}

fn query(metric: &str, labels: &[(&str, &str)], points: usize) -> SampleQuery {
    SampleQuery {
        node: "web-1".into(),
        metric: metric.into(),
        labels: column("", labels).labels,
        since_ms: 1_000,
        until_ms: 1_999,
        points,
    }
}

async fn a_series_is_found_by_metric_and_labels_over_changing_columns(backend: Backend) {
    let f = fixture(backend);
    f.store.append_frame("web-1", 1_000, columns(), &[10.0, 1.0, 5.0]).await.unwrap();
    f.store.append_frame("web-1", 1_100, columns(), &[NAN, 2.0, 7.0]).await.unwrap();
    let fewer: Arc<[Column]> =
        [column("disk_used_bytes", &[("mount", "/")]), column("cpu_percent", &[])].into();
    f.store.append_frame("web-1", 1_200, fewer.clone(), &[3.0, 30.0]).await.unwrap();
    f.store.append_frame("web-1", 2_000, fewer, &[9.0, 99.0]).await.unwrap();
    f.store.append_frame("web-2", 1_050, columns(), &[77.0, 77.0, 77.0]).await.unwrap();

    let series = |query| async { f.store.query_samples(query).await.unwrap().points };
    assert_eq!(series(query("cpu_percent", &[], 1_000)).await, [(1_000, 10.0), (1_200, 30.0)]);
    let root = query("disk_used_bytes", &[("mount", "/")], 1_000);
    assert_eq!(series(root).await, [(1_000, 1.0), (1_100, 2.0), (1_200, 3.0)]);
    let all = query("disk_used_bytes", &[], 1_000);
    assert_eq!(series(all).await, [(1_000, 3.0), (1_100, 4.5), (1_200, 3.0)], "averaged over the mounts");
    assert_eq!(series(query("cpu_percent", &[], 2)).await, [(1_100, 20.0)]);
    assert_eq!(series(query("unknown", &[], 10)).await, []);
    assert_eq!(series(SampleQuery { node: "nobody".into(), ..query("cpu_percent", &[], 10) }).await, []);
}

async fn the_newest_frame_comes_back_whole(backend: Backend) {
    let f = fixture(backend);
    assert_eq!(f.store.latest_frame("web-1").await.unwrap(), None);
    f.store.append_frame("web-1", 2_000, columns(), &[NAN, 0.1, -7.0]).await.unwrap();
    f.store.append_frame("web-1", 1_000, columns(), &[1.0, 1.0, 1.0]).await.unwrap();
    let frame = f.store.latest_frame("web-1").await.unwrap().unwrap();
    assert_eq!((frame.ts_ms, frame.columns), (2_000, columns().to_vec()));
    assert!(frame.values[0].is_nan());
    assert_eq!(frame.values[1..], [0.1, -7.0]);
}

async fn a_replayed_frame_changes_nothing(backend: Backend) {
    let f = fixture(backend);
    f.store.append_frame("web-1", 1_000, columns(), &[1.0, 1.0, 1.0]).await.unwrap();
    for _ in 0..3 {
        f.store.append_frame("web-1", 1_000, columns(), &[2.0, 2.0, 2.0]).await.unwrap();
    }
    let rows = f
        .store
        .read(|session| session.one("SELECT count(*) FROM samples", params![], |row| row.get::<i64>(0)));
    assert_eq!(rows.await.unwrap(), 1);
    assert_eq!(f.store.query_samples(query("cpu_percent", &[], 10)).await.unwrap().points, [(1_000, 1.0)]);
}

async fn columns_and_values_must_be_as_many(backend: Backend) {
    let f = fixture(backend);
    let answer = f.store.append_frame("web-1", 1_000, columns(), &[1.0]).await;
    assert_eq!(answer, Err(StoreError::Invalid("a frame has 3 columns and 1 values".into())));
}

#[tokio::test]
async fn sets_of_a_group_that_was_undone_are_not_remembered() {
    let f = fixture(Backend::Sqlite);
    let hold = Hold::start(&f.store);
    let frame = f.store.append_frame("web-1", 1_000, columns(), &[1.0; 3]);
    let fails = f.store.write::<(), _>(0, |database| {
        // Undoes the transaction behind the writer's back, as SQLite does when the disk is full.
        database.session.execute_batch("ROLLBACK")?;
        Err(StoreError::DiskFull)
    });
    hold.let_go.send(()).unwrap();
    hold.reply.await.unwrap();
    assert_eq!((frame.await, fails.await), (Err(StoreError::DiskFull), Err(StoreError::DiskFull)));
    f.store.append_frame("web-1", 1_000, columns(), &[1.0; 3]).await.unwrap();
    assert_eq!(f.store.latest_frame("web-1").await.unwrap().unwrap().values, [1.0; 3]);
}

#[tokio::test]
async fn pruning_takes_what_is_old_and_only_that() {
    const HOUR_MS: u64 = 3_600_000;
    let f = fixture(Backend::Sqlite);
    let old: Arc<[Column]> = [column("gone", &[])].into();
    for thousand in 0..6 {
        let times = thousand * 1_000..(thousand + 1) * 1_000;
        let replies: Vec<_> = times.map(|ts| f.store.append_frame("old", ts, old.clone(), &[1.0])).collect();
        for reply in replies {
            reply.await.unwrap();
        }
    }
    f.store.append_frame("web-1", 10, columns(), &[1.0; 3]).await.unwrap();
    f.store.append_frame("web-1", 5 * HOUR_MS, columns(), &[2.0; 3]).await.unwrap();

    let pruned = f.store.prune_samples(4 * HOUR_MS).await.unwrap();
    assert_eq!(pruned, 6_000 + 1, "more than one step takes");
    let names = f.store.read(|session| {
        session.query::<String, Vec<_>>("SELECT name FROM sample_nodes", params![], |row| row.get(0))
    });
    assert_eq!(names.await.unwrap(), ["web-1"], "a node without sets is forgotten");
    assert_eq!(f.store.latest_frame("web-1").await.unwrap().unwrap().ts_ms, 5 * HOUR_MS);
    f.store.append_frame("old", 6 * HOUR_MS, old, &[3.0]).await.unwrap();
    assert_eq!(f.store.latest_frame("old").await.unwrap().unwrap().values, [3.0]);
    assert_eq!(f.store.prune_samples(4 * HOUR_MS).await.unwrap(), 0);
}

#[tokio::test]
async fn a_set_in_use_is_never_pruned_before_its_samples() {
    const HOUR_MS: u64 = 3_600_000;
    let f = fixture(Backend::Sqlite);
    for hour in 0..10 {
        f.store.append_frame("web-1", hour * HOUR_MS + 7, columns(), &[hour as f64; 3]).await.unwrap();
        f.store.prune_samples((hour * HOUR_MS).saturating_sub(HOUR_MS)).await.unwrap();
        assert_eq!(f.store.latest_frame("web-1").await.unwrap().unwrap().values, [hour as f64; 3]);
    }
    let all = SampleQuery { since_ms: 0, until_ms: 10 * HOUR_MS, ..query("cpu_percent", &[], 1_000) };
    assert_eq!(f.store.query_samples(all).await.unwrap().points.len(), 2);
    let unlabelled: BTreeMap<String, String> = BTreeMap::new();
    assert_eq!(columns()[0].labels, unlabelled);
}
