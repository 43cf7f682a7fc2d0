//! Delivery against a naive model.
//!
//! A history is a list of things that happen: publishes, subscribers who come, go, go on where they were, read
//! slowly or not at all, topics that crash. The hub is real from the topics' mailboxes to the frames on the
//! wire; its sockets end in memory and its time moves by hand. The model is a list of all messages a topic.
//! Each client checks every frame as it reads it: offsets in order, nothing twice, nothing missing that was not
//! declared before, only what was asked for, what is critical first; when it is back, that its session knows where it
//! was; and at the end that nothing is missing that was not declared, to the message.

mod client;
mod ops;
mod pipe;
mod run;
mod session;
mod truth;
mod world;

use actix::{System, SystemRunner};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use ops::{From, Mix, Op, Step, history};
use run::Run;
use truth::Asks;
use world::World;

fn start(outbox_bytes_max: usize) -> (SystemRunner, World) {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap()
    };
    let system = System::with_tokio_rt(runtime);
    let world = system.block_on(World::start(outbox_bytes_max));
    (system, world)
}

/// Runs so many random histories of a mix on one hub; `MODEL_HISTORIES` in the environment asks for another number.
fn check(histories: u32, mix: Mix, outbox_bytes_max: usize, stored: bool) {
    let (system, world) = start(outbox_bytes_max);
    let asked = std::env::var("MODEL_HISTORIES").ok().map(|number| number.parse().unwrap());
    let cases = asked.unwrap_or(histories);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let checked = TestRunner::new(config).run(&history(mix), |steps| {
        let outcome = system.block_on(async { Run::new(&world, stored).await.all(&steps).await });
        outcome.map(drop).map_err(TestCaseError::fail)
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(reason, steps)) => {
            let steps: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
            panic!("{reason}, after\n{}", steps.join("\n"));
        }
    }
}

/// Does one history, on a hub of its own; how many losses were declared.
fn check_one(steps: &[Step], outbox_bytes_max: usize) -> u64 {
    let (system, world) = start(outbox_bytes_max);
    system.block_on(async { Run::new(&world, false).await.all(steps).await }).unwrap()
}

/// A client that has stopped reading: answers may push out what is low, which is declared like any other loss.
#[test]
fn what_an_answer_pushes_out_is_declared() {
    let publish =
        |topic, urgency, times| Op::Publish { topic, urgency, key: None, place: 0, bytes: 100, times };
    let mut history = vec![
        Op::Slow { client: 0, room: Some(100) },
        Op::Subscribe { client: 0, topics: vec![0, 1], from: From::Nowhere, asks: Asks::Nothing },
        publish(1, 0, 2),
        Op::Wait { ms: 1_200 },
        publish(0, 2, 5),
        Op::Wait { ms: 200 },
    ];
    history.extend((0..13).map(|_| Op::Ping { client: 0 }));
    let history: Vec<_> = history.into_iter().map(|op| Step { op, rush: false }).collect();
    assert_eq!(check_one(&history, 4_096), 2);
}

/// Of a client that has stopped reading what is low is dropped in the same write that brings something critical.
#[test]
fn a_critical_message_does_not_overtake_the_word_of_what_was_lost() {
    let publish = |urgency, times| Op::Publish { topic: 0, urgency, key: None, place: 0, bytes: 130, times };
    let history = [
        Op::Slow { client: 1, room: Some(100) },
        Op::Subscribe { client: 1, topics: vec![0], from: From::Nowhere, asks: Asks::Nothing },
        publish(0, 13),
        publish(3, 1),
    ];
    assert_eq!(check_one(&history.map(|op| Step { op, rush: false }), 4_096), 12);
}

/// A client that is cut while a part of what it missed is in its outbox and the rest still in its feed.
#[test]
fn who_is_cut_between_two_pages_of_what_it_missed_is_told_the_first_of_both() {
    let subscribe = |client, topics: &[usize], from| Op::Subscribe {
        client,
        topics: topics.to_vec(),
        from,
        asks: Asks::Nothing,
    };
    let publish = |topic, times| Op::Publish { topic, urgency: 0, key: None, place: 0, bytes: 0, times };
    let history = [
        (subscribe(0, &[0, 1, 2, 3], From::Nowhere), false),
        (subscribe(1, &[0, 1, 2, 3], From::Nowhere), false),
        (Op::Slow { client: 1, room: Some(508) }, false),
        (publish(1, 7), false),
        (subscribe(1, &[1], From::Own), true),
        (publish(0, 1), false),
        (publish(0, 1), false),
        (Op::Disconnect { client: 1, reads_rest: true }, false),
        (Op::Slow { client: 1, room: None }, false),
    ];
    assert_eq!(check_one(&history.map(|(op, rush)| Step { op, rush }), 4_096), 0);
}

/// Nobody is slow: nothing may be missing at all, and nobody is closed.
#[test]
fn quick_clients_get_every_message_once_whatever_happens() {
    check(8_000, Mix { options: 1, slow: 0, crash: 0, steps: 16 }, 1 << 20, false);
}

/// Little room in sockets and outboxes: every step of the ladder, and connections that are closed as slow.
#[test]
fn slow_clients_are_told_of_every_message_they_lose() {
    check(5_000, Mix { options: 0, slow: 8, crash: 0, steps: 22 }, 4_096, false);
}

/// The same with filters, rates and conflation.
#[test]
fn slow_clients_with_wishes_are_told_of_every_message_they_lose() {
    check(4_000, Mix { options: 2, slow: 8, crash: 0, steps: 22 }, 4_096, false);
}

/// Topics in memory crash and begin new epochs.
#[test]
fn crashes_lose_only_what_a_new_epoch_declares() {
    check(3_000, Mix { options: 3, slow: 3, crash: 3, steps: 18 }, 8_192, false);
}

/// Topics that are kept in the store crash, and go on where they were.
#[test]
fn topics_in_the_store_lose_nothing_in_a_crash() {
    check(500, Mix { options: 1, slow: 3, crash: 3, steps: 16 }, 8_192, true);
}
