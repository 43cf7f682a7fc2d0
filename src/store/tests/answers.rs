//! Answers that are kept for requests that come again.

use std::collections::BTreeMap;

use super::super::KeptAnswer;
use super::{Backend, fixture, on_each};

on_each!(an_answer_is_found_as_it_was_kept_until_it_is_too_old, the_oldest_leave_when_there_are_too_many,);

fn kept(content: u8, answer: Option<&'static [u8]>) -> KeptAnswer {
    KeptAnswer {
        content: [content; 32],
        status: 201,
        headers: BTreeMap::from([("etag".to_owned(), "\"1\"".to_owned())]),
        answer: answer.map(bytes::Bytes::from_static),
    }
}

async fn an_answer_is_found_as_it_was_kept_until_it_is_too_old(backend: Backend) {
    let fixture = fixture(backend);
    let store = &fixture.store;
    assert_eq!(store.kept_answer([1; 32], 0).await.unwrap(), None);
    for (request, answer) in [([1; 32], kept(7, Some(b"{}"))), ([2; 32], kept(8, None))] {
        store.keep_answer(request, answer.clone(), 1_000, 10).await.unwrap();
        assert_eq!(store.kept_answer(request, 1_000).await.unwrap(), Some(answer));
    }
    assert_eq!(store.kept_answer([1; 32], 1_001).await.unwrap(), None);
    store.keep_answer([1; 32], kept(9, Some(b"[]")), 2_000, 10).await.unwrap();
    assert_eq!(store.kept_answer([1; 32], 1_001).await.unwrap(), Some(kept(9, Some(b"[]"))), "the newer one");
    assert_eq!(store.prune_answers(1_500, 10).await.unwrap(), 1);
    assert_eq!(store.kept_answer([2; 32], 0).await.unwrap(), None);
}

async fn the_oldest_leave_when_there_are_too_many(backend: Backend) {
    let fixture = fixture(backend);
    let store = &fixture.store;
    for n in 0..5 {
        store.keep_answer([n; 32], kept(n, None), u64::from(n), 3).await.unwrap();
    }
    let mut there = Vec::new();
    for n in 0..5 {
        there.push(store.kept_answer([n; 32], 0).await.unwrap().is_some());
    }
    assert_eq!(there, [false, false, true, true, true]);
}
