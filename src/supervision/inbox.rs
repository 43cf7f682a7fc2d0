//! The inbox of a child: the only way to send it something.
//!
//! actix bounds a mailbox by its capacity *plus the number of senders*, which bounds nothing. Here admission
//! is counted per child: exactly [`super::ChildSpec::queue_bound`] messages wait, whoever sends them and
//! however many clones of the inbox exist. The mailbox behind it has no bound of its own.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::dev::{SendError, ToEnvelope};
use actix::{Actor, Addr, Context, Handler, MailboxError, Message};

use super::child::{Child, Core};
use super::current;
use crate::telemetry::Cause;

/// A message in an inbox, with what caused it. Actors handle `Queued<M>`; its place in the inbox is free
/// again when it is dropped, that is after it was handled.
pub struct Queued<M> {
    /// The message.
    pub msg: M,
    /// Correlation id of whoever made it happen.
    pub cause: Cause,
    /// Held, not read.
    _slot: Slot,
}

impl<M> Queued<M> {
    /// A message from the supervisor, which no bound may refuse.
    pub(super) fn forced(msg: M, core: &Arc<Core>) -> Self {
        core.admit_always();
        Self { msg, cause: Cause::own(), _slot: Slot(core.clone()) }
    }
}

impl<M: Message> Message for Queued<M> {
    type Result = M::Result;
}

/// One taken place in an inbox.
struct Slot(Arc<Core>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
        if std::thread::panicking() {
            current::note_unwound_message(&self.0);
        }
    }
}

/// Why a message was not taken. The message comes back.
#[derive(PartialEq, Eq)]
pub enum Refused<M> {
    /// The inbox is full: `overloaded`.
    Full(M),
    /// The actor has come to its end.
    Closed(M),
}

impl<M> Refused<M> {
    /// The message.
    pub fn into_inner(self) -> M {
        match self {
            Self::Full(msg) | Self::Closed(msg) => msg,
        }
    }
}

impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
        })
    }
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the inbox is full",
            Self::Closed(_) => "the actor is gone",
        })
    }
}

impl<M> std::error::Error for Refused<M> {}

/// Why a question got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The inbox is full; the actor never saw the question.
    #[error("the inbox is full")]
    Full,
    /// The actor is gone, or crashed before it answered.
    #[error("the actor ended or crashed before it answered")]
    Closed,
    /// No answer in time. A question that still waits then is skipped.
    #[error("no answer in time")]
    Timeout,
}

/// The address of a supervised actor: the same across its restarts. Cheap to clone. A child that is not
/// permanent stops when its last inbox is dropped.
pub struct Inbox<A: Actor>(Arc<Shared<A>>);

struct Shared<A: Actor> {
    addr: Addr<A>,
    core: Arc<Core>,
}

impl<A: Actor<Context = Context<A>>> Shared<A> {
    fn try_send<M>(&self, msg: M, cause: &Cause) -> Result<(), Refused<M>>
    where
        A: Handler<Queued<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let queued = match self.admit(msg, cause) {
            Ok(queued) => queued,
            Err(msg) => return Err(Refused::Full(msg)),
        };
        self.addr.try_send(queued).map_err(|error| match error {
            SendError::Full(queued) => Refused::Full(queued.msg),
            SendError::Closed(queued) => Refused::Closed(queued.msg),
        })
    }

    fn admit<M>(&self, msg: M, cause: &Cause) -> Result<Queued<M>, M> {
        if self.core.admit() {
            Ok(Queued { msg, cause: cause.clone(), _slot: Slot(self.core.clone()) })
        } else {
            self.core.kind().count_refused();
            Err(msg)
        }
    }
}

impl<A: Actor<Context = Context<A>>> Inbox<A> {
    pub(super) fn new(addr: Addr<A>, core: Arc<Core>) -> Self {
        Self(Arc::new(Shared { addr, core }))
    }

    /// Puts a message into the inbox, or gives it back.
    pub fn try_send<M>(&self, msg: M, cause: &Cause) -> Result<(), Refused<M>>
    where
        A: Handler<Queued<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.0.try_send(msg, cause)
    }

    /// Puts a question into the inbox and waits for the answer, `timeout` at most.
    pub async fn ask<M>(&self, msg: M, cause: &Cause, timeout: Duration) -> Result<M::Result, AskError>
    where
        A: Handler<Queued<M>>,
        Context<A>: ToEnvelope<A, Queued<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        // The mailbox is unbounded, so `send` takes the message at once: the bound is the admission.
        let request = match self.0.admit(msg, cause) {
            Ok(queued) => self.0.addr.send(queued),
            Err(_) => return Err(AskError::Full),
        };
        match tokio::time::timeout(timeout, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Closed),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::Timeout),
        }
    }

    /// Whether both lead to the same child.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the child has come to its end: nothing will be taken any more.
    pub fn is_closed(&self) -> bool {
        !self.0.addr.connected()
    }

    /// An inbox that does not keep the child alive.
    pub fn downgrade(&self) -> WeakInbox<A> {
        WeakInbox(Arc::downgrade(&self.0))
    }

    /// The inbox for one type of message, without the type of the actor: what a module hands *down*.
    pub fn recipient<M>(&self) -> Recipient<M>
    where
        A: Handler<Queued<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Recipient(self.0.clone())
    }

    /// The handle for orders.
    pub fn child(&self) -> Child {
        Child(self.0.core.clone())
    }
}

impl<A: Actor> Clone for Inbox<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for Inbox<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} {})", self.0.core.kind().spec.kind, self.0.core.instance())
    }
}

/// An inbox that does not keep its child alive; for back references and for an actor's own address.
pub struct WeakInbox<A: Actor>(Weak<Shared<A>>);

impl<A: Actor> WeakInbox<A> {
    /// The inbox, while somebody holds one.
    pub fn upgrade(&self) -> Option<Inbox<A>> {
        self.0.upgrade().map(Inbox)
    }
}

impl<A: Actor> Clone for WeakInbox<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for WeakInbox<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakInbox")
    }
}

trait Deliver<M>: Send + Sync {
    fn deliver(&self, msg: M, cause: &Cause) -> Result<(), Refused<M>>;
    fn is_closed(&self) -> bool;
}

impl<A, M> Deliver<M> for Shared<A>
where
    A: Actor<Context = Context<A>> + Handler<Queued<M>>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn deliver(&self, msg: M, cause: &Cause) -> Result<(), Refused<M>> {
        self.try_send(msg, cause)
    }

    fn is_closed(&self) -> bool {
        !self.addr.connected()
    }
}

/// An [`Inbox`] for one type of message only; the bounded counterpart of `actix::Recipient`.
pub struct Recipient<M>(Arc<dyn Deliver<M>>);

impl<M> Recipient<M> {
    /// Puts a message into the inbox, or gives it back.
    pub fn try_send(&self, msg: M, cause: &Cause) -> Result<(), Refused<M>> {
        self.0.deliver(msg, cause)
    }

    /// Whether the child has come to its end.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether both lead to the same child.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::as_ptr(&self.0).addr() == Arc::as_ptr(&other.0).addr()
    }
}

impl<M> Clone for Recipient<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for Recipient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient")
    }
}
