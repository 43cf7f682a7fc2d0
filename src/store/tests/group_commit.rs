use std::sync::Arc;

use futures_util::FutureExt;

use super::super::value::params;
use super::super::{Column, StoreError, StoreOptions};
use super::{Backend, Hold, fixture, fixture_with, on_each};

on_each!(
    an_answer_comes_after_the_commit,
    what_waits_is_committed_together_and_in_order,
    a_group_has_a_bound,
    a_bad_request_fails_alone_and_leaves_nothing,
    a_full_queue_refuses_at_once,
    the_queue_is_bounded_in_bytes_too,
    a_frame_weighs_what_its_columns_hold,
    an_answer_that_nobody_waits_for_is_still_written,
    closing_commits_what_waits_and_refuses_what_comes,
);

async fn an_answer_comes_after_the_commit(backend: Backend) {
    let f = fixture(backend);
    let other = f.again();
    for n in 1..=300 {
        f.store.revoke_token(&format!("jti-{n}"), 1).await.unwrap();
        assert_eq!(other.revocations(0).await.unwrap().tokens.len(), n);
    }
}

#[tokio::test]
async fn commits_are_synced_to_the_disk() {
    let f = fixture(Backend::Sqlite);
    let settings = f.store.write(0, |database| {
        let synchronous: i64 = database.session.one("PRAGMA synchronous", params![], |row| row.get(0))?;
        let mode: String = database.session.one("PRAGMA journal_mode", params![], |row| row.get(0))?;
        Ok((synchronous, mode))
    });
    assert_eq!(settings.await.unwrap(), (2, "wal".to_owned()), "2 is FULL");
}

async fn what_waits_is_committed_together_and_in_order(backend: Backend) {
    let f = fixture(backend);
    let hold = Hold::start(&f.store);
    let replies: Vec<_> = (0..100).map(|n| f.store.revoke_subject("one", n, n)).collect();
    assert_eq!(f.store.stats().queue_requests, 100);
    hold.end().await;
    for reply in replies {
        reply.await.unwrap();
    }
    let stats = f.store.stats();
    assert_eq!((stats.commits, stats.requests_committed, stats.queue_requests), (2, 101, 0));
    assert_eq!(f.store.revocations(0).await.unwrap().subjects, [("one".into(), 99, 99)]);
}

async fn a_group_has_a_bound(backend: Backend) {
    let f = fixture_with(backend, &StoreOptions { group_requests_max: 10, ..StoreOptions::default() });
    let hold = Hold::start(&f.store);
    let replies: Vec<_> = (0..25).map(|n| f.store.revoke_token("x", n)).collect();
    hold.end().await;
    for reply in replies {
        reply.await.unwrap();
    }
    assert_eq!(f.store.stats().commits, 1 + 3);
}

async fn a_bad_request_fails_alone_and_leaves_nothing(backend: Backend) {
    let f = fixture(backend);
    let hold = Hold::start(&f.store);
    let before = f.store.revoke_token("before", 1);
    let bad = f.store.write(0, |database| {
        database.session.execute("INSERT INTO revoked_tokens VALUES ('half', 1)", params![])?;
        database.session.execute("INSERT INTO revoked_tokens VALUES ('half', 1)", params![])?;
        Ok(())
    });
    let refused = f.store.write(0, |database| {
        database.session.execute("INSERT INTO revoked_tokens VALUES ('refused', 1)", params![])?;
        Err::<(), _>(StoreError::Invalid("no".into()))
    });
    let after = f.store.revoke_token("after", 1);
    hold.end().await;
    before.await.unwrap();
    assert!(matches!(bad.await, Err(StoreError::Conflict(_))));
    assert_eq!(refused.await, Err(StoreError::Invalid("no".into())));
    after.await.unwrap();
    let mut kept = f.store.revocations(0).await.unwrap().tokens;
    kept.sort();
    assert_eq!(kept, [("after".into(), 1), ("before".into(), 1)]);
    assert_eq!(f.store.stats().commits, 2, "all in one group");
}

async fn a_full_queue_refuses_at_once(backend: Backend) {
    let f = fixture_with(backend, &StoreOptions { queue_requests_max: 4, ..StoreOptions::default() });
    let hold = Hold::start(&f.store);
    let accepted: Vec<_> = (0..4).map(|n| f.store.revoke_token("x", n)).collect();
    assert_eq!(f.store.revoke_token("y", 0).now_or_never(), Some(Err(StoreError::Overloaded)));
    assert_eq!(f.store.stats().requests_refused, 1);
    hold.end().await;
    for reply in accepted {
        reply.await.unwrap();
    }
    f.store.revoke_token("y", 0).await.unwrap();
}

async fn the_queue_is_bounded_in_bytes_too(backend: Backend) {
    let f = fixture_with(backend, &StoreOptions { queue_bytes_max: 100, ..StoreOptions::default() });
    let hold = Hold::start(&f.store);
    let alone = f.store.revoke_token(&"a".repeat(150), 1);
    assert_eq!(f.store.revoke_token("b", 1).now_or_never(), Some(Err(StoreError::Overloaded)));
    hold.end().await;
    alone.await.unwrap();
    f.store.revoke_token("b", 1).await.unwrap();
    assert_eq!(f.store.stats().queue_bytes, 0);
}

async fn a_frame_weighs_what_its_columns_hold(backend: Backend) {
    let f = fixture_with(backend, &StoreOptions { queue_bytes_max: 20_000, ..StoreOptions::default() });
    let hold = Hold::start(&f.store);
    let labels = (0..50).map(|n| (format!("label_{n}"), "of some length".to_owned())).collect();
    let columns: Arc<[Column]> = [Column { name: "load1".to_owned(), labels }].into();
    let frame = |ts_ms| f.store.append_frame("web-1", ts_ms, columns.clone(), &[1.0]);
    let waiting = [frame(1), frame(2), frame(3)];
    assert_eq!(frame(4).now_or_never(), Some(Err(StoreError::Overloaded)), "6 kB each");
    hold.end().await;
    for reply in waiting {
        reply.await.unwrap();
    }
    assert_eq!(f.store.stats().queue_bytes, 0);
}

async fn an_answer_that_nobody_waits_for_is_still_written(backend: Backend) {
    let f = fixture(backend);
    drop(f.store.revoke_token("unheard", 5));
    f.store.revoke_token("heard", 5).await.unwrap();
    assert_eq!(f.store.revocations(0).await.unwrap().tokens.len(), 2);
}

async fn closing_commits_what_waits_and_refuses_what_comes(backend: Backend) {
    let f = fixture(backend);
    let hold = Hold::start(&f.store);
    let waiting = f.store.revoke_token("waiting", 5);
    let closing = f.store.clone();
    let close = tokio::spawn(async move { closing.close().await });
    hold.end().await;
    waiting.await.unwrap();
    close.await.unwrap();
    assert_eq!(f.store.revoke_token("late", 5).await, Err(StoreError::Closed));
    f.store.close().await;
    assert_eq!(f.again().revocations(0).await.unwrap().tokens.len(), 1);
}
