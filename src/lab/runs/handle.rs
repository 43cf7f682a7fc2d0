//! What other modules see of load tests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::actor::{Drain, RunsActor, Start, Stop};
use super::limits::Limits;
use super::plan::NewRun;
use super::run::{RunId, Status, StoredRun};
use super::{RunError, plan};
use crate::auth::Auth;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::LabSection;
use crate::node::Fleet;
use crate::store::Store;
use crate::supervision::{AskError, Inbox, Tree};
use crate::telemetry::Cause;

/// How long the actor may take to answer, in milliseconds; it waits for a commit.
const ANSWER_MS_MAX: u64 = 10_000;

/// How long a drain waits for the end of the run, in milliseconds.
const DRAIN_MS_MAX: u64 = 2_000;

/// What load tests are made of.
pub struct LoadTestsArgs {
    /// Starts the actor.
    pub tree: Tree,
    /// Keeps runs.
    pub store: Store,
    /// Publishes how they go.
    pub broker: Broker,
    /// Forgets their nodes.
    pub fleet: Fleet,
    /// Signs their tokens.
    pub auth: Arc<Auth>,
    /// Bounds.
    pub settings: LabSection,
    /// The same beside those of the hub.
    pub limits: Limits,
    /// Where the hub listens.
    pub address: SocketAddr,
    /// The program whose sub-command `loadtest` is the load.
    pub program: PathBuf,
    /// Time.
    pub clock: Clock,
}

/// Load tests. Cheap to clone.
#[derive(Clone)]
pub struct LoadTests(Arc<Shared>);

/// What outlives a crash of the actor.
pub(super) struct Shared {
    pub(super) args: LoadTestsArgs,
    /// The run that is under way, as it would be kept if it ended now.
    pub(super) standing: Mutex<Option<Standing>>,
    /// Whether there is none.
    pub(super) idle: watch::Sender<bool>,
    /// Starters of runs that have no answer yet.
    unanswered: watch::Sender<usize>,
    /// The hub stops: no more runs.
    pub(super) closing: AtomicBool,
    inbox: OnceLock<Inbox<RunsActor>>,
}

pub(super) struct Standing {
    pub(super) run: StoredRun,
    /// Gets the run when it is over.
    pub(super) waiter: oneshot::Sender<StoredRun>,
}

/// A run that was started.
#[derive(Debug)]
pub struct Started {
    /// As it began.
    pub run: StoredRun,
    over: oneshot::Receiver<StoredRun>,
    _unanswered: Unanswered,
}

/// Counts, while it is held, somebody who may still want an answer.
#[derive(Debug)]
struct Unanswered(watch::Sender<usize>);

impl Unanswered {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|unanswered| *unanswered += 1);
        Self(count.clone())
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.send_modify(|unanswered| *unanswered -= 1);
    }
}

impl Started {
    /// The run when it is over; whoever does not wait any more does not change it.
    pub async fn over(self) -> Result<StoredRun, RunError> {
        self.over.await.map_err(|_dropped| RunError::Failed)
    }
}

impl LoadTests {
    /// Without an actor, which [`LoadTests::start_actor`] starts.
    pub fn new(args: LoadTestsArgs) -> Self {
        let (idle, _) = watch::channel(true);
        Self(Arc::new(Shared {
            args,
            standing: Mutex::default(),
            idle,
            unanswered: watch::Sender::new(0),
            closing: AtomicBool::new(false),
            inbox: OnceLock::new(),
        }))
    }

    /// Starts the actor, once.
    pub fn start_actor(&self) {
        let shared = self.0.clone();
        // Nobody will answer who waits; the next start of the hub marks the run.
        let on_give_up = Box::new(move || {
            shared.standing.lock().take();
            shared.idle.send_replace(true);
        });
        let start = || self.0.args.tree.start("lab_runs", RunsActor::new(self.0.clone()), Some(on_give_up));
        self.0.inbox.get_or_init(start);
    }

    /// Marks runs of a former life of the hub as failed; for its start.
    pub async fn recall(&self) -> Result<(), RunError> {
        let args = &self.0.args;
        let failed =
            args.store.fail_load_tests("the hub ended before the run did", args.clock.unix_ms()).await?;
        if failed > 0 {
            tracing::warn!(failed, "load tests were under way when the hub ended");
        }
        Ok(())
    }

    /// How much load may be asked for.
    pub fn limits(&self) -> &Limits {
        &self.0.args.limits
    }

    /// Starts a run. Ready when the store has that it begins.
    pub async fn start(&self, new: NewRun, subject: &str, cause: &Cause) -> Result<Started, RunError> {
        plan::target(self.0.args.address)?;
        let waits = Unanswered::new(&self.0.unanswered);
        let (waiter, over) = oneshot::channel();
        let start = Start { new, subject: subject.to_owned(), waiter };
        let run = self.inbox()?.ask(start, cause, Duration::from_millis(ANSWER_MS_MAX)).await;
        Ok(Started { run: run.map_err(unanswered)??, over, _unanswered: waits })
    }

    /// Ends a run before its time; it is over soon after.
    pub async fn stop(&self, id: RunId, cause: &Cause) -> Result<(), RunError> {
        let stopped = self.inbox()?.ask(Stop { id }, cause, Duration::from_millis(ANSWER_MS_MAX)).await;
        if stopped.map_err(unanswered)? {
            return Ok(());
        }
        self.one(id).await?;
        Err(RunError::Over { id })
    }

    /// A run: as it stands while it is under way, else as it is kept.
    pub async fn one(&self, id: RunId) -> Result<StoredRun, RunError> {
        let standing = self.0.standing.lock().as_ref().map(|standing| standing.run.clone());
        if let Some(run) = standing.filter(|run| run.id == id && run.status == Status::Running) {
            return Ok(run);
        }
        let record = self.0.args.store.load_test(&id.to_string()).await?;
        StoredRun::kept(record.ok_or(RunError::Unknown { id })?)
    }

    /// Runs without their detail, the newest first, at most `limit`, those before `before` when it is given.
    pub async fn page(&self, before: Option<&str>, limit: usize) -> Result<Vec<StoredRun>, RunError> {
        let records = self.0.args.store.load_tests(before, limit).await?;
        records.into_iter().map(StoredRun::kept).collect()
    }

    /// Ends the run under way, and lets no other begin. Waits for its end and for the answer about it, for a time.
    pub async fn drain(&self) {
        self.0.closing.store(true, Ordering::Release);
        let mut idle = self.0.idle.subscribe();
        let is_idle = *idle.borrow_and_update();
        if let Ok(inbox) = self.inbox()
            && !is_idle
        {
            // Full or crashed: the process ends with its actor at the latest.
            drop(inbox.try_send(Drain, &Cause::own()));
        }
        let over = async {
            drop(idle.wait_for(|is_idle| *is_idle).await);
            // Answers are written before the workers end.
            drop(self.0.unanswered.subscribe().wait_for(|unanswered| *unanswered == 0).await);
        };
        if tokio::time::timeout(Duration::from_millis(DRAIN_MS_MAX), over).await.is_err() {
            tracing::warn!("the load test under way did not end in time");
        }
    }

    fn inbox(&self) -> Result<&Inbox<RunsActor>, RunError> {
        self.0.inbox.get().ok_or(RunError::Overloaded)
    }
}

fn unanswered(error: AskError) -> RunError {
    match error {
        AskError::Full | AskError::Timeout => RunError::Overloaded,
        AskError::Closed => RunError::Failed,
    }
}
