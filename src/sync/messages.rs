//! What a document can be told and asked, and how it shows itself.

use std::sync::Arc;

use actix::Message;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::SyncError;
use super::clock::HybridTime;
use super::document::{Conflicts, Document, Entry, Outcome, Write};

/// Write to a key. Answered after the commit. Refused when the mailbox is full.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Put {
    /// What is written.
    pub write: Write,
    /// Who waits for the outcome.
    pub reply: oneshot::Sender<Result<Outcome, SyncError>>,
}

/// Read the document as it is after everything that was asked before. Refused when the mailbox is full.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Get {
    /// Only these keys; all when `None`.
    pub keys: Option<Vec<Arc<str>>>,
    /// Who waits for it.
    pub reply: oneshot::Sender<Result<DocumentView, SyncError>>,
}

/// One key as clients see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct KeyView {
    /// The key.
    #[schema(value_type = String)]
    pub key: Arc<str>,
    /// Its value; null when it was deleted.
    #[schema(value_type = Object)]
    pub value: Box<RawValue>,
    /// How often it was written.
    pub version: u64,
    /// Hybrid time of the write: RFC 3339 with nine digits.
    #[schema(value_type = String)]
    pub timestamp: HybridTime,
    /// Client id of who wrote.
    #[schema(value_type = String)]
    pub writer: Arc<str>,
}

impl KeyView {
    /// A key with what it holds.
    pub fn of(key: &Arc<str>, entry: &Entry) -> Self {
        Self {
            key: key.clone(),
            value: json(entry.value.as_deref()),
            version: entry.version,
            timestamp: entry.time,
            writer: entry.writer.clone(),
        }
    }
}

/// A kept value as JSON; what is not JSON, as only a damaged database has it, reads as null.
pub(super) fn json(value: Option<&str>) -> Box<RawValue> {
    let text = value.and_then(|text| RawValue::from_string(text.to_owned()).ok());
    text.unwrap_or_else(|| RawValue::NULL.to_owned())
}

/// A document, or the part of it that was asked for.
#[derive(Debug, Clone)]
pub struct DocumentView {
    /// Writes applied to it.
    pub version: u64,
    /// Keys that have a value.
    pub keys: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
    /// Writes that found somebody else's in between.
    pub conflicts: Conflicts,
    /// The newest change, Unix milliseconds; 0 when there was none.
    pub updated_at_ms: u64,
    /// By key; deleted ones with a null.
    pub entries: Vec<KeyView>,
}

impl DocumentView {
    /// The document with these keys, or all.
    pub fn of(document: &Document, updated_at_ms: u64, keys: Option<&[Arc<str>]>) -> Self {
        let entries = match keys {
            None => document.entries().map(|(key, entry)| KeyView::of(key, entry)).collect(),
            Some(keys) => {
                let mut keys = keys.to_vec();
                keys.sort_unstable();
                keys.dedup();
                let known = keys.iter().filter_map(|key| document.entry(key));
                known.map(|(key, entry)| KeyView::of(key, entry)).collect()
            }
        };
        Self {
            version: document.version(),
            keys: document.keys(),
            bytes: document.bytes(),
            conflicts: document.conflicts(),
            updated_at_ms,
            entries,
        }
    }
}

/// Payload of `sync_update`: one write, as the subscribers of the document's topic get it.
#[derive(Debug, Serialize)]
pub(super) struct UpdateView<'a> {
    pub(super) doc: &'a str,
    #[serde(flatten)]
    pub(super) key: KeyView,
}
