//! Real threads: the table's placements, restarts on a named arbiter, and joining it.

use std::sync::Arc;
use std::time::Duration;

use super::probe::{Do, Lower, Middle, PATIENCE, Script, Thread, Upper, add, table, tell};
use crate::supervision::universe::Universe;
use crate::supervision::{Backoff, Placement};
use crate::telemetry::Cause;

#[actix::test]
async fn children_live_on_the_arbiter_of_their_row_and_recover_there() {
    let mut table = table();
    table[1].placement = Placement::Arbiter("shared");
    table[2].placement = Placement::Arbiter("shared");
    table[2].backoff = Backoff { min_ms: 1, max_ms: 1 };
    let universe = Universe::spread(table);
    let script = Arc::new(Script::default());
    let upper = universe.tree.start("u", Upper::new("u", &Arc::default()), None);
    let middle = universe.tree.start("m", Middle::new("m", &Arc::default()), None);
    let (told, mut give_up) = tokio::sync::oneshot::channel();
    let tell_us: Box<dyn FnOnce() + Send> = Box::new(move || told.send(std::thread::current().id()).unwrap());
    let lower = universe.tree.start("l", Lower::new("l", &script), Some(tell_us));
    let here = universe.tree.start_here("h", Lower::new("h", &Arc::default()), None);

    let own = Cause::own();
    let this_thread = format!("{:?}", std::thread::current().id());
    let thread_of_lower = lower.ask(Thread, &own, PATIENCE).await.unwrap();
    assert_eq!(upper.ask(Thread, &own, PATIENCE).await.unwrap(), this_thread);
    assert_eq!(here.ask(Thread, &own, PATIENCE).await.unwrap(), this_thread);
    assert_eq!(middle.ask(Thread, &own, PATIENCE).await.unwrap(), thread_of_lower);
    assert_ne!(thread_of_lower, this_thread);

    for restarts in 1..=3 {
        assert_eq!(add(&lower, 5).await, 5);
        tell(&lower, Do::Panic);
        assert_eq!(lower.ask(Thread, &own, PATIENCE).await.unwrap(), thread_of_lower);
        assert_eq!(universe.row("lower").restarts, restarts);
    }
    assert!(give_up.try_recv().is_err());
    tell(&lower, Do::Panic);
    assert_eq!(format!("{:?}", give_up.await.unwrap()), thread_of_lower);
    assert!(lower.is_closed());
    assert_eq!(script.log().len(), 4);
    drop(here);
    universe.finish().await;
    assert!(middle.is_closed() && upper.is_closed());
}

#[actix::test]
async fn a_child_that_blocks_its_thread_is_reported_and_not_waited_for() {
    use std::sync::mpsc::{Receiver, sync_channel};

    use actix::{Context, Handler, Message};

    use crate::supervision::Queued;

    /// Blocks the thread until the sender is dropped.
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Block(Receiver<()>);
    impl Handler<Queued<Block>> for Lower {
        type Result = ();
        fn handle(&mut self, block: Queued<Block>, _: &mut Context<Self>) {
            block.msg.0.recv().ok();
        }
    }
    let mut table = table();
    table[2].placement = Placement::Arbiter("blocked");
    let universe = Universe::spread(table);
    let lower = universe.tree.start("l", Lower::new("l", &Arc::default()), None);
    let (unblock, blocked) = sync_channel(0);
    lower.try_send(Block(blocked), &Cause::own()).unwrap();
    assert_eq!(universe.tree.stop_all(Duration::from_millis(20)).await, [("lower", 1)]);
    drop(unblock);
    lower.child().ended().await;
    universe.finish().await;
}
