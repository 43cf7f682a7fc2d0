//! A crash costs the actor its state and nobody else anything.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, pause, sleep};

use super::probe::{BACKOFF, Do, Hang, Lower, PATIENCE, Script, add, row, table, tell};
use crate::supervision::universe::{Universe, WALL_NOW_MS};
use crate::supervision::{AskError, FailurePhase, KindState, RestartPolicy};
use crate::telemetry::Cause;

type Crash = (&'static str, fn(&Script), Do, FailurePhase, u64);

/// Every way to crash: how it is prepared, what sets it off, the phase that is told, the restarts it takes.
const CRASHES: &[Crash] = &[
    ("handler", |_| {}, Do::Panic, FailurePhase::Handler, 1),
    ("timer", |_| {}, Do::PanicInTimer, FailurePhase::Timer, 1),
    ("future", |_| {}, Do::PanicInFuture, FailurePhase::Timer, 1),
    ("wait", |_| {}, Do::PanicInWait, FailurePhase::Timer, 1),
    ("started", |s| s.panics_in_started.store(1, Relaxed), Do::Panic, FailurePhase::Started, 2),
    (
        "started after a timer",
        |s| s.panics_in_started.store(1, Relaxed),
        Do::PanicInTimer,
        FailurePhase::Started,
        2,
    ),
    ("started twice", |s| s.panics_in_started.store(2, Relaxed), Do::Panic, FailurePhase::Started, 3),
    ("restarting", |s| s.panics_in_fresh.store(1, Relaxed), Do::Panic, FailurePhase::Restarting, 1),
    ("restarting twice", |s| s.panics_in_fresh.store(2, Relaxed), Do::Panic, FailurePhase::Restarting, 1),
];

#[actix::test]
async fn every_crash_is_recovered_within_its_back_off_and_harms_no_sibling() {
    pause();
    for &(name, prepare, crash, phase, restarts) in CRASHES {
        let universe = Universe::new(table());
        let script = Arc::new(Script::default());
        let inbox = universe.tree.start("a", Lower::new("a", &script), None);
        let sibling = universe.tree.start("b", Lower::new("b", &Arc::default()), None);
        assert_eq!((add(&inbox, 5).await, add(&sibling, 7).await), (5, 7));

        prepare(&script);
        let began = Instant::now();
        tell(&inbox, crash);
        // Longer than the timer that panics, so that the question meets the fresh actor.
        sleep(Duration::from_millis(3)).await;
        assert_eq!(add(&inbox, 1).await, 1, "{name}: a fresh actor answers at the same address");
        let longest = Duration::from_millis(3 * BACKOFF.max_ms + 10);
        assert!(began.elapsed() <= longest, "{name}: took {:?}", began.elapsed());

        assert_eq!(add(&sibling, 1).await, 8, "{name}: the sibling kept its state");
        let lower = universe.row("lower");
        assert_eq!(
            (lower.restarts, lower.instances, lower.state),
            (restarts, 2, KindState::Running),
            "{name}"
        );
        let failure = lower.last_failure.unwrap();
        assert_eq!((&*failure.instance, failure.phase, failure.at), ("a", phase, WALL_NOW_MS), "{name}");
        assert!(failure.reason.starts_with("panic in "), "{name}: {}", failure.reason);
        assert_eq!(universe.root_failures(), []);
        universe.finish().await;
    }
}

#[actix::test]
async fn messages_behind_a_crash_are_answered_by_the_fresh_actor() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let before = add(&inbox, 5);
    let first = async {
        before.await;
        tell(&inbox, Do::Panic);
    };
    let behind = async {
        // Sent in the same turn as the crash, so they wait behind it.
        sleep(Duration::from_millis(1)).await;
        tell(&inbox, Do::Panic);
        tokio::join!(add(&inbox, 1), add(&inbox, 2))
    };
    let ((), sums) = tokio::join!(first, behind);
    assert_eq!(sums, (1, 3));
    assert_eq!(universe.row("lower").restarts, 2);
    universe.finish().await;
}

#[actix::test]
async fn an_answer_owed_by_the_crashed_actor_is_closed_at_once() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let began = Instant::now();
    let asked = inbox.clone();
    let pending = actix_rt::spawn(async move { asked.ask(Hang, &Cause::own(), PATIENCE).await });
    sleep(Duration::from_millis(1)).await;
    tell(&inbox, Do::Panic);
    assert_eq!(pending.await.unwrap(), Err(AskError::Closed));
    assert!(began.elapsed() < Duration::from_millis(5), "not only after the back-off");
    assert!(!inbox.is_closed());
    universe.finish().await;
}

#[actix::test]
async fn timers_end_with_the_life_that_set_them() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    tell(&inbox, Do::Tick);
    tell(&inbox, Do::TickOnceMuchLater);
    sleep(Duration::from_millis(100)).await;
    assert!(script.ticks.load(Relaxed) > 50);
    tell(&inbox, Do::Panic);
    universe.settle().await;
    let ticks = script.ticks.load(Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(script.ticks.load(Relaxed), ticks);
    universe.finish().await;
}

#[actix::test]
async fn a_child_in_its_back_off_is_shown_as_restarting() {
    pause();
    let mut table = table();
    table[2].backoff.min_ms = 1_000_000;
    table[2].backoff.max_ms = 1_000_000;
    let universe = Universe::new(table);
    let script = Arc::new(Script::default());
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    tell(&inbox, Do::Panic);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(universe.row("lower").state, KindState::Restarting);
    assert_eq!(universe.row("lower").restarts, 0);
    assert_eq!(script.log(), ["started a"], "it starts only after its back-off");
    universe.settle().await;
    assert_eq!(universe.row("lower").state, KindState::Running);
    assert_eq!(universe.row("lower").restarts, 1);
    assert_eq!(script.log(), ["started a", "started a"]);
    universe.finish().await;
}

#[actix::test]
async fn a_restart_that_was_ordered_is_immediate_and_counts_against_nothing() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let began = Instant::now();
    for times in 1..=10 {
        assert_eq!(add(&inbox, 5).await, 5);
        inbox.child().restart("a new configuration");
        inbox.child().restart("a second order before the first is seen");
        actix_rt::task::yield_now().await;
        assert_eq!(universe.row("lower").restarts, times);
    }
    assert!(began.elapsed() < Duration::from_millis(2));
    assert_eq!(universe.row("lower").last_failure, None);
    universe.finish().await;
}

#[actix::test]
async fn a_permanent_child_lives_on_without_anybody_elses_inbox() {
    pause();
    let universe = Universe::new(vec![row("lower", None, RestartPolicy::Permanent)]);
    let script = Arc::new(Script::default());
    drop(universe.tree.start("a", Lower::new("a", &script), None));
    script.panics_in_started.store(1, Relaxed);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(script.log(), ["started a", "started a"]);
    assert_eq!(universe.row("lower").instances, 1);
    universe.finish().await;
}
