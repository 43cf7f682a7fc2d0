//! Leases: one holder at a time, and a fence that only grows. Lengths of an hour and of nothing stand for time that passes.

use super::super::{HubNodeRecord, LeaseRecord, Store};
use super::{Backend, fixture, on_each};

on_each!(
    a_unit_has_one_holder_and_every_taking_raises_its_fence,
    who_does_not_beat_is_not_live_and_who_leaves_holds_nothing,
    of_many_that_take_at_the_same_time_one_does,
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
