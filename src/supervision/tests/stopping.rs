//! Ends: in good order, in reverse order, and for good.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, pause, sleep};

use super::probe::{Add, Do, Lower, Middle, Script, Upper, add, row, table, tell};
use crate::supervision::universe::Universe;
use crate::supervision::{FailurePhase, KindState, RestartPolicy};
use crate::telemetry::Cause;

const LIMIT: Duration = Duration::from_secs(5);

#[actix::test]
async fn everything_stops_in_the_reverse_of_its_start_order() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    let upper = universe.tree.start("u", Upper::new("u", &script), None);
    let middle = universe.tree.start("m", Middle::new("m", &script), None);
    let lower: Vec<_> =
        ["l1", "l2", "l3"].map(|name| universe.tree.start(name, Lower::new(name, &script), None)).into();
    add(&lower[2], 1).await;
    assert_eq!(script.log(), ["started u", "started m", "started l1", "started l2", "started l3"]);
    script.log.lock().clear();

    assert_eq!(universe.tree.stop_all(LIMIT).await, []);
    let log = script.log();
    assert_eq!(log, ["stopped l3", "stopped l2", "stopped l1", "stopped m", "stopped u"]);
    assert!(upper.is_closed() && middle.is_closed() && lower.iter().all(|inbox| inbox.is_closed()));
    assert!(universe.tree.snapshot().iter().all(|row| row.state == KindState::Idle && row.restarts == 0));
    universe.finish().await;
}

#[actix::test]
async fn what_waits_in_the_inbox_is_handled_before_the_stop() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let (first, second) = (inbox.clone(), inbox.clone());
    let (cause, patience) = (Cause::own(), LIMIT);
    let asked = futures_util::future::join(first.ask(Add(1), &cause, patience), async {
        let answer = second.ask(Add(1), &cause, patience);
        inbox.child().stop();
        answer.await
    });
    assert_eq!(asked.await, (Ok(1), Ok(2)));
    inbox.child().ended().await;
    assert!(inbox.child().has_ended() && inbox.is_closed());
    universe.finish().await;
}

#[actix::test]
async fn a_panic_on_the_way_out_neither_aborts_nor_restarts() {
    pause();
    for policy in [RestartPolicy::Permanent, RestartPolicy::Transient, RestartPolicy::Never] {
        let universe = Universe::new(vec![row("lower", None, policy)]);
        let script = Arc::new(Script::default());
        script.panics_in_stopped.store(1, Relaxed);
        let inbox = universe.tree.start("a", Lower::new("a", &script), None);
        add(&inbox, 1).await;
        inbox.child().stop();
        inbox.child().ended().await;
        sleep(LIMIT).await;
        assert_eq!(script.log(), ["started a", "stopped a"], "{policy:?}");
        let lower = universe.row("lower");
        assert_eq!((lower.restarts, lower.given_up), (0, 0), "{policy:?}");
        assert_eq!(lower.last_failure.unwrap().phase, FailurePhase::Stopping, "{policy:?}");
        universe.finish().await;
    }
}

#[actix::test]
async fn a_panic_after_the_last_inbox_was_dropped_does_not_restart() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    script.panics_in_stopped.store(1, Relaxed);
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    add(&inbox, 1).await;
    drop(inbox);
    sleep(LIMIT).await;
    assert_eq!(script.log(), ["started a", "stopped a"]);
    assert_eq!(universe.row("lower").last_failure.unwrap().phase, FailurePhase::Stopping);
    universe.finish().await;
}

#[actix::test]
async fn a_crash_of_a_child_that_was_told_to_stop_is_its_end() {
    pause();
    let mut table = table();
    table[2].intensity.restarts_max = 0;
    let universe = Universe::new(table);
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    tell(&inbox, Do::Panic);
    inbox.child().stop();
    inbox.child().ended().await;
    let lower = universe.row("lower");
    assert_eq!((lower.restarts, lower.given_up, lower.state), (0, 0, KindState::Idle));
    assert_eq!(lower.last_failure.unwrap().phase, FailurePhase::Handler);
    assert_eq!(universe.root_failures(), []);
    universe.finish().await;
}

#[actix::test]
async fn a_child_in_its_back_off_ends_without_being_started() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    tell(&inbox, Do::Panic);
    while universe.row("lower").state != KindState::Restarting {
        actix_rt::task::yield_now().await;
    }
    let began = Instant::now();
    inbox.child().stop();
    inbox.child().ended().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(script.log(), ["started a"]);
    assert_eq!(universe.row("lower").state, KindState::Idle);
    universe.finish().await;
}

#[actix::test]
async fn a_child_that_will_not_stop_is_cut_off_after_the_limit() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    script.refusals_to_stop.store(u32::MAX, Relaxed);
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    add(&inbox, 1).await;
    let began = Instant::now();
    assert_eq!(universe.tree.stop_kind("lower", LIMIT).await, 0);
    assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    assert!(inbox.is_closed());
    assert_eq!(script.log(), ["started a"], "cut off, it has no last word");
    universe.finish().await;
}

#[actix::test]
async fn a_kind_that_was_stopped_starts_no_more_children() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    assert_eq!(universe.tree.stop_kind("lower", LIMIT).await, 0);
    let late = universe.tree.start("a", Lower::new("a", &script), None);
    assert!(late.is_closed() && late.child().has_ended());
    let middle = universe.tree.start("m", Middle::new("m", &script), None);
    assert_eq!(add(&middle, 1).await, 1, "other kinds do");
    assert_eq!(script.log(), ["started m"]);
    universe.finish().await;
}

#[actix::test]
#[should_panic(expected = "actors leaked: [(\"lower\", 1)]")]
async fn a_leaked_actor_fails_its_test() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    add(&inbox, 1).await;
    drop(universe);
}

#[test]
fn the_end_of_the_runtime_ends_a_child_without_its_last_word() {
    let script = Arc::new(Script::default());
    let (universe, inbox) = actix_rt::System::new().block_on(async {
        let universe = Universe::new(table());
        let inbox = universe.tree.start("a", Lower::new("a", &script), None);
        add(&inbox, 1).await;
        (universe, inbox)
    });
    assert!(inbox.is_closed() && inbox.child().has_ended());
    assert_eq!(script.log(), ["started a"]);
    assert_eq!(universe.tree.totals().actors, 0);
}

#[test]
#[should_panic(expected = "no row for kind \"lower\"")]
fn a_kind_without_a_row_is_a_mistake_of_the_code() {
    let universe = Universe::new(vec![row("upper", None, RestartPolicy::Permanent)]);
    universe.tree.start("a", Lower::new("a", &Arc::default()), None);
}
