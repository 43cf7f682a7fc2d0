//! Too many crashes: the child is given up, its parent restarted in its turn, and so on up to the root.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{pause, sleep};

use super::probe::{Add, Do, INTENSITY, Lower, Middle, PATIENCE, Script, Upper, add, row, table, tell};
use crate::supervision::universe::Universe;
use crate::supervision::{FailurePhase, Inbox, KindState, OnGiveUp, Refused, RestartPolicy, RootFailure};
use crate::telemetry::Cause;

/// Crashes it as often as it may be restarted, and once more.
async fn exhaust(universe: &Universe, inbox: &Inbox<Lower>) {
    for _ in 0..=INTENSITY.restarts_max {
        tell(inbox, Do::Panic);
        universe.settle().await;
    }
}

#[actix::test]
async fn a_child_over_its_intensity_is_given_up_and_its_parent_restarted() {
    pause();
    let universe = Universe::new(table());
    let upper = universe.tree.start("u", Upper::new("u", &Arc::default()), None);
    let middle = universe.tree.start("m", Middle::new("m", &Arc::default()), None);
    let told = Arc::new(AtomicU32::new(0));
    let tells = told.clone();
    let on_give_up: Box<dyn FnOnce() + Send> = Box::new(move || {
        tells.fetch_add(1, Relaxed);
    });
    let lower = universe.tree.start("l", Lower::new("l", &Arc::default()), Some(on_give_up));
    let sibling = universe.tree.start("s", Lower::new("s", &Arc::default()), None);
    assert_eq!((add(&upper, 1).await, add(&middle, 2).await, add(&sibling, 3).await), (1, 2, 3));

    for crashes in 1..=INTENSITY.restarts_max {
        tell(&lower, Do::Panic);
        universe.settle().await;
        assert_eq!((told.load(Relaxed), lower.is_closed()), (0, false), "after {crashes} crashes");
    }
    tell(&lower, Do::Panic);
    universe.settle().await;

    assert_eq!((told.load(Relaxed), lower.is_closed(), lower.child().has_ended()), (1, true, true));
    assert!(matches!(lower.try_send(Add(1), &Cause::own()), Err(Refused::Closed(Add(1)))));
    let row = universe.row("lower");
    assert_eq!((row.state, row.given_up, row.restarts, row.instances), (KindState::Failed, 1, 3, 1));
    assert_eq!(add(&sibling, 1).await, 4, "a sibling is not touched");

    assert_eq!(add(&middle, 1).await, 1, "the parent was restarted");
    let failure = universe.row("middle").last_failure.unwrap();
    assert_eq!((failure.phase, failure.reason.as_str()), (FailurePhase::Escalated, "escalated from lower l"));
    assert_eq!(add(&upper, 1).await, 2, "its parent was not");

    drop(universe.tree.start("l", Lower::new("l", &Arc::default()), None));
    assert_eq!(universe.row("lower").state, KindState::Running, "a new child ends the failure");
    universe.finish().await;
}

#[actix::test]
async fn a_contained_child_that_is_given_up_takes_nobody_along() {
    pause();
    let mut table = table();
    table[2].on_give_up = OnGiveUp::Contain;
    let universe = Universe::new(table);
    let middle = universe.tree.start("m", Middle::new("m", &Arc::default()), None);
    let told = Arc::new(AtomicU32::new(0));
    let tells = told.clone();
    let on_give_up: Box<dyn FnOnce() + Send> = Box::new(move || {
        tells.fetch_add(1, Relaxed);
    });
    let lower = universe.tree.start("l", Lower::new("l", &Arc::default()), Some(on_give_up));
    let sibling = universe.tree.start("s", Lower::new("s", &Arc::default()), None);
    assert_eq!((add(&middle, 2).await, add(&sibling, 3).await), (2, 3));
    exhaust(&universe, &lower).await;
    assert_eq!((told.load(Relaxed), lower.is_closed(), universe.row("lower").given_up), (1, true, 1));
    assert_eq!((add(&middle, 1).await, add(&sibling, 1).await), (3, 4), "nobody else was restarted");
    assert_eq!((universe.row("middle").restarts, universe.root_failures().len()), (0, 0));
    universe.finish().await;
}

#[actix::test]
async fn a_parent_over_its_intensity_is_given_up_too_until_the_root_fails() {
    pause();
    let mut table = table();
    table[0].intensity.restarts_max = 0;
    table[1].intensity.restarts_max = 1;
    let universe = Universe::new(table);
    let upper = universe.tree.start("u", Upper::new("u", &Arc::default()), None);
    let middle = universe.tree.start("m", Middle::new("m", &Arc::default()), None);

    let first = universe.tree.start("1", Lower::new("1", &Arc::default()), None);
    exhaust(&universe, &first).await;
    assert_eq!((middle.is_closed(), upper.is_closed()), (false, false));
    assert_eq!(universe.row("middle").restarts, 1);

    let second = universe.tree.start("2", Lower::new("2", &Arc::default()), None);
    exhaust(&universe, &second).await;
    assert_eq!((middle.is_closed(), upper.is_closed()), (true, true));
    let reason = "escalated from middle m".to_owned();
    assert_eq!(universe.root_failures(), [RootFailure { kind: "upper", instance: "u".into(), reason }]);
    assert_eq!(universe.tree.totals().given_up, 4);
    universe.finish().await;
}

#[actix::test]
async fn without_a_running_singleton_above_the_root_fails() {
    pause();
    let universe = Universe::new(table());
    let _one = universe.tree.start("1", Middle::new("1", &Arc::default()), None);
    let _two = universe.tree.start("2", Middle::new("2", &Arc::default()), None);
    let lower = universe.tree.start("l", Lower::new("l", &Arc::default()), None);
    exhaust(&universe, &lower).await;
    let reason = "panic in handler".to_owned();
    assert_eq!(universe.root_failures(), [RootFailure { kind: "lower", instance: "l".into(), reason }]);
    assert_eq!(universe.row("middle").restarts, 0);
    universe.finish().await;
}

#[actix::test]
async fn crashes_far_enough_apart_are_never_too_many() {
    pause();
    let universe = Universe::new(table());
    let lower = universe.tree.start("l", Lower::new("l", &Arc::default()), None);
    for _ in 0..20 {
        tell(&lower, Do::Panic);
        sleep(Duration::from_millis(INTENSITY.window_ms / u64::from(INTENSITY.restarts_max) + 1)).await;
    }
    assert!(!lower.is_closed());
    assert_eq!(universe.row("lower").restarts, 20);
    universe.finish().await;
}

#[actix::test]
async fn a_crash_loop_in_started_or_restarting_is_given_up_as_well() {
    pause();
    for endless in [
        |s: &Script| s.panics_in_started.store(99, Relaxed),
        |s: &Script| s.panics_in_fresh.store(99, Relaxed),
    ] {
        let universe = Universe::new(table());
        let script = Arc::new(Script::default());
        let lower = universe.tree.start("l", Lower::new("l", &script), None);
        add(&lower, 1).await;
        endless(&script);
        tell(&lower, Do::Panic);
        sleep(Duration::from_secs(5)).await;
        assert!(lower.is_closed());
        assert_eq!(universe.row("lower").given_up, 1);
        universe.finish().await;
    }
}

#[actix::test]
async fn each_policy_has_its_way_after_a_crash_and_after_a_stop() {
    use RestartPolicy::{Never, Permanent, Transient};
    pause();
    // policy, what happens, lives on, owner told
    let cases = [
        (Permanent, Do::Panic, true, false),
        (Permanent, Do::Stop, true, false),
        (Permanent, Do::StopAndPanicAfter, true, false),
        (Transient, Do::Panic, true, false),
        (Transient, Do::Stop, false, false),
        (Transient, Do::StopAndPanicAfter, false, false),
        (Never, Do::Panic, false, true),
        (Never, Do::Stop, false, false),
        (Never, Do::StopAndPanicAfter, false, false),
    ];
    for (policy, what, lives, owner_told) in cases {
        let universe = Universe::new(vec![row("lower", None, policy)]);
        let told = Rc::new(Cell::new(false));
        let tells = told.clone();
        let on_give_up: Box<dyn FnOnce()> = Box::new(move || tells.set(true));
        let lower = universe.tree.start_here("l", Lower::new("l", &Arc::default()), Some(on_give_up));
        tell(&lower, what);
        universe.settle().await;
        assert_eq!((!lower.is_closed(), told.get()), (lives, owner_told), "{policy:?} {what:?}");
        assert_eq!(universe.row("lower").restarts, u64::from(lives), "{policy:?} {what:?}");
        if lives {
            assert_eq!(add(&lower, 1).await, 1, "{policy:?} {what:?}");
        } else {
            let refused = lower.try_send(Add(1), &Cause::own());
            assert!(matches!(refused, Err(Refused::Closed(Add(1)))), "{policy:?} {what:?}");
        }
        assert_eq!(universe.root_failures(), [], "{policy:?} {what:?}");
        universe.finish().await;
    }
}

#[actix::test]
async fn a_child_that_nobody_can_reach_is_not_restarted() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    let lower = universe.tree.start("l", Lower::new("l", &script), None);
    tell(&lower, Do::Panic);
    sleep(Duration::from_millis(1)).await;
    drop(lower);
    sleep(PATIENCE).await;
    assert_eq!(script.log(), ["started l"]);
    assert_eq!(universe.row("lower").instances, 0);
    universe.finish().await;
}
