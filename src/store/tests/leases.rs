//! Leases: one holder at a time, and a fence that only grows. Lengths of an hour and of nothing stand for time that passes.

use std::time::Duration;

use bytes::Bytes;

use super::super::{Event, HubNodeRecord, LeaseRecord, RuleWrite, Store, StoreError};
use super::{Backend, Hold, fixture, on_each};

on_each!(
    a_unit_has_one_holder_and_every_taking_raises_its_fence,
    who_does_not_beat_is_not_live_and_who_leaves_holds_nothing,
    of_many_that_take_at_the_same_time_one_does,
    what_is_written_under_an_older_fence_is_refused_alone,
    a_unit_is_not_taken_while_its_owner_commits,
);

const HOUR_MS: u64 = 3_600_000;

fn hub(instance: &str) -> HubNodeRecord {
    HubNodeRecord { instance: instance.into(), node: "hub-1".into(), address: "10.0.0.1:5050".into() }
}

async fn lease(store: &Store, asking: &str) -> Option<LeaseRecord> {
    store.leases().beat(hub(asking), HOUR_MS).await.unwrap().leases.pop()
}

async fn a_unit_has_one_holder_and_every_taking_raises_its_fence(backend: Backend) {
    let f = fixture(backend);
    let leases = f.store.leases();
    assert_eq!(lease(&f.store, "a").await, None);
    assert_eq!(leases.take("alerts", "a", HOUR_MS).await.unwrap(), Some(1));
    assert_eq!(leases.take("alerts", "b", HOUR_MS).await.unwrap(), None, "it is held");
    assert_eq!(leases.take("alerts", "a", HOUR_MS).await.unwrap(), None, "by itself, too");
    let held = lease(&f.store, "b").await.unwrap();
    assert_eq!((held.unit.as_str(), held.instance.as_str(), held.fence), ("alerts", "a", 1));
    assert_eq!(held.free_for_ms, None);
    assert!(held.taken_at_ms > 1_700_000_000_000, "{held:?}");
    // Renewed for no time at all: it has run out.
    leases.beat(hub("a"), 0).await.unwrap();
    let free = lease(&f.store, "b").await.unwrap();
    assert!(free.instance == "a" && free.free_for_ms.is_some(), "{free:?}");
    // Nobody took it: whoever held it goes on under the same fence.
    let renewed = lease(&f.store, "a").await.unwrap();
    assert_eq!((renewed.fence, renewed.free_for_ms), (1, None));
    leases.beat(hub("a"), 0).await.unwrap();
    assert_eq!(leases.take("alerts", "b", HOUR_MS).await.unwrap(), Some(2));
    let taken = lease(&f.store, "a").await.unwrap();
    assert_eq!((taken.instance.as_str(), taken.fence, taken.free_for_ms), ("b", 2, None));
}

async fn who_does_not_beat_is_not_live_and_who_leaves_holds_nothing(backend: Backend) {
    let f = fixture(backend);
    let leases = f.store.leases();
    leases.beat(hub("a"), HOUR_MS).await.unwrap();
    let beat = leases.beat(hub("b"), HOUR_MS).await.unwrap();
    assert_eq!(beat.live, [hub("a"), hub("b")]);
    assert!(leases.beat(hub("b"), 0).await.unwrap().live.is_empty(), "nobody was seen within no time");
    leases.take("alerts", "a", HOUR_MS).await.unwrap();
    leases.take("housekeeping", "b", HOUR_MS).await.unwrap();
    leases.leave("a").await.unwrap();
    let beat = leases.beat(hub("b"), HOUR_MS).await.unwrap();
    assert_eq!(beat.live, [hub("b")]);
    assert!(beat.leases[0].free_for_ms.is_some(), "given back: {beat:?}");
    assert_eq!(beat.leases[1].free_for_ms, None, "not its own: {beat:?}");
    assert_eq!(leases.take("alerts", "b", HOUR_MS).await.unwrap(), Some(2));
}

async fn of_many_that_take_at_the_same_time_one_does(backend: Backend) {
    let f = fixture(backend);
    let stores = [f.again(), f.again(), f.again(), f.again()];
    for fence in 1..=10 {
        let takes = stores.iter().zip(["a", "b", "c", "d"]).map(|(store, instance)| {
            let leases = store.leases();
            tokio::spawn(async move { leases.take("alerts", instance, HOUR_MS).await.unwrap() })
        });
        let takes: Vec<_> = takes.collect();
        let mut taken = Vec::new();
        for take in takes {
            taken.extend(take.await.unwrap());
        }
        assert_eq!(taken, [fence]);
        let holder = lease(&f.store, "e").await.unwrap().instance;
        f.store.leases().leave(&holder).await.unwrap();
    }
}

fn event(id: &str) -> Event {
    let payload = Bytes::from_static(b"{}");
    let (id, priority, kind) = (id.to_owned(), "normal".to_owned(), "message".to_owned());
    Event { offset: 0, id, ts_ms: 1, key: None, priority, kind, payload }
}

fn rule(id: &str) -> RuleWrite {
    RuleWrite { id: id.into(), definition: "{}".into(), enabled: true, expected: None }
}

async fn what_is_written_under_an_older_fence_is_refused_alone(backend: Backend) {
    let f = fixture(backend);
    let (leases, other) = (f.store.leases(), f.again());
    assert_eq!(leases.take("alerts", "a", HOUR_MS).await.unwrap(), Some(1));
    leases.leave("a").await.unwrap();
    assert_eq!(leases.take("alerts", "b", HOUR_MS).await.unwrap(), Some(2));
    let (former, owner) = (f.store.fenced("alerts", 1), other.fenced("alerts", 2));
    // In one group, with what belongs to no unit and what belongs to another.
    let hold = Hold::start(&f.store);
    let refused = former.put_rules(vec![rule("x"), rule("y")], "a", 0, 9);
    let free = f.store.append_next("deployments", "e", event("1"));
    let appended = former.append_next("alerts_error", "e", event("2"));
    let never_held = f.store.fenced("housekeeping", 1).put_rules(vec![rule("z")], "a", 0, 9);
    let free_again = f.store.append_next("deployments", "e", event("3"));
    hold.end().await;
    assert_eq!(refused.await.unwrap_err(), StoreError::Fenced);
    assert_eq!(appended.await.unwrap_err(), StoreError::Fenced);
    assert_eq!(never_held.await.unwrap_err(), StoreError::Fenced);
    assert_eq!((free.await.unwrap().1, free_again.await.unwrap().1), (1, 2));
    assert!(f.store.rules(None, 9).await.unwrap().is_empty(), "nothing of what was refused is there");
    assert_eq!(f.store.topic_head("alerts_error").await.unwrap(), None);
    owner.put_rules(vec![rule("x")], "b", 0, 9).await.unwrap();
    assert_eq!(owner.append_next("alerts_error", "e", event("2")).await.unwrap().1, 1);
}

async fn a_unit_is_not_taken_while_its_owner_commits(backend: Backend) {
    let f = fixture(backend);
    let leases = f.store.leases();
    leases.take("alerts", "a", 0).await.unwrap();
    let (owner, other) = (f.store.fenced("alerts", 1), f.again());
    let hold = Hold::start(&owner);
    let mut take = tokio::spawn(async move { other.leases().take("alerts", "b", HOUR_MS).await });
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut take).await;
    assert!(waits.is_err(), "taken under the owner's hands: {waits:?}");
    hold.end().await;
    assert_eq!(take.await.unwrap().unwrap(), Some(2));
    let late = owner.append_next("alerts_error", "e", event("1")).await;
    assert_eq!(late.unwrap_err(), StoreError::Fenced);
}
