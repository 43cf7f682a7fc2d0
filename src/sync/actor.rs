//! The actor of one document.
//!
//! Requests that come while a commit is under way are taken together by the next one; each is answered after
//! the commit that has it. A committed write is then published to the document's topic; the store
//! remembers which writes the topic has, so that one whose publication was cut short is published at the next start
//! (and may come twice). A crash loses what was not committed; who asked is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::SyncError;
use super::batch::{Batch, Request};
use super::document::{Document, Limits, Outcome};
use super::messages::{Get, KeyView, Put, UpdateView};
use super::outbox::{Outbox, Update};
use crate::broker::{Broker, Draft};
use crate::clock::Clock;
use crate::fault::Faults;
use crate::ids::{DocName, TopicName};
use crate::store::{DocumentChange, DocumentHead, DocumentWritten, Store, StoreError, WholeDocument};
use crate::supervision::{Queued, Restart, supervised};
use crate::topic::{Published, Reply, TopicError};

/// Requests in one commit.
const BATCH_MAX: usize = 256;

/// Writes that are on their way to the topic at once.
const ANNOUNCE_MAX: usize = 64;

/// How long a document waits before it asks an unreachable store, or an overloaded topic, again, in milliseconds.
const RETRY_MS: u64 = 500;

/// What the directory knows of an open document.
#[derive(Debug, Default)]
pub struct Standing {
    /// When it was last used, unix milliseconds.
    pub touched_ms: AtomicU64,
    /// Whether its topic lacks writes.
    pub owes_updates: AtomicBool,
}

/// What a document is made of, again after each crash.
#[derive(Clone)]
pub struct DocumentArgs {
    /// Its name.
    pub name: DocName,
    /// Keeps it.
    pub store: Store,
    /// Has its topic.
    pub broker: Broker,
    /// What it may hold.
    pub limits: Arc<Limits>,
    /// Documents that there may be.
    pub documents_max: usize,
    /// Whether other hub nodes write to it.
    pub is_shared: bool,
    /// Told to the directory; outlives the actor.
    pub standing: Arc<Standing>,
    /// Time.
    pub clock: Clock,
    /// What is to go wrong on purpose.
    pub faults: Option<Arc<Faults>>,
}

/// One document.
pub struct DocumentActor {
    /// With the writes of the commit under way, which nobody is shown before its end.
    document: Document,
    updated_at_ms: u64,
    outbox: Outbox,
    /// Not taken up yet, in order.
    waiting: VecDeque<Request>,
    work: Work,
    /// Nobody else wrote since, as far as a look at the store just now says.
    is_fresh: bool,
    announcing: bool,
    args: DocumentArgs,
}

enum Work {
    /// The store is asked for the document.
    Reading,
    /// The store did not tell, for this reason.
    Unread(StoreError),
    Idle,
    Committing,
}

impl DocumentActor {
    /// A document that nothing is known of yet.
    pub fn new(args: DocumentArgs) -> Self {
        Self {
            document: Document::default(),
            updated_at_ms: 0,
            outbox: Outbox::default(),
            waiting: VecDeque::new(),
            work: Work::Reading,
            is_fresh: false,
            announcing: false,
            args,
        }
    }

    fn read_store(&mut self, ctx: &mut Context<Self>) {
        self.work = Work::Reading;
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let read = async move {
            // What a former life of this document has sent to the store counts.
            store.settled().await?;
            store.document(name.as_str()).await
        };
        ctx.spawn(read.into_actor(self).map(|read, actor, ctx| {
            match read {
                Ok(kept) => actor.resume(kept, ctx),
                Err(error) => {
                    tracing::warn!(doc = %actor.args.name, %error, "document cannot be read from the store");
                    actor.work = Work::Unread(error);
                    ctx.run_later(Duration::from_millis(RETRY_MS), Self::read_store);
                }
            }
            actor.go_on(ctx);
        }));
    }

    /// Reads what other hub nodes wrote, before requests are taken up.
    fn look(&mut self, ctx: &mut Context<Self>) {
        self.work = Work::Reading;
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let version = self.document.version();
        let read = async move { store.document_unless_at(name.as_str(), Some(version)).await };
        ctx.spawn(read.into_actor(self).map(|read, actor, ctx| {
            match read {
                Ok(Some(newer)) => actor.resume(Some(newer), ctx),
                Ok(None) => actor.work = Work::Idle,
                Err(error) => {
                    actor.work = Work::Unread(error);
                    ctx.run_later(Duration::from_millis(RETRY_MS), Self::read_store);
                }
            }
            actor.is_fresh = true;
            actor.go_on(ctx);
        }));
    }

    fn resume(&mut self, kept: Option<WholeDocument>, ctx: &mut Context<Self>) {
        let (head, records) = kept.unwrap_or_default();
        self.document = Document::kept(&head, records);
        self.updated_at_ms = head.updated_at_ms;
        if self.args.is_shared {
            self.outbox.owe_others(head.announced, head.version, self.document.entries());
        } else {
            self.outbox = Outbox::restored(head.announced, head.version, self.document.entries());
        }
        self.work = Work::Idle;
        self.announce(ctx);
        self.tell_standing();
    }

    fn tell_standing(&self) {
        self.args.standing.owes_updates.store(!self.outbox.is_empty(), Ordering::Relaxed);
    }

    /// Takes up what waits, unless the store is at work for this document.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        while !self.waiting.is_empty() {
            match &self.work {
                Work::Reading | Work::Committing => return,
                Work::Unread(error) => {
                    let error = SyncError::Store(error.clone());
                    self.take_batch(Some(&error)).fail(&error);
                }
                Work::Idle if self.args.is_shared && !std::mem::take(&mut self.is_fresh) => {
                    return self.look(ctx);
                }
                Work::Idle => {
                    let (before, base_version) = (self.document.conflicts(), self.document.version());
                    let batch = self.take_batch(None);
                    if batch.updates().next().is_none() && before == batch.conflicts {
                        batch.answer(&self.document, self.updated_at_ms);
                    } else {
                        self.commit(batch, base_version, ctx);
                    }
                }
            }
        }
    }

    /// Takes requests out of the queue and applies the writes among them, unless all of them fail.
    fn take_batch(&mut self, error: Option<&SyncError>) -> Batch {
        let wall_ms = self.args.clock.unix_ms();
        let count = self.waiting.len().min(BATCH_MAX);
        let (mut puts, mut gets, mut forgotten_keys) = (Vec::with_capacity(count), Vec::new(), Vec::new());
        let requests: Vec<Request> = self.waiting.drain(..count).collect();
        for request in requests {
            match request {
                Request::Get(get) => gets.push(get),
                Request::Put(put) => {
                    let outcome = match error {
                        Some(error) => Err(error.clone()),
                        None if self.outbox.is_full() => Err(SyncError::Overloaded),
                        None => {
                            let write = put.msg.write.clone();
                            self.document.write(write, wall_ms, &self.args.limits).map_err(SyncError::from)
                        }
                    };
                    if let Ok(Outcome::Applied { forgotten, .. }) = &outcome {
                        forgotten_keys.extend(forgotten.iter().map(ToString::to_string));
                    }
                    puts.push((put, outcome));
                }
            }
        }
        Batch { puts, gets, forgotten: forgotten_keys, conflicts: self.document.conflicts() }
    }

    fn commit(&mut self, mut batch: Batch, base_version: u64, ctx: &mut Context<Self>) {
        self.work = Work::Committing;
        self.updated_at_ms = self.args.clock.unix_ms();
        let change = DocumentChange {
            name: self.args.name.to_string(),
            head: DocumentHead {
                version: self.document.version(),
                announced: self.outbox.announced(),
                conflicts_won: batch.conflicts.won,
                conflicts_lost: batch.conflicts.lost,
                updated_at_ms: self.updated_at_ms,
            },
            entries: batch.records(),
            forgotten: std::mem::take(&mut batch.forgotten),
            documents_max: self.args.documents_max as u64,
            base_version: self.args.is_shared.then_some(base_version),
        };
        let written = self.args.store.write_document(change);
        ctx.spawn(written.into_actor(self).map(|written, actor, ctx| {
            actor.committed(written, batch, ctx);
            actor.go_on(ctx);
        }));
    }

    fn committed(
        &mut self,
        written: Result<DocumentWritten, StoreError>,
        batch: Batch,
        ctx: &mut Context<Self>,
    ) {
        match written {
            Ok(DocumentWritten::Kept) => {
                self.work = Work::Idle;
                for (key, entry, cause) in batch.updates() {
                    let (key, entry, cause) = (key.clone(), entry.clone(), cause.clone());
                    self.outbox.push(Update { key, entry, cause });
                }
                batch.answer(&self.document, self.updated_at_ms);
                self.announce(ctx);
                self.tell_standing();
            }
            Ok(DocumentWritten::Behind) => {
                // Taken up again, upon what the others wrote.
                for request in batch.requests().collect::<Vec<_>>().into_iter().rev() {
                    self.waiting.push_front(request);
                }
                self.read_store(ctx);
            }
            Ok(DocumentWritten::TooMany) => {
                batch.fail(&SyncError::TooMany { documents_max: self.args.documents_max });
                self.read_store(ctx);
            }
            Err(error) => {
                // Whether it is there is only known from the store.
                batch.fail(&SyncError::Store(error));
                self.read_store(ctx);
            }
        }
    }

    /// Publishes what the topic does not have yet, in order.
    fn announce(&mut self, ctx: &mut Context<Self>) {
        if self.announcing || self.outbox.is_empty() {
            return;
        }
        self.announcing = true;
        let sent: Vec<_> = self.outbox.front(ANNOUNCE_MAX).map_while(|update| self.publish(update)).collect();
        let told = async move {
            let mut told = 0;
            for answer in sent {
                match answer.await {
                    Ok(Ok(_position)) => told += 1,
                    _failed => break,
                }
            }
            told
        };
        ctx.spawn(told.into_actor(self).map(|told, actor, ctx| {
            actor.announcing = false;
            actor.outbox.told(told);
            actor.tell_standing();
            if told == 0 {
                // Overloaded, or the store is away: subscribers wait, writers do not until the bound.
                ctx.run_later(Duration::from_millis(RETRY_MS), Self::announce);
            } else if actor.outbox.is_empty() {
                actor.note_announced(ctx);
            } else {
                actor.announce(ctx);
            }
        }));
    }

    fn publish(&self, update: &Update) -> Option<oneshot::Receiver<Result<Published, TopicError>>> {
        let payload =
            UpdateView { doc: self.args.name.as_str(), key: KeyView::of(&update.key, &update.entry) };
        let draft = match Draft::of(&payload) {
            Ok(draft) => draft,
            Err(error) => {
                tracing::error!(doc = %self.args.name, %error, "update does not serialize");
                return None;
            }
        };
        // Longer ones are from before the setting was lowered.
        let is_short = update.key.len() <= self.args.limits.key_bytes_max;
        let draft = if is_short { draft.keyed(update.key.clone()) } else { draft };
        let (sender, receiver) = oneshot::channel();
        let topic = TopicName::of_document(&self.args.name);
        match self.args.broker.publish(&topic, draft, Reply::Caller(sender), &update.cause) {
            Ok(()) => Some(receiver),
            Err(error) => {
                tracing::debug!(doc = %self.args.name, %error, "update not published yet");
                None
            }
        }
    }

    /// Remembers that the topic has everything, so that the next start does not publish it again.
    fn note_announced(&self, ctx: &mut Context<Self>) {
        let noted = self.args.store.document_announced(self.args.name.as_str(), self.outbox.announced());
        let name = self.args.name.clone();
        ctx.spawn(noted.into_actor(self).map(move |noted, _actor, _ctx| {
            if let Err(error) = noted {
                tracing::debug!(doc = %name, %error, "updates may be published again");
            }
        }));
    }
}

impl Restart for DocumentActor {
    const KIND: &'static str = "document";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(DocumentActor);

impl Actor for DocumentActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.read_store(ctx);
    }
}

impl Handler<Queued<Put>> for DocumentActor {
    type Result = ();

    fn handle(&mut self, put: Queued<Put>, ctx: &mut Self::Context) {
        if let Some(faults) = &self.args.faults {
            assert!(!faults.is_poison(&put.msg.write.key), "fault scenario poison_message");
        }
        self.waiting.push_back(Request::Put(put));
        self.go_on(ctx);
    }
}

impl Handler<Queued<Get>> for DocumentActor {
    type Result = ();

    fn handle(&mut self, get: Queued<Get>, ctx: &mut Self::Context) {
        self.waiting.push_back(Request::Get(get));
        self.go_on(ctx);
    }
}
