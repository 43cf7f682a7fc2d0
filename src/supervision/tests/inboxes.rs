//! The bound of an inbox is exact, and every place that was taken is given back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, pause, sleep};

use super::probe::{Add, Do, Hang, Lower, PATIENCE, QUEUE_BOUND, Upper, add, table, tell};
use crate::supervision::universe::Universe;
use crate::supervision::{AskError, Inbox, Queued, Recipient, Refused};
use crate::telemetry::Cause;

fn own() -> Cause {
    Cause::own()
}

#[actix::test]
async fn the_bound_is_exact_however_many_clones_send() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let clones = vec![inbox.clone(); 1_000];
    let taken = clones.iter().filter(|clone| clone.try_send(Add(1), &own()).is_ok()).count();
    assert_eq!(taken, QUEUE_BOUND);
    assert_eq!(universe.row("lower").refused, 1_000 - QUEUE_BOUND as u64);
    assert_eq!(universe.row("lower").mailbox_depth, QUEUE_BOUND);
    assert!(matches!(inbox.try_send(Add(7), &own()), Err(Refused::Full(Add(7)))));
    assert_eq!(inbox.ask(Add(1), &own(), PATIENCE).await, Err(AskError::Full), "asking is bounded as well");

    actix_rt::task::yield_now().await;
    assert_eq!(universe.row("lower").mailbox_depth, 0);
    assert_eq!(add(&inbox, 0).await, QUEUE_BOUND as u32);
    universe.finish().await;
}

#[actix::test]
async fn the_bound_is_exact_across_threads() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let inbox = inbox.clone();
            let send = move || (0..5_000).filter(|_| inbox.try_send(Add(1), &own()).is_ok()).count();
            std::thread::spawn(send)
        })
        .collect();
    // Nothing is handled meanwhile: this thread is the actor's.
    let taken: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(taken, QUEUE_BOUND);
    assert_eq!(add_after(&inbox).await, QUEUE_BOUND as u32);
    universe.finish().await;
}

async fn add_after(inbox: &Inbox<Lower>) -> u32 {
    actix_rt::task::yield_now().await;
    add(inbox, 0).await
}

#[actix::test]
async fn every_place_is_given_back_after_a_crash_and_after_the_end() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    tell(&inbox, Do::Panic);
    for _ in 1..QUEUE_BOUND {
        inbox.try_send(Add(1), &own()).unwrap();
    }
    universe.settle().await;
    assert_eq!(universe.row("lower").mailbox_depth, 0);
    assert_eq!(add(&inbox, 0).await, QUEUE_BOUND as u32 - 1, "the crash cost one message only");

    tell(&inbox, Do::Stop);
    inbox.try_send(Add(1), &own()).unwrap();
    assert_eq!(universe.row("lower").mailbox_depth, 2);
    sleep(Duration::from_millis(1)).await;
    assert!(inbox.is_closed());
    assert_eq!(universe.row("lower").mailbox_depth, 0, "what still waited is dropped with the actor");
    universe.finish().await;
}

#[actix::test]
async fn questions_end_by_answer_timeout_or_close() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let began = Instant::now();
    let second = Duration::from_secs(1);
    assert_eq!(inbox.ask(Hang, &own(), second).await, Err(AskError::Timeout));
    assert!(began.elapsed() <= second + Duration::from_millis(1), "{:?}", began.elapsed());
    assert_eq!(inbox.ask(Add(3), &own(), second).await, Ok(3));
    tell(&inbox, Do::Stop);
    assert_eq!(inbox.ask(Add(3), &own(), second).await, Err(AskError::Closed));
    assert_eq!(inbox.ask(Add(3), &own(), second).await, Err(AskError::Closed));
    assert_eq!(universe.row("lower").refused, 0);
    universe.finish().await;
}

#[actix::test]
async fn a_question_nobody_waits_for_is_skipped() {
    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    add(&inbox, 0).await;
    let cause = own();
    let mut asked = Box::pin(inbox.ask(Add(100), &cause, PATIENCE));
    assert!((&mut asked).now_or_never().is_none(), "the question waits in the inbox");
    drop(asked);
    assert_eq!(add(&inbox, 1).await, 1);
    universe.finish().await;
}

#[actix::test]
async fn a_recipient_is_the_same_inbox_without_the_actors_type() {
    pause();
    let universe = Universe::new(table());
    let lower = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let upper = universe.tree.start("a", Upper::new("a", &Arc::default()), None);
    let recipients: Vec<Recipient<Add>> = vec![lower.recipient(), upper.recipient()];
    for recipient in &recipients {
        for _ in 0..QUEUE_BOUND {
            recipient.try_send(Add(1), &own()).unwrap();
        }
        assert!(matches!(recipient.try_send(Add(7), &own()), Err(Refused::Full(Add(7)))));
    }
    assert!(recipients[0].same_as(&lower.recipient()) && !recipients[0].same_as(&recipients[1]));
    actix_rt::task::yield_now().await;
    assert_eq!(add(&lower, 0).await, QUEUE_BOUND as u32);

    drop((lower, upper));
    sleep(Duration::from_millis(1)).await;
    assert!(!recipients[0].is_closed(), "a recipient keeps its child alive like any inbox");
    drop(recipients);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(universe.tree.totals().actors, 0);
    universe.finish().await;
}

#[actix::test]
async fn an_actor_gets_its_own_inbox_without_keeping_itself_alive() {
    pause();
    let universe = Universe::new(table());
    let mut own_inbox = None;
    let make = |weak| {
        own_inbox = Some(weak);
        Lower::new("a", &Arc::default())
    };
    let inbox = universe.tree.start_with("a", make, None);
    let other = universe.tree.start("b", Lower::new("b", &Arc::default()), None);
    let weak = own_inbox.unwrap();
    assert!(weak.upgrade().unwrap().same_as(&inbox) && !inbox.same_as(&other));
    drop(inbox);
    assert!(weak.upgrade().is_none());
    sleep(Duration::from_millis(1)).await;
    assert_eq!(universe.row("lower").instances, 1);
    drop(other);
    sleep(Duration::from_millis(1)).await;
    universe.finish().await;
}

#[actix::test]
async fn the_cause_travels_with_the_message() {
    use actix::{Actor, Context, Handler, Message};

    #[derive(Message)]
    #[rtype(result = "Option<String>")]
    struct WhoAsked;
    impl Handler<Queued<WhoAsked>> for Lower {
        type Result = Option<String>;
        fn handle(&mut self, asked: Queued<WhoAsked>, _: &mut <Self as Actor>::Context) -> Option<String> {
            asked.cause.id().map(str::to_owned)
        }
    }

    pause();
    let universe = Universe::new(table());
    let inbox = universe.tree.start("a", Lower::new("a", &Arc::default()), None);
    let cause = Cause::from_outside("req-7").unwrap();
    assert_eq!(inbox.ask(WhoAsked, &cause, PATIENCE).await, Ok(Some("req-7".into())));
    universe.finish().await;

    /// Inboxes cross threads even when the actor cannot.
    const fn crosses_threads<T: Send + Sync + Clone>() {}
    struct Local(#[expect(dead_code, reason = "only its type matters")] Rc<()>);
    impl Actor for Local {
        type Context = Context<Self>;
    }
    crosses_threads::<Inbox<Local>>();
}
