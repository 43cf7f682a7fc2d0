//! What other modules see of a topic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::actor::{TopicActor, TopicArgs};
use super::carrying::{self, Keeper};
use super::inbox::Taken;
use super::kind::{Kept, Kind};
use super::messages::{
    Announce, FindMessages, ForgetKey, ForgetMessages, InboxView, Join, Leave, Publish, Read, ReadInbox,
    RecordTopic, Reply, StoreHead, Subscribe, TopicSnapshot, TopicView,
};
use super::outlet::Outlet;
use super::owed::{Owed, OwedSubscriber};
use super::position::{Page, Position};
use super::{Published, TopicError};
use crate::engine::Seat;
use crate::ids::{MessageId, TopicName};
use crate::store::{TopicHead, TopicRecord};
use crate::supervision::{AskError, Inbox, Tree};
use crate::telemetry::Cause;

/// How long a caller waits for a topic, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 5_000;

/// Number of a topic in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId(u32);

impl TopicId {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Numbers are given by the broker, once each.
    pub fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Which workers have members of the topic, and what they were sent. Survives a crash of the topic.
#[derive(Debug)]
pub struct Interest {
    outlets: Mutex<Vec<(Outlet, u32)>>,
    /// When the topic was last used, unix milliseconds.
    pub touched_ms: AtomicU64,
    /// Offset of the last message that was sent out; [`NOT_KNOWN`] before the topic has started.
    sent: AtomicU64,
    /// Offset of the topic when this process began with it, or its epoch or its owner did.
    started: AtomicU64,
    /// The epoch that `sent` counts in, of a topic that nodes share.
    epoch: Mutex<Option<Arc<str>>>,
    /// The epoch before that, and what was sent of it: a node that was cut off comes back to it.
    before: Mutex<Option<(Arc<str>, u64)>>,
    /// Counts flushes, for readers that wait for something new.
    flushes: watch::Sender<u64>,
}

const NOT_KNOWN: u64 = u64::MAX;

impl Default for Interest {
    fn default() -> Self {
        Self {
            outlets: Mutex::default(),
            touched_ms: AtomicU64::new(0),
            sent: AtomicU64::new(NOT_KNOWN),
            started: AtomicU64::new(0),
            epoch: Mutex::default(),
            before: Mutex::default(),
            flushes: watch::Sender::new(0),
        }
    }
}

impl Interest {
    /// Offset of the last message that was sent out, once the topic has started.
    pub(super) fn sent(&self) -> Option<u64> {
        Some(self.sent.load(Ordering::Relaxed)).filter(|sent| *sent != NOT_KNOWN)
    }

    /// Nothing before `offset` was for anybody of this process, unless it was sent already.
    pub(super) fn flushed_at_start(&self, offset: u64) {
        if self.sent().is_none() {
            self.sent.store(offset, Ordering::Relaxed);
            self.started.store(offset, Ordering::Relaxed);
        }
    }

    /// What is up to `offset` is nobody's: the epoch begins, or the topic has another owner.
    pub(super) fn began(&self, offset: u64) {
        self.started.store(offset, Ordering::Relaxed);
    }

    /// Offset of the topic when this process began with it, or its epoch or its owner did.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Offset of the last message of that epoch that was sent out.
    pub(super) fn sent_in(&self, epoch: &str) -> Option<u64> {
        if self.epoch.lock().as_deref() == Some(epoch) {
            return self.sent();
        }
        self.before.lock().as_ref().filter(|(before, _)| **before == *epoch).map(|(_, sent)| *sent)
    }

    /// Nothing of `epoch` after `offset` was sent out.
    pub(super) fn counts_in(&self, epoch: &Arc<str>, offset: u64) {
        let former = self.epoch.lock().replace(epoch.clone());
        if let Some(former) = former.filter(|former| former != epoch) {
            *self.before.lock() = self.sent().map(|sent| (former, sent));
        }
        self.sent.store(offset, Ordering::Relaxed);
    }

    /// Somebody subscribes to it, or waits for what comes.
    pub(super) fn is_wanted(&self) -> bool {
        self.members() > 0 || self.flushes.receiver_count() > 0
    }

    /// Everything up to `offset` is on its way.
    pub(super) fn flushed(&self, offset: u64) {
        self.sent.store(offset, Ordering::Relaxed);
        self.flushes.send_modify(|flushes| *flushes = flushes.wrapping_add(1));
    }

    pub(super) fn join(&self, outlet: &Outlet) {
        let mut outlets = self.outlets.lock();
        match outlets.iter_mut().find(|(o, _)| o.same_as(outlet)) {
            Some((_, members)) => *members += 1,
            None => outlets.push((outlet.clone(), 1)),
        }
    }

    pub(super) fn leave(&self, outlet: &Outlet, gone: u32) {
        let mut outlets = self.outlets.lock();
        for (_, members) in outlets.iter_mut().filter(|(o, _)| o.same_as(outlet)) {
            *members = members.saturating_sub(gone);
        }
        outlets.retain(|(_, members)| *members > 0);
    }

    pub(super) fn each(&self, mut push: impl FnMut(&Outlet)) {
        for (outlet, _) in self.outlets.lock().iter() {
            push(outlet);
        }
    }

    /// Subscribed connections.
    pub fn members(&self) -> usize {
        self.outlets.lock().iter().map(|(_, members)| *members as usize).sum()
    }
}

/// A topic: publish to it, subscribe to it, look at it.
#[derive(Clone)]
pub struct TopicHandle(Arc<Shared>);

struct Shared {
    id: TopicId,
    name: TopicName,
    kind: Kind,
    interest: Arc<Interest>,
    inbox: Inbox<TopicActor>,
    /// Of a topic that nodes share.
    seat: Option<Seat>,
}

impl TopicHandle {
    /// Starts the topic's actor.
    pub fn start(tree: &Tree, args: TopicArgs) -> Self {
        let (id, name, interest) = (args.id, args.name.clone(), args.interest.clone());
        let kind = Kind::under(&name, &args.settings);
        let carrier = args.carrier.clone().filter(|_| Keeper::of(kind, &args.store).is_some());
        let place = Arc::new(OnceLock::new());
        // Before the actor, which may follow at once.
        let seat = carrier.map(|carrier| carrier.seat(name.shared(), carrying::tell_of(place.clone())));
        let inbox = tree.start(name.shared(), TopicActor::new(args), None);
        // Nobody else sets it.
        _ = place.set(inbox.downgrade());
        Self(Arc::new(Shared { id, name, kind, interest, inbox, seat }))
    }

    /// Number in this process.
    pub fn id(&self) -> TopicId {
        self.0.id
    }

    /// Its name.
    pub fn name(&self) -> &TopicName {
        &self.0.name
    }

    /// Who subscribes; outlives the actor.
    pub fn interest(&self) -> &Arc<Interest> {
        &self.0.interest
    }

    /// Its row of the table.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Subscribed connections.
    pub fn members(&self) -> usize {
        self.0.interest.members()
    }

    /// When it was last used, unix milliseconds.
    pub fn touched_ms(&self) -> u64 {
        self.0.interest.touched_ms.load(Ordering::Relaxed)
    }

    /// Whether the actor was given up.
    pub fn is_closed(&self) -> bool {
        self.0.inbox.is_closed()
    }

    /// Publishes; the answer goes where `message.reply` says, unless this refuses at once.
    pub fn publish(&self, message: Publish, cause: &Cause) -> Result<(), TopicError> {
        self.0.inbox.try_send(message, cause).map_err(|refused| {
            // The caller answers.
            drop(refused.into_inner().reply.pay());
            TopicError::Overloaded
        })
    }

    /// Publishes and waits for the answer.
    pub async fn publish_and_wait(
        &self,
        mut message: Publish,
        cause: &Cause,
    ) -> Result<Published, TopicError> {
        let (sender, receiver) = oneshot::channel();
        message.reply = Owed::new(Reply::Caller(sender));
        self.publish(message, cause)?;
        match tokio::time::timeout(Duration::from_millis(ASK_TIMEOUT_MS), receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_crashed)) => Err(TopicError::Failed),
            Err(_elapsed) => Err(TopicError::Overloaded),
        }
    }

    /// Sends a frame to the subscribers of this moment.
    pub fn announce(&self, announce: Announce, cause: &Cause) -> Result<(), TopicError> {
        self.0.inbox.try_send(announce, cause).map_err(|_refused| TopicError::Overloaded)
    }

    /// What nodes share is read before what is asked next.
    fn join(&self, at: Option<&Position>) {
        if self.0.seat.is_some() {
            // A full inbox refuses what is asked next, too.
            drop(self.0.inbox.try_send(Join { at: at.cloned() }, &Cause::own()));
        }
    }

    /// Adds a connection; the answer comes through the outlet.
    pub fn subscribe(&self, subscribe: Subscribe, cause: &Cause) -> Result<(), TopicError> {
        self.join(subscribe.recover.as_ref());
        self.0.inbox.try_send(OwedSubscriber::new(subscribe), cause).map_err(|refused| {
            // The caller answers.
            drop(refused.into_inner().pay());
            TopicError::Overloaded
        })
    }

    /// Tells that connections are gone; `Err` when the mailbox is full: tell again later.
    pub fn leave(&self, outlet: &Outlet, members: u32) -> Result<(), TopicError> {
        if self.is_closed() {
            // Whoever opens the topic again goes on with the same subscribers.
            self.0.interest.leave(outlet, members);
            return Ok(());
        }
        let leave = Leave { outlet: outlet.clone(), members };
        self.0.inbox.try_send(leave, &Cause::own()).map_err(|_refused| TopicError::Overloaded)
    }

    /// Messages after `since`, oldest first, `limit` at most; the newest ones when that place is lost
    /// (`recovered` says so) or not given. Of a topic of newest values: those that changed after it.
    pub async fn read(
        &self,
        since: Option<Position>,
        limit: usize,
        cause: &Cause,
    ) -> Result<Page, TopicError> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        self.join(since.as_ref());
        match self.0.inbox.ask(Read { since, limit }, cause, timeout).await {
            Ok(page) => page,
            Err(AskError::Closed) => Err(TopicError::Failed),
            Err(AskError::Full | AskError::Timeout) => Err(TopicError::Overloaded),
        }
    }

    /// What waits for a session in this personal topic.
    pub async fn inbox(&self, taken: Taken, cause: &Cause) -> Result<InboxView, TopicError> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        self.join(None);
        match self.0.inbox.ask(ReadInbox { taken }, cause, timeout).await {
            Ok(view) => view,
            Err(AskError::Closed) => Err(TopicError::Failed),
            Err(AskError::Full | AskError::Timeout) => Err(TopicError::Overloaded),
        }
    }

    /// Forgets everything that was published.
    pub fn forget(&self) -> Result<(), TopicError> {
        self.0.inbox.try_send(ForgetMessages, &Cause::own()).map_err(|_refused| TopicError::Overloaded)
    }

    /// Forgets the newest value of a key; for topics of newest values.
    pub fn forget_key(&self, key: Arc<str>) -> Result<(), TopicError> {
        self.0.inbox.try_send(ForgetKey { key }, &Cause::own()).map_err(|_refused| TopicError::Overloaded)
    }

    /// The epoch and the offsets of messages with these ids; `None` when none of them is held.
    pub async fn find(&self, ids: Vec<MessageId>, cause: &Cause) -> Option<(Arc<str>, Vec<u64>)> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        self.join(None);
        self.0.inbox.ask(FindMessages { ids }, cause, timeout).await.ok().flatten()
    }

    /// Whether hub nodes share it.
    pub fn is_shared(&self) -> bool {
        self.0.seat.is_some()
    }

    /// Whether this node follows what hub nodes keep of it in their store.
    pub fn follows_store(&self) -> bool {
        self.0.seat.is_some() && self.0.kind.kept == Kept::Store && self.0.interest.is_wanted()
    }

    /// Tells where the topic stands in the store.
    pub fn store_head(&self, head: TopicHead) {
        let TopicHead { epoch, last_offset } = head;
        // A full inbox is told the next time.
        drop(self.0.inbox.try_send(StoreHead { epoch, last_offset }, &Cause::own()));
    }

    /// Changes whenever messages were sent out: a reader that finds nothing new waits for it.
    pub fn flushes(&self) -> watch::Receiver<u64> {
        self.0.interest.flushes.subscribe()
    }

    /// The topic as a drain keeps it; `None` when it does not answer.
    pub async fn record(&self) -> Option<TopicRecord> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        self.0.inbox.ask(RecordTopic, &Cause::own(), timeout).await.ok()
    }

    /// The state and the newest messages.
    pub async fn view(&self, limit: usize, cause: &Cause) -> Result<TopicView, TopicError> {
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        self.join(None);
        self.0.inbox.ask(TopicSnapshot { limit }, cause, timeout).await.map_err(|error| match error {
            AskError::Closed => TopicError::Failed,
            AskError::Full | AskError::Timeout => TopicError::Overloaded,
        })
    }
}

impl std::fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TopicHandle({})", self.0.name)
    }
}
