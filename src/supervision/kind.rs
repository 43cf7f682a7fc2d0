//! What the tree knows of one kind: its row, its children, its counts, its last failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::child::Core;
use super::snapshot::{KindSnapshot, KindState, LastFailure};
use super::spec::{ChildSpec, OnGiveUp};
use super::tree::RootFailure;
use crate::fault::Faults;

/// What all kinds of a tree share.
pub(super) struct Root {
    pub(super) wall_now_ms: fn() -> u64,
    pub(super) on_root_failure: Arc<dyn Fn(RootFailure) + Send + Sync>,
    /// Zero of the policy's clock.
    pub(super) epoch: Instant,
}

impl Root {
    /// Milliseconds on the runtime's clock, which tests pause.
    pub(super) fn now_ms(&self) -> u64 {
        Instant::now().duration_since(self.epoch).as_millis() as u64
    }
}

/// One kind of the tree.
pub(super) struct Kind {
    pub(super) spec: ChildSpec,
    pub(super) parent: Option<Arc<Kind>>,
    pub(super) root: Arc<Root>,
    /// What is to go wrong on purpose; here and not in the root, because every poll asks.
    pub(super) faults: Option<Arc<Faults>>,
    roster: Mutex<Roster>,
    /// Restart orders that their child has not seen yet, by the child's sequence number. Rare, so kept here.
    orders: Mutex<Vec<(u64, RestartOrder)>>,
    /// Told at each end of a child.
    ends: Notify,
    pub(super) depth: AtomicUsize,
    refused: AtomicU64,
    restarts: AtomicU64,
    given_up: AtomicU64,
    /// Children in their back-off.
    restarting: AtomicUsize,
    /// A child was given up and none was started since.
    failed: AtomicBool,
    last_failure: Mutex<Option<LastFailure>>,
}

#[derive(Default)]
struct Roster {
    /// No more children: the tree is being stopped.
    closed: bool,
    started: u64,
    children: Slab<Arc<Core>>,
}

/// Somebody wants a child restarted that did not crash.
pub(super) struct RestartOrder {
    pub(super) reason: String,
    /// Counts against the child's own intensity and waits out its back-off.
    pub(super) escalated: bool,
}

impl Kind {
    pub(super) fn new(
        spec: ChildSpec,
        parent: Option<Arc<Kind>>,
        root: Arc<Root>,
        faults: Option<Arc<Faults>>,
    ) -> Self {
        Self {
            spec,
            parent,
            root,
            faults,
            roster: Mutex::default(),
            orders: Mutex::default(),
            ends: Notify::new(),
            depth: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            restarting: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            last_failure: Mutex::default(),
        }
    }

    /// Number of children.
    pub(super) fn len(&self) -> usize {
        self.roster.lock().children.len()
    }

    /// Lets no more children start.
    pub(super) fn close(&self) {
        self.roster.lock().closed = true;
    }

    /// All children, the one that was started last first.
    pub(super) fn newest_first(&self) -> Vec<Arc<Core>> {
        let mut children: Vec<_> =
            self.roster.lock().children.iter().map(|(_, child)| child.clone()).collect();
        children.sort_unstable_by_key(|child| std::cmp::Reverse(child.sequence()));
        children
    }

    /// Resolves when `over` answers true, asked after each end of a child.
    pub(super) async fn until(&self, over: impl Fn() -> bool) {
        loop {
            let mut next_end = std::pin::pin!(self.ends.notified());
            // Listening starts here, so that an end between the question and the wait is not missed.
            next_end.as_mut().enable();
            if over() {
                return;
            }
            next_end.await;
        }
    }

    /// Leaves an order for the child. At most one waits per child: the caller has set its flag.
    pub(super) fn leave_order(&self, sequence: u64, order: RestartOrder) {
        self.orders.lock().push((sequence, order));
    }

    /// Takes the order left for the child.
    pub(super) fn take_order(&self, sequence: u64) -> Option<RestartOrder> {
        let mut orders = self.orders.lock();
        let index = orders.iter().position(|(of, _)| *of == sequence)?;
        Some(orders.swap_remove(index).1)
    }

    pub(super) fn record_failure(&self, failure: LastFailure) {
        *self.last_failure.lock() = Some(failure);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Relaxed)
    }

    pub(super) fn count_restart(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    /// A child entered its back-off.
    pub(super) fn enter_back_off(&self) {
        self.restarting.fetch_add(1, Relaxed);
    }

    /// A child left its back-off, one way or the other.
    pub(super) fn leave_back_off(&self) {
        self.restarting.fetch_sub(1, Relaxed);
    }

    pub(super) fn count_given_up(&self) {
        self.given_up.fetch_add(1, Relaxed);
        self.failed.store(true, Relaxed);
    }

    /// A child was given up: the nearest kind above that runs as a singleton is restarted; with none, the
    /// root has failed. A contained kind has nothing above that would be better for it.
    pub(super) fn escalate(&self, instance: &str, reason: &str) {
        if self.spec.on_give_up == OnGiveUp::Contain {
            return;
        }
        let mut above = self.parent.as_ref();
        while let Some(kind) = above {
            if let Some(child) = kind.singleton() {
                let reason = format!("escalated from {} {instance}", self.spec.kind);
                child.order_restart(RestartOrder { reason, escalated: true });
                return;
            }
            above = kind.parent.as_ref();
        }
        tracing::error!(kind = self.spec.kind, instance, reason, "supervision root failed");
        (self.root.on_root_failure)(RootFailure {
            kind: self.spec.kind,
            instance: instance.into(),
            reason: reason.into(),
        });
    }

    fn singleton(&self) -> Option<Arc<Core>> {
        let roster = self.roster.lock();
        let mut children = roster.children.iter();
        match (children.next(), children.next()) {
            (Some((_, only)), None) => Some(only.clone()),
            _ => None,
        }
    }

    pub(super) fn snapshot(&self) -> KindSnapshot {
        let instances = self.len();
        let state = if self.failed.load(Relaxed) {
            KindState::Failed
        } else if self.restarting.load(Relaxed) > 0 {
            KindState::Restarting
        } else if instances > 0 {
            KindState::Running
        } else {
            KindState::Idle
        };
        KindSnapshot {
            kind: self.spec.kind,
            parent: self.spec.parent,
            group: self.spec.group,
            policy: self.spec.policy,
            intensity_max: self.spec.intensity.restarts_max,
            intensity_window_ms: self.spec.intensity.window_ms,
            backoff_min_ms: self.spec.backoff.min_ms,
            backoff_max_ms: self.spec.backoff.max_ms,
            placement: self.spec.placement,
            queue_bound: self.spec.queue_bound,
            when_full: self.spec.when_full,
            instances,
            restarts: self.restarts.load(Relaxed),
            mailbox_depth: self.depth.load(Relaxed),
            state,
            last_failure: self.last_failure.lock().clone(),
            given_up: self.given_up.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }
}

/// A child's place among the children of its kind; given back on drop.
pub(super) struct Place {
    core: Arc<Core>,
    key: usize,
}

impl Place {
    /// Registers a new child. No place when its kind is being stopped.
    pub(super) fn take(kind: &Arc<Kind>, instance: Arc<str>) -> (Option<Self>, Arc<Core>) {
        let mut roster = kind.roster.lock();
        roster.started += 1;
        let core = Arc::new(Core::new(kind.clone(), instance, roster.started));
        if roster.closed {
            core.set_ended();
            return (None, core);
        }
        let key = roster.children.insert(core.clone());
        kind.failed.store(false, Relaxed);
        (Some(Self { core: core.clone(), key }), core)
    }

    pub(super) const fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let kind = self.core.kind();
        self.core.set_ended();
        kind.roster.lock().children.try_remove(self.key);
        kind.take_order(self.core.sequence());
        kind.ends.notify_waiters();
    }
}
