//! Rules, the state of their evaluation, and policies.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::{PolicyKind, PolicyWrite, RuleRecord, RuleState, RuleWrite, Store, Written};
use super::{Backend, fixture, on_each};

on_each!(
    a_rule_is_written_over_only_by_who_knows_its_version,
    of_several_rules_all_are_kept_or_none,
    the_state_of_an_evaluation_outlives_changes_of_its_rule_and_ends_with_it,
    policies_are_apart_by_kind_and_have_versions_too,
);

fn rule(id: &str, definition: &str, expected: Option<u64>) -> RuleWrite {
    RuleWrite { id: id.into(), definition: definition.into(), enabled: true, expected }
}

#[track_caller]
fn kept<T>(written: Written<T>) -> T {
    match written {
        Written::Kept(kept) => kept,
        Written::Stale { id, current } => panic!("{id} is at {current}"),
        Written::Full => panic!("full"),
    }
}

async fn put(store: &Store, writes: Vec<RuleWrite>, now_ms: u64) -> Written<Vec<RuleRecord>> {
    store.put_rules(writes, "alice", now_ms, 3).await.unwrap()
}

async fn a_rule_is_written_over_only_by_who_knows_its_version(backend: Backend) {
    let f = fixture(backend);
    let first = kept(put(&f.store, vec![rule("cpu", "1", Some(0))], 10).await).remove(0);
    assert_eq!((first.version, first.created_at_ms, first.created_by.as_str()), (1, 10, "alice"));
    // Two that read version 1: one wins.
    let (one, two) = (
        f.store.put_rules(vec![rule("cpu", "2", Some(1))], "alice", 20, 3),
        f.store.put_rules(vec![rule("cpu", "3", Some(1))], "bob", 20, 3),
    );
    let second = kept(one.await.unwrap()).remove(0);
    assert_eq!((second.version, second.created_at_ms, second.updated_at_ms), (2, 10, 20));
    assert_eq!(two.await.unwrap(), Written::Stale { id: "cpu".into(), current: 2 });
    assert_eq!(f.store.rule("cpu").await.unwrap(), Some(second));
    assert_eq!(
        put(&f.store, vec![rule("x", "", Some(4))], 0).await,
        Written::Stale { id: "x".into(), current: 0 }
    );
    assert_eq!(
        kept(put(&f.store, vec![rule("cpu", "4", None)], 30).await)[0].version,
        3,
        "whatever is there"
    );
}

async fn of_several_rules_all_are_kept_or_none(backend: Backend) {
    let f = fixture(backend);
    kept(put(&f.store, vec![rule("b", "1", None)], 1).await);
    let refused = put(&f.store, vec![rule("a", "1", None), rule("b", "2", Some(9))], 2).await;
    assert_eq!(refused, Written::Stale { id: "b".into(), current: 1 });
    let too_many = ["a", "c", "d"].map(|id| rule(id, "1", None)).to_vec();
    assert_eq!(put(&f.store, too_many, 3).await, Written::Full);
    let ids = |rules: Vec<RuleRecord>| rules.into_iter().map(|rule| rule.id).collect::<Vec<_>>();
    assert_eq!(ids(f.store.rules(None, 9).await.unwrap()), ["b"]);
    kept(put(&f.store, vec![rule("c", "1", None), rule("a", "1", None), rule("b", "2", None)], 4).await);
    assert_eq!(ids(f.store.rules(None, 2).await.unwrap()), ["a", "b"]);
    assert_eq!(ids(f.store.rules(Some("b"), 2).await.unwrap()), ["c"]);
    let gone = vec!["c".to_owned(), "nothing".to_owned(), "a".to_owned()];
    assert_eq!(f.store.delete_rules(gone).await.unwrap(), ["c", "a"]);
    assert_eq!(ids(f.store.rules(None, 9).await.unwrap()), ["b"]);
}

async fn the_state_of_an_evaluation_outlives_changes_of_its_rule_and_ends_with_it(backend: Backend) {
    let f = fixture(backend);
    kept(put(&f.store, vec![rule("cpu", "1", None)], 1).await);
    let state = |rule_id: &str, state: &'static [u8]| RuleState {
        rule_id: rule_id.into(),
        state: Bytes::from_static(state),
    };
    f.store.put_rule_states(vec![state("cpu", b"old"), state("nothing", b"x")], 5).await.unwrap();
    f.store.put_rule_states(vec![state("cpu", b"\0\xffnew")], 6).await.unwrap();
    kept(put(&f.store, vec![rule("cpu", "2", Some(1))], 7).await);
    assert_eq!(f.store.rule_state("cpu").await.unwrap(), Some(Bytes::from_static(b"\0\xffnew")));
    assert_eq!(f.store.rule_state("nothing").await.unwrap(), None);
    let states = f.store.rule_states(Some("c"), Some("cpu")).await.unwrap();
    assert_eq!(states, HashMap::from([("cpu".to_owned(), Bytes::from_static(b"\0\xffnew"))]));
    assert!(f.store.rule_states(Some("cpu"), Some("d")).await.unwrap().is_empty());
    f.store.delete_rules(vec!["cpu".into()]).await.unwrap();
    kept(put(&f.store, vec![rule("cpu", "1", Some(0))], 8).await);
    assert_eq!(f.store.rule_state("cpu").await.unwrap(), None);
}

async fn policies_are_apart_by_kind_and_have_versions_too(backend: Backend) {
    let f = fixture(backend);
    let put = |kind, id: &str, expected, now_ms| {
        let write = PolicyWrite { id: id.into(), body: "{}".into(), expected };
        f.store.put_policy(kind, write, "alice", now_ms, 2)
    };
    let (windows, inhibitions) = (PolicyKind::Suppression, PolicyKind::Inhibition);
    kept(put(windows, "a", Some(0), 1).await.unwrap());
    let second = kept(put(windows, "a", Some(1), 2).await.unwrap());
    assert_eq!((second.version, second.created_at_ms, second.updated_at_ms), (2, 1, 2));
    assert_eq!(put(windows, "a", Some(1), 3).await.unwrap(), Written::Stale { id: "a".into(), current: 2 });
    kept(put(windows, "b", None, 4).await.unwrap());
    assert_eq!(put(windows, "c", None, 5).await.unwrap(), Written::Full);
    assert_eq!(kept(put(inhibitions, "a", None, 6).await.unwrap()).version, 1);
    assert_eq!(f.store.policies(windows, Some("a"), 9).await.unwrap().len(), 1);
    assert!(f.store.delete_policy(windows, "a").await.unwrap());
    assert!(!f.store.delete_policy(windows, "a").await.unwrap());
    assert_eq!(f.store.policy(windows, "a").await.unwrap(), None);
    assert!(f.store.policy(inhibitions, "a").await.unwrap().is_some());
}
