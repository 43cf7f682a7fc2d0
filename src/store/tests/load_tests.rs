//! Load tests.

use super::super::LoadTestRecord;
use super::{Backend, fixture, on_each};

on_each!(
    runs_are_replaced_and_listed_newest_first_without_their_detail,
    the_oldest_runs_beyond_the_bound_are_forgotten,
    only_runs_under_way_are_marked_as_failed,
);

fn run(id: &str, status: &str) -> LoadTestRecord {
    LoadTestRecord {
        id: id.into(),
        name: "evening".into(),
        scenario: "paced".into(),
        status: status.into(),
        started_by: "ann".into(),
        started_at_ms: 10,
        ended_at_ms: (status != "running").then_some(20),
        failure: None,
        figures: r#"{"bytes_in":7}"#.into(),
        detail: r#"{"phases":[]}"#.into(),
    }
}

async fn runs_are_replaced_and_listed_newest_first_without_their_detail(backend: Backend) {
    let f = fixture(backend);
    for id in ["1", "2", "3"] {
        f.store.put_load_test(run(id, "running"), 9).await.unwrap();
    }
    f.store.put_load_test(run("2", "completed"), 9).await.unwrap();
    assert_eq!(f.store.load_test("2").await.unwrap(), Some(run("2", "completed")));
    assert_eq!(f.store.load_test("4").await.unwrap(), None);
    let bare = |id, status| LoadTestRecord { detail: String::new(), ..run(id, status) };
    assert_eq!(f.store.load_tests(None, 2).await.unwrap(), [bare("3", "running"), bare("2", "completed")]);
    assert_eq!(f.store.load_tests(Some("2"), 2).await.unwrap(), [bare("1", "running")]);
}

async fn the_oldest_runs_beyond_the_bound_are_forgotten(backend: Backend) {
    let f = fixture(backend);
    for id in ["1", "2", "3", "4"] {
        f.store.put_load_test(run(id, "completed"), 2).await.unwrap();
    }
    let ids: Vec<_> = f.store.load_tests(None, 9).await.unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(ids, ["4", "3"]);
}

async fn only_runs_under_way_are_marked_as_failed(backend: Backend) {
    let f = fixture(backend);
    f.store.put_load_test(run("1", "completed"), 9).await.unwrap();
    f.store.put_load_test(run("2", "running"), 9).await.unwrap();
    assert_eq!(f.store.fail_load_tests("the hub died", 77).await.unwrap(), 1);
    assert_eq!(f.store.load_test("1").await.unwrap(), Some(run("1", "completed")));
    let failed = LoadTestRecord {
        status: "failed".into(),
        failure: Some("the hub died".into()),
        ended_at_ms: Some(77),
        ..run("2", "running")
    };
    assert_eq!(f.store.load_test("2").await.unwrap(), Some(failed));
    assert_eq!(f.store.fail_load_tests("again", 78).await.unwrap(), 0);
}
