//! All workers' connections, seen from anywhere: to be closed, told, counted and listed.
//!
//! What a worker's full inbox refuses and must happen all the same, it does at its next tick.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use super::Services;
use super::shard::Shard;
use super::shard_actor::{
    CloseMember, CloseSome, ConnectionRow, CutSome, DepthSnapshot, Drain, LateCloses, ShardActor,
    ShardDepths, ShardSnapshot, Tell,
};
use crate::protocol::codes::Close;
use crate::protocol::frame::SharedFrame;
use crate::supervision::{Inbox, Recipient};
use crate::telemetry::Cause;
use crate::topic::{Member, Outlet};

/// How long a question to a worker may take, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 2_000;

/// One worker's connections, seen from anywhere.
#[derive(Clone)]
pub struct ShardHandle {
    inbox: Inbox<ShardActor>,
    outlet: Outlet,
    late: LateCloses,
}

impl ShardHandle {
    /// At the next tick of a worker that has no place for more.
    fn close_late(&self, member: Member, close: Close) {
        self.late.lock().entry(member).or_insert(close);
    }
}

/// All workers' connections.
#[derive(Clone, Default)]
pub struct Shards(Arc<RwLock<Vec<(usize, ShardHandle)>>>);

impl Shards {
    /// Starts the shard of the worker that calls; its connections live on this thread.
    pub fn start(&self, index: usize, services: &Arc<Services>) -> Rc<Shard> {
        // The outlet wakes the actor, the actor holds the outlet: the wake is filled in when both are there.
        let wake: Arc<RwLock<Option<Recipient<Drain>>>> = Arc::default();
        let waker = wake.clone();
        let outlet = Outlet::new(
            index,
            Box::new(move || {
                if let Some(drain) = &*waker.read() {
                    // At most one wake-up is under way; one that a full inbox refuses is made up for by a tick.
                    drop(drain.try_send(Drain, &Cause::own()));
                }
            }),
        );
        let shard = Shard::new(services.clone(), outlet);
        let name = format!("worker-{index}");
        let late = LateCloses::default();
        let actor = ShardActor::new(shard.clone(), late.clone());
        let inbox = services.tree.start_here(name, actor, None);
        *wake.write() = Some(inbox.recipient());
        self.0.write().push((index, ShardHandle { inbox, outlet: shard.outlet.clone(), late }));
        shard
    }

    /// Closes one connection.
    pub fn close(&self, index: usize, member: Member, close: Close) {
        if let Some(handle) = self.handle(index)
            && handle.inbox.try_send(CloseMember { member, close }, &Cause::own()).is_err()
        {
            handle.close_late(member, close);
        }
    }

    /// Closes a connection whose client id has a newer one; its session is up to date when this returns.
    pub async fn take_over(&self, index: usize, member: Member) {
        let Some(handle) = self.handle(index) else { return };
        let replaced = CloseMember { member, close: Close::Replaced };
        let asked = handle.inbox.ask(replaced, &Cause::own(), Duration::from_millis(ASK_TIMEOUT_MS)).await;
        if let Err(error) = asked {
            tracing::warn!(worker = index, ?error, "a replaced connection is closed late");
            handle.close_late(member, Close::Replaced);
        }
    }

    /// Where topics deliver to for a worker.
    pub fn outlet(&self, index: usize) -> Option<Outlet> {
        self.handle(index).map(|handle| handle.outlet)
    }

    fn handle(&self, index: usize) -> Option<ShardHandle> {
        self.0.read().iter().find(|(i, _)| *i == index).map(|(_, handle)| handle.clone())
    }

    /// Closes one part of all connections; returns how many.
    pub async fn close_some(
        &self,
        part: usize,
        parts: usize,
        close: Close,
        farewell: Option<&bytes::Bytes>,
    ) -> usize {
        let mut closed = 0;
        for handle in self.handles() {
            let message = CloseSome { part, parts, close, farewell: farewell.cloned() };
            let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
            closed += handle.inbox.ask(message, &Cause::own(), timeout).await.unwrap_or(0);
        }
        closed
    }

    /// Cuts connections without a word, `limit` at most; returns how many.
    pub async fn cut_some(&self, limit: usize) -> usize {
        let mut cut = 0;
        for handle in self.handles() {
            let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
            cut +=
                handle.inbox.ask(CutSome { limit: limit - cut }, &Cause::own(), timeout).await.unwrap_or(0);
        }
        cut
    }

    /// Sends a frame to every connection; false when a worker did not take it.
    pub fn tell_all(&self, frame: &SharedFrame) -> bool {
        let handles = self.handles();
        let told =
            handles.iter().map(|h| h.inbox.try_send(Tell { frame: frame.clone() }, &Cause::own()).is_ok());
        told.fold(true, |all, one| all & one)
    }

    /// How much waits on each worker. One that does not answer in time is left out.
    pub async fn depths(&self, cause: &Cause) -> Vec<ShardDepths> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        let handles = self.handles();
        let asked = handles.iter().map(|handle| handle.inbox.ask(DepthSnapshot, cause, timeout));
        futures_util::future::join_all(asked).await.into_iter().flatten().collect()
    }

    /// These connections, as they are found. A worker that does not answer in time is left out.
    pub async fn rows(
        &self,
        places: impl Iterator<Item = (usize, Member)>,
        cause: &Cause,
    ) -> Vec<ConnectionRow> {
        let mut wanted: BTreeMap<usize, Vec<Member>> = BTreeMap::new();
        for (worker, member) in places {
            wanted.entry(worker).or_default().push(member);
        }
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        let asked = wanted.into_iter().filter_map(|(worker, members)| {
            let inbox = self.handle(worker)?.inbox;
            Some(async move { inbox.ask(ShardSnapshot { members }, cause, timeout).await })
        });
        let answered = futures_util::future::join_all(asked).await;
        answered.into_iter().flat_map(Result::unwrap_or_default).collect()
    }

    fn handles(&self) -> Vec<ShardHandle> {
        self.0.read().iter().map(|(_, handle)| handle.clone()).collect()
    }
}
