//! The actor that the tests supervise: it counts, and fails the way it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseActFuture, Running};
use parking_lot::Mutex;

use crate::supervision::{
    Backoff, ChildSpec, Inbox, Intensity, OnGiveUp, Placement, Queued, Restart, RestartPolicy, WhenFull,
    supervised,
};
use crate::telemetry::Cause;

/// Longest wait for an answer, in virtual time.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const BACKOFF: Backoff = Backoff { min_ms: 100, max_ms: 1_000 };
pub(super) const INTENSITY: Intensity = Intensity { restarts_max: 3, window_ms: 10_000 };
pub(super) const QUEUE_BOUND: usize = 8;

/// How often the hooks are still to panic, and what they did. Shared by all lives of an actor.
#[derive(Default)]
pub(super) struct Script {
    pub(super) panics_in_started: AtomicU32,
    pub(super) panics_in_fresh: AtomicU32,
    pub(super) panics_in_stopped: AtomicU32,
    /// `stopping` answers "continue" while this is above 0.
    pub(super) refusals_to_stop: AtomicU32,
    pub(super) ticks: AtomicU32,
    pub(super) log: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    fn note(&self, what: &str, who: &str) {
        self.log.lock().push(format!("{what} {who}"));
    }
}

fn use_up(times: &AtomicU32) -> bool {
    times.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// Adds and answers the sum.
#[derive(Message)]
#[rtype(result = "u32")]
pub(super) struct Add(pub(super) u32);

/// Answers the name of the thread.
#[derive(Message)]
#[rtype(result = "String")]
pub(super) struct Thread;

/// Never answered.
#[derive(Message)]
#[rtype(result = "u32")]
pub(super) struct Hang;

#[derive(Message, Debug, Clone, Copy, PartialEq)]
#[rtype(result = "()")]
pub(super) enum Do {
    Panic,
    PanicInTimer,
    PanicInFuture,
    PanicInWait,
    Stop,
    StopAndPanicAfter,
    Tick,
    TickOnceMuchLater,
}

macro_rules! probes {
    ($($actor:ident = $kind:literal;)*) => {$(
        pub(super) struct $actor {
            pub(super) name: &'static str,
            pub(super) script: Arc<Script>,
            count: u32,
        }

        impl $actor {
            pub(super) fn new(name: &'static str, script: &Arc<Script>) -> Self {
                Self { name, script: script.clone(), count: 0 }
            }
        }

        impl Actor for $actor {
            type Context = Context<Self>;

            fn started(&mut self, _: &mut Context<Self>) {
                self.script.note("started", self.name);
                assert!(!use_up(&self.script.panics_in_started), "panic in started");
            }

            fn stopping(&mut self, _: &mut Context<Self>) -> Running {
                if use_up(&self.script.refusals_to_stop) { Running::Continue } else { Running::Stop }
            }

            fn stopped(&mut self, _: &mut Context<Self>) {
                self.script.note("stopped", self.name);
                assert!(!use_up(&self.script.panics_in_stopped), "panic in stopped");
            }
        }

        impl Restart for $actor {
            const KIND: &'static str = $kind;

            fn fresh(&self) -> Self {
                assert!(!use_up(&self.script.panics_in_fresh), "panic in fresh");
                Self::new(self.name, &self.script)
            }
        }

        supervised!($actor);

        impl Handler<Queued<Add>> for $actor {
            type Result = u32;

            fn handle(&mut self, Queued { msg, .. }: Queued<Add>, _: &mut Context<Self>) -> u32 {
                self.count += msg.0;
                self.count
            }
        }

        impl Handler<Queued<Thread>> for $actor {
            type Result = String;

            fn handle(&mut self, _: Queued<Thread>, _: &mut Context<Self>) -> String {
                format!("{:?}", std::thread::current().id())
            }
        }

        impl Handler<Queued<Hang>> for $actor {
            type Result = ResponseActFuture<Self, u32>;

            fn handle(&mut self, _: Queued<Hang>, _: &mut Context<Self>) -> ResponseActFuture<Self, u32> {
                Box::pin(actix::fut::wrap_future(std::future::pending()))
            }
        }

        impl Handler<Queued<Do>> for $actor {
            type Result = ();

            fn handle(&mut self, what: Queued<Do>, ctx: &mut Context<Self>) {
                self.act(what.msg, ctx);
            }
        }

        impl $actor {
            fn act(&mut self, what: Do, ctx: &mut Context<Self>) {
                let soon = Duration::from_millis(1);
                match what {
                    Do::Panic => panic!("panic in handler"),
                    Do::PanicInTimer => {
                        ctx.run_later(soon, |_, _| panic!("panic in timer"));
                    }
                    Do::PanicInFuture => {
                        ctx.spawn(actix::fut::wrap_future(async { panic!("panic in future") }));
                    }
                    Do::PanicInWait => ctx.wait(actix::fut::wrap_future(async { panic!("panic in wait") })),
                    Do::Stop => ctx.stop(),
                    Do::StopAndPanicAfter => {
                        self.script.panics_in_stopped.store(1, Relaxed);
                        ctx.stop();
                    }
                    Do::Tick => {
                        ctx.run_interval(soon, |actor, _| {
                            actor.script.ticks.fetch_add(1, Relaxed);
                        });
                    }
                    Do::TickOnceMuchLater => {
                        ctx.run_later(Duration::from_secs(30), |actor, _| {
                            actor.script.ticks.fetch_add(1, Relaxed);
                        });
                    }
                }
            }
        }
    )*};
}

probes! {
    Upper = "upper";
    Middle = "middle";
    Lower = "lower";
}

/// A row with the numbers above.
pub(super) fn row(kind: &'static str, parent: Option<&'static str>, policy: RestartPolicy) -> ChildSpec {
    ChildSpec {
        kind,
        parent,
        group: "test",
        policy,
        intensity: INTENSITY,
        backoff: BACKOFF,
        on_give_up: OnGiveUp::Escalate,
        placement: Placement::Caller,
        queue_bound: QUEUE_BOUND,
        when_full: WhenFull::Refuse,
        purpose: "a probe",
    }
}

/// `upper` over `middle` over `lower`, all transient.
pub(super) fn table() -> Vec<ChildSpec> {
    use RestartPolicy::Transient;
    vec![
        row("upper", None, Transient),
        row("middle", Some("upper"), Transient),
        row("lower", Some("middle"), Transient),
    ]
}

/// Sends without wanting an answer.
pub(super) fn tell<A>(inbox: &Inbox<A>, what: Do)
where
    A: Actor<Context = Context<A>> + Handler<Queued<Do>>,
{
    inbox.try_send(what, &Cause::own()).unwrap();
}

/// Adds and gives the answer.
pub(super) async fn add<A>(inbox: &Inbox<A>, amount: u32) -> u32
where
    A: Actor<Context = Context<A>> + Handler<Queued<Add>>,
{
    inbox.ask(Add(amount), &Cause::own(), PATIENCE).await.unwrap()
}
