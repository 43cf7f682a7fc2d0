//! Fault points: any actor panics on request, at each phase, from outside and without knowing its type.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{pause, sleep};

use super::probe::{Add, INTENSITY, Lower, Script, add, table};
use crate::supervision::fault::{Phase, Trip};
use crate::supervision::universe::Universe;
use crate::supervision::{FailurePhase, Inbox};
use crate::telemetry::Cause;

const PHASES: [(Phase, FailurePhase); 4] = [
    (Phase::Handler, FailurePhase::Handler),
    (Phase::Timer, FailurePhase::Timer),
    (Phase::Started, FailurePhase::Started),
    (Phase::Restarting, FailurePhase::Restarting),
];

/// Phases that only come with a (re)start are brought about by an order.
async fn set_off(phase: Phase, inbox: &Inbox<Lower>) {
    if matches!(phase, Phase::Started | Phase::Restarting) {
        inbox.child().restart("so that the fault point is reached");
    }
    sleep(Duration::from_millis(3)).await;
}

#[actix::test]
async fn each_fault_point_crashes_the_child_it_names_once_and_only_that() {
    pause();
    for (phase, told) in PHASES {
        let universe = Universe::new(table());
        let hit = universe.tree.start("node-1", Lower::new("node-1", &Arc::default()), None);
        let other = universe.tree.start("node-2", Lower::new("node-2", &Arc::default()), None);
        assert_eq!((add(&hit, 5).await, add(&other, 5).await), (5, 5));
        universe.tree.arm("lower", "node-1", phase, 1);
        set_off(phase, &hit).await;
        universe.settle().await;
        assert_eq!((add(&hit, 1).await, add(&other, 1).await), (1, 6), "{phase:?}");
        let failure = universe.row("lower").last_failure.unwrap();
        assert_eq!((failure.phase, &*failure.instance), (told, "node-1"));
        assert!(failure.reason.starts_with("fault point: "), "{}", failure.reason);
        assert_eq!(universe.tree.disarm(), 0);
        universe.finish().await;
    }
}

#[actix::test]
async fn a_fault_that_repeats_brings_the_child_over_its_intensity() {
    pause();
    for (phase, _) in PHASES {
        let universe = Universe::new(table());
        let inbox = universe.tree.start("node-1", Lower::new("node-1", &Arc::default()), None);
        add(&inbox, 5).await;
        universe.tree.arm("lower", "node-*", phase, INTENSITY.restarts_max + 1);
        set_off(phase, &inbox).await;
        sleep(Duration::from_secs(5)).await;
        assert!(inbox.is_closed(), "{phase:?}");
        assert_eq!(universe.row("lower").given_up, 1, "{phase:?}");
        universe.finish().await;
    }
}

#[actix::test]
async fn a_trip_message_queues_like_any_other_and_what_waits_behind_it_is_answered() {
    pause();
    let universe = Universe::new(table());
    let script = Arc::new(Script::default());
    let inbox = universe.tree.start("a", Lower::new("a", &script), None);
    add(&inbox, 5).await;
    inbox.try_send(Trip::Handler, &Cause::own()).unwrap();
    assert_eq!(tokio::join!(add(&inbox, 1), add(&inbox, 1)), (1, 2));
    assert_eq!(universe.row("lower").mailbox_depth, 0);
    assert_eq!(script.log(), ["started a", "started a"]);
    universe.finish().await;
}

#[actix::test]
async fn a_fault_for_another_name_stays_armed() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("node-1", Lower::new("node-1", &Arc::default()), None);
    universe.tree.arm("lower", "node-2", Phase::Handler, 2);
    universe.tree.arm("lower", "edge-*", Phase::Handler, 1);
    assert_eq!((add(&inbox, 5).await, add(&inbox, 1).await), (5, 6));
    assert_eq!(universe.tree.disarm(), 3);
    assert_eq!(universe.row("lower").last_failure, None);
    universe.finish().await;
}

#[actix::test]
async fn a_child_that_hangs_keeps_what_it_was_sent_and_can_be_stopped() {
    pause();
    let universe = Universe::new(table());
    let hung = universe.tree.start("node-1", Lower::new("node-1", &Arc::default()), None);
    let other = universe.tree.start("node-2", Lower::new("node-2", &Arc::default()), None);
    add(&hung, 5).await;
    universe.tree.hang("lower", "node-1");
    hung.try_send(Add(1), &Cause::own()).unwrap();
    assert_eq!(add(&other, 5).await, 5);
    assert_eq!(universe.row("lower").mailbox_depth, 1, "it has not been handled");
    universe.tree.release();
    assert_eq!(add(&hung, 1).await, 7);
    universe.tree.hang("lower", "*");
    universe.finish().await;
}
