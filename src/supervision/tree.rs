//! The supervision tree: starts children on their places, stops them in reverse order, tells how they do.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix::dev::channel;
use tokio::time::{Instant, timeout};

use super::child::Restart;
use super::inbox::{Inbox, WeakInbox};
use super::kind::{Kind, Place, Root};
use super::placement::{Arbiters, Places};
use super::snapshot::{KindSnapshot, Totals};
use super::spec::{ChildSpec, RestartPolicy, check_table};
use super::supervisor::{Seed, Supervisor};
use crate::fault::Faults;

/// How long a child that was cut off may take to notice.
const CUT_GRACE: Duration = Duration::from_millis(250);

/// A child was given up and nothing above it could be restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFailure {
    /// The kind that was given up.
    pub kind: &'static str,
    /// The child.
    pub instance: Arc<str>,
    /// Its last failure.
    pub reason: String,
}

/// The tree. Cheap to clone.
#[derive(Clone)]
pub struct Tree(Arc<Inner>);

struct Inner {
    /// In the order of the table: parents before children.
    kinds: Vec<Arc<Kind>>,
    arbiters: Arbiters,
}

impl Tree {
    /// A tree without children. `wall_now_ms` is milliseconds since 1970, for `last_failure.at`;
    /// `on_root_failure` runs on the arbiter of the child that was given up. With `faults` its children can be made
    /// to fail on purpose; without, fault points cost a load and a comparison each poll.
    ///
    /// # Panics
    /// When the table is wrong ([`check_table`]). It is code, so the first start finds that.
    pub fn new(
        specs: Vec<ChildSpec>,
        places: Places,
        wall_now_ms: fn() -> u64,
        on_root_failure: Arc<dyn Fn(RootFailure) + Send + Sync>,
        faults: Option<&Arc<Faults>>,
    ) -> Self {
        if let Err(error) = check_table(&specs) {
            panic!("supervision table: {error}");
        }
        let root = Arc::new(Root { wall_now_ms, on_root_failure, epoch: Instant::now() });
        let mut kinds: Vec<Arc<Kind>> = Vec::with_capacity(specs.len());
        for spec in specs {
            let parent = kinds.iter().find(|kind| Some(kind.spec.kind) == spec.parent).cloned();
            kinds.push(Arc::new(Kind::new(spec, parent, root.clone(), faults.cloned())));
        }
        Self(Arc::new(Inner { kinds, arbiters: Arbiters::new(places) }))
    }

    /// Starts a child on the place of its row. Returns at once; what is sent before it runs waits for it.
    ///
    /// `on_give_up` runs once, on the child's arbiter, if the child ends by a crash: given up, or with a policy
    /// that does not restart it. When its kind is being stopped the child is not started and the inbox is closed.
    ///
    /// # Panics
    /// When the table has no row for the kind, or outside an actix `System`.
    pub fn start<A: Restart + Send>(
        &self,
        instance: impl Into<Arc<str>>,
        actor: A,
        on_give_up: Option<Box<dyn FnOnce() + Send>>,
    ) -> Inbox<A> {
        self.start_with(instance, |_| actor, on_give_up)
    }

    /// As [`Tree::start`], for an actor that has to know its own inbox.
    ///
    /// # Panics
    /// As [`Tree::start`].
    pub fn start_with<A: Restart + Send>(
        &self,
        instance: impl Into<Arc<str>>,
        make: impl FnOnce(WeakInbox<A>) -> A,
        on_give_up: Option<Box<dyn FnOnce() + Send>>,
    ) -> Inbox<A> {
        let kind = self.kind(A::KIND);
        let (inbox, seed) = sow(kind, instance.into());
        let Some(seed) = seed else { return inbox };
        let actor = make(inbox.downgrade());
        let Some(arbiter) = self.0.arbiters.find(kind.spec.placement) else {
            spawn(seed, actor, on_give_up.map(|tell| tell as Box<dyn FnOnce()>));
            return inbox;
        };
        let started =
            arbiter.spawn_fn(move || spawn(seed, actor, on_give_up.map(|tell| tell as Box<dyn FnOnce()>)));
        if !started {
            tracing::error!(kind = A::KIND, "arbiter is gone, child not started");
        }
        inbox
    }

    /// Starts a child on the caller's arbiter, whatever its row says. The actor need not be `Send`.
    ///
    /// # Panics
    /// As [`Tree::start`].
    pub fn start_here<A: Restart>(
        &self,
        instance: impl Into<Arc<str>>,
        actor: A,
        on_give_up: Option<Box<dyn FnOnce()>>,
    ) -> Inbox<A> {
        self.start_here_with(instance, |_| actor, on_give_up)
    }

    /// As [`Tree::start_here`], for an actor that has to know its own inbox.
    ///
    /// # Panics
    /// As [`Tree::start`].
    pub fn start_here_with<A: Restart>(
        &self,
        instance: impl Into<Arc<str>>,
        make: impl FnOnce(WeakInbox<A>) -> A,
        on_give_up: Option<Box<dyn FnOnce()>>,
    ) -> Inbox<A> {
        let (inbox, seed) = sow(self.kind(A::KIND), instance.into());
        if let Some(seed) = seed {
            spawn(seed, make(inbox.downgrade()), on_give_up);
        }
        inbox
    }

    /// Stops all children of a kind, the newest first, and waits for their ends: `limit` for those that end in
    /// good order, then the rest is cut off. No child of the kind starts any more. Returns how many could
    /// not be ended, because they block their arbiter.
    pub async fn stop_kind(&self, kind: &str, limit: Duration) -> usize {
        match self.0.kinds.iter().find(|candidate| candidate.spec.kind == kind) {
            Some(kind) => stop(kind, limit).await,
            None => 0,
        }
    }

    /// Stops everything up the table, children before their parents, each kind as [`Tree::stop_kind`], then the
    /// named arbiters. Call it from an arbiter that is not one of them. Returns the kinds with children
    /// that could not be ended, with their number.
    pub async fn stop_all(&self, limit: Duration) -> Vec<(&'static str, usize)> {
        let mut left = Vec::new();
        for kind in self.0.kinds.iter().rev() {
            let stuck = stop(kind, limit).await;
            if stuck > 0 {
                left.push((kind.spec.kind, stuck));
            }
        }
        // A thread with a stuck child could not be joined.
        if left.is_empty() {
            self.0.arbiters.join().await;
        }
        left
    }

    /// All rows as they stand, in the order of the table.
    pub fn snapshot(&self) -> Vec<KindSnapshot> {
        self.0.kinds.iter().map(|kind| kind.snapshot()).collect()
    }

    /// How often actors of this kind were started again.
    pub fn restarts(&self, kind: &str) -> u64 {
        self.kind(kind).restarts()
    }

    /// Sums over all rows.
    pub fn totals(&self) -> Totals {
        self.snapshot().iter().fold(Totals::default(), |sum, row| Totals {
            actors: sum.actors + row.instances,
            restarts: sum.restarts + row.restarts,
            given_up: sum.given_up + row.given_up,
            refused: sum.refused + row.refused,
            mailbox_depth: sum.mailbox_depth + row.mailbox_depth,
        })
    }

    pub(super) fn kinds(&self) -> &[Arc<Kind>] {
        &self.0.kinds
    }

    pub(super) fn kind(&self, name: &str) -> &Arc<Kind> {
        match self.0.kinds.iter().find(|kind| kind.spec.kind == name) {
            Some(kind) => kind,
            None => panic!("the supervision table has no row for kind {name:?}"),
        }
    }
}

/// Makes the address and the place of a child. Without a place its inbox is closed.
fn sow<A: Restart>(kind: &Arc<Kind>, instance: Arc<str>) -> (Inbox<A>, Option<Seed<A>>) {
    // 0: the mailbox itself has no bound, the inbox has.
    let (sender, receiver) = channel::channel(0);
    let (place, core) = Place::take(kind, instance);
    let inbox = Inbox::new(Addr::new(sender), core);
    let own = (kind.spec.policy == RestartPolicy::Permanent).then(|| inbox.clone());
    (inbox, place.map(|place| Seed { receiver, place, own }))
}

fn spawn<A: Restart>(seed: Seed<A>, actor: A, on_give_up: Option<Box<dyn FnOnce()>>) {
    drop(actix_rt::spawn(Supervisor::new(seed, actor, on_give_up)));
}

async fn stop(kind: &Kind, limit: Duration) -> usize {
    kind.close();
    let children = kind.newest_first();
    for child in &children {
        child.order_stop();
    }
    if timeout(limit, kind.until(|| kind.len() == 0)).await.is_err() {
        tracing::warn!(kind = kind.spec.kind, left = kind.len(), "children did not stop in time, cut off");
        for child in &children {
            child.order_cut();
        }
        timeout(CUT_GRACE, kind.until(|| kind.len() == 0)).await.ok();
    }
    kind.len()
}
