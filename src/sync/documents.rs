//! All documents: a name to an actor, made on the first write, let go when it has been idle.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::RwLock;
use tokio::sync::oneshot;

use super::actor::{DocumentActor, DocumentArgs, Standing};
use super::document::{Document, Limits, Outcome, Write};
use super::messages::{DocumentView, Get, Put};
use super::{SyncError, actor};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::SyncSection;
use crate::fault::Faults;
use crate::ids::DocName;
use crate::store::{Store, StoreError};
use crate::supervision::{Inbox, Queued, Restart, Tree, supervised};
use crate::telemetry::Cause;

/// Time between sweeps for idle documents, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 30_000;

/// Documents read from the store at once when the hub starts.
const RECALL_PAGE: usize = 500;

/// Time before the store is asked again for what topics lack, in milliseconds.
const RECALL_RETRY_MS: u64 = 1_000;

/// How long another hub node may take to tell the topic what it wrote, in milliseconds.
const GRACE_MS: u64 = 10_000;

/// What documents are made of.
pub struct DocumentsArgs {
    /// Starts documents.
    pub tree: Tree,
    /// Keeps them.
    pub store: Store,
    /// Has their topics.
    pub broker: Broker,
    /// Bounds.
    pub settings: SyncSection,
    /// Longest key, in bytes: that of messages.
    pub key_bytes_max: usize,
    /// Time.
    pub clock: Clock,
    /// What is to go wrong on purpose.
    pub faults: Option<Arc<Faults>>,
}

struct Open {
    inbox: Inbox<DocumentActor>,
    standing: Arc<Standing>,
}

/// The directory of documents. Cheap to clone.
#[derive(Clone)]
pub struct Documents(Arc<Shared>);

struct Shared {
    open: RwLock<HashMap<DocName, Open>>,
    limits: Arc<Limits>,
    args: DocumentsArgs,
}

impl Documents {
    /// A directory in which nothing is open.
    pub fn new(args: DocumentsArgs) -> Self {
        let limits = Arc::new(Limits {
            keys_max: args.settings.keys_max,
            key_bytes_max: args.key_bytes_max,
            value_bytes_max: args.settings.value_bytes_max,
            document_bytes_max: args.settings.document_bytes_max,
            ahead_ms_max: args.settings.ahead_ms_max,
            tombstone_ms: args.settings.tombstone_ms,
        });
        Self(Arc::new(Shared { open: RwLock::default(), limits, args }))
    }

    /// Sends a write to its document, in the order of the calls; the outcome comes after the commit.
    pub fn put(
        &self,
        doc: &DocName,
        write: Write,
        cause: &Cause,
    ) -> impl Future<Output = Result<Outcome, SyncError>> + use<> {
        let (reply, outcome) = oneshot::channel();
        let sent = self.open(doc).and_then(|()| self.send(doc, Put { write, reply }, cause));
        async move {
            sent?;
            outcome.await.unwrap_or(Err(SyncError::Failed))
        }
    }

    /// Reads a document, or these keys of it, after every write that was sent before.
    pub fn get(
        &self,
        doc: &DocName,
        keys: Option<Vec<Arc<str>>>,
        cause: &Cause,
    ) -> impl Future<Output = Result<DocumentView, SyncError>> + use<> {
        let is_open = self.0.open.read().get(doc).is_some_and(|open| !open.inbox.is_closed());
        let (reply, view) = oneshot::channel();
        // A document that is not open has nothing that the store does not have; nothing is opened by reading.
        let asked = is_open.then(|| self.send(doc, Get { keys: keys.clone(), reply }, cause));
        let (store, doc) = (self.0.args.store.clone(), doc.clone());
        async move {
            match asked {
                Some(sent) => {
                    sent?;
                    view.await.unwrap_or(Err(SyncError::Failed))
                }
                None => Ok(read(&store, &doc, keys.as_deref()).await?),
            }
        }
    }

    fn open(&self, doc: &DocName) -> Result<(), SyncError> {
        if self.0.open.read().get(doc).is_some_and(|open| !open.inbox.is_closed()) {
            return Ok(());
        }
        let mut open = self.0.open.write();
        if open.get(doc).is_some_and(|open| !open.inbox.is_closed()) {
            return Ok(());
        }
        let args = &self.0.args;
        let documents_max = args.settings.documents_max;
        if open.len() >= documents_max && !open.contains_key(doc) {
            return Err(SyncError::TooMany { documents_max });
        }
        let standing = Arc::new(Standing::default());
        standing.touched_ms.store(args.clock.unix_ms(), Ordering::Relaxed);
        let document = DocumentArgs {
            name: doc.clone(),
            store: args.store.clone(),
            broker: args.broker.clone(),
            limits: self.0.limits.clone(),
            documents_max,
            is_shared: args.broker.shares_store(),
            standing: standing.clone(),
            clock: args.clock.clone(),
            faults: args.faults.clone(),
        };
        let inbox = args.tree.start(doc.shared(), DocumentActor::new(document), None);
        open.insert(doc.clone(), Open { inbox, standing });
        Ok(())
    }

    fn send<M>(&self, doc: &DocName, message: M, cause: &Cause) -> Result<(), SyncError>
    where
        actor::DocumentActor: Handler<Queued<M>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        // Sent under the lock, so that a sweep does not let the document go in between.
        let open = self.0.open.read();
        let Some(Open { inbox, standing }) = open.get(doc) else { return Err(SyncError::Overloaded) };
        standing.touched_ms.store(self.0.args.clock.unix_ms(), Ordering::Relaxed);
        inbox.try_send(message, cause).map_err(|_refused| SyncError::Overloaded)
    }

    /// Lets go what nobody used for the idle time and whose topic has everything.
    fn sweep(&self) {
        let now_ms = self.0.args.clock.unix_ms();
        let idle_ms = self.0.args.settings.idle_ms_max;
        self.0.open.write().retain(|_, Open { inbox, standing }| {
            let idle_since = standing.touched_ms.load(Ordering::Relaxed).saturating_add(idle_ms);
            !inbox.is_closed() && (idle_since > now_ms || standing.owes_updates.load(Ordering::Relaxed))
        });
    }
}

async fn read(store: &Store, doc: &DocName, keys: Option<&[Arc<str>]>) -> Result<DocumentView, StoreError> {
    let (head, records) = store.document(doc.as_str()).await?.unwrap_or_default();
    let document = Document::kept(&head, records);
    Ok(DocumentView::of(&document, head.updated_at_ms, keys))
}

/// The parent of the documents: sweeps idle ones, and opens those whose topics lack what a stop or a crash of
/// the hub cut short. Owns nothing that a restart could lose.
pub struct DocumentsActor {
    documents: Documents,
}

impl DocumentsActor {
    /// The parent of these documents.
    pub fn new(documents: Documents) -> Self {
        Self { documents }
    }

    fn recall(&mut self, ctx: &mut Context<Self>, after: Option<String>) {
        let args = &self.documents.0.args;
        let (store, now_ms) = (args.store.clone(), args.clock.unix_ms());
        // What another node is at work on is told by that node.
        let before_ms = if args.broker.shares_store() { now_ms.saturating_sub(GRACE_MS) } else { u64::MAX };
        let page = async move { store.unannounced_documents(before_ms, after.as_deref(), RECALL_PAGE).await };
        ctx.spawn(page.into_actor(self).map(|page, actor, ctx| match page {
            Ok(names) => {
                for name in names.iter().filter_map(|name| DocName::parse(name).ok()) {
                    if let Err(error) = actor.documents.open(&name) {
                        tracing::warn!(doc = %name, %error, "document with unpublished updates not opened");
                    }
                }
                if let Some(last) = names.last().filter(|_| names.len() == RECALL_PAGE) {
                    actor.recall(ctx, Some(last.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "documents not read from the store");
                ctx.run_later(Duration::from_millis(RECALL_RETRY_MS), |actor, ctx| actor.recall(ctx, None));
            }
        }));
    }
}

impl Restart for DocumentsActor {
    const KIND: &'static str = "documents";

    fn fresh(&self) -> Self {
        Self::new(self.documents.clone())
    }
}

supervised!(DocumentsActor);

impl Actor for DocumentsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.recall(ctx, None);
        ctx.run_interval(Duration::from_millis(SWEEP_INTERVAL_MS), |actor, _ctx| actor.documents.sweep());
        if self.documents.0.args.broker.shares_store() {
            ctx.run_interval(Duration::from_millis(GRACE_MS), |actor, ctx| actor.recall(ctx, None));
        }
    }
}
