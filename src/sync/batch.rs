//! Requests of one document that are committed, and answered, together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SyncError;
use super::document::{Conflicts, Document, Entry, Outcome};
use super::messages::{DocumentView, Get, Put};
use crate::store::EntryRecord;
use crate::supervision::Queued;
use crate::telemetry::{Cause, Counter};

/// What a document is asked for.
pub(super) enum Request {
    Put(Queued<Put>),
    Get(Queued<Get>),
}

/// Requests, and what becomes of them when the commit is done.
pub(super) struct Batch {
    pub(super) puts: Vec<(Queued<Put>, Result<Outcome, SyncError>)>,
    pub(super) gets: Vec<Queued<Get>>,
    /// Deleted keys that went.
    pub(super) forgotten: Vec<String>,
    pub(super) conflicts: Conflicts,
}

impl Batch {
    pub(super) fn updates(&self) -> impl Iterator<Item = (&Arc<str>, &Entry, &Cause)> {
        self.puts.iter().filter_map(|(put, outcome)| match outcome {
            Ok(Outcome::Applied { entry, .. }) => Some((&put.msg.write.key, entry, &put.cause)),
            _ => None,
        })
    }

    /// The requests, as if they had not been taken up.
    pub(super) fn requests(self) -> impl Iterator<Item = Request> {
        let puts = self.puts.into_iter().map(|(put, _)| Request::Put(put));
        puts.chain(self.gets.into_iter().map(Request::Get))
    }

    /// The newest write of each key: all that the store keeps.
    pub(super) fn records(&self) -> Vec<EntryRecord> {
        let newest: BTreeMap<&Arc<str>, &Entry> =
            self.updates().map(|(key, entry, _)| (key, entry)).collect();
        let record = |(key, entry): (&Arc<str>, &Entry)| EntryRecord {
            key: key.to_string(),
            value: entry.value.as_deref().map(str::to_owned),
            version: entry.version,
            time_steps: entry.time.steps(),
            writer: entry.writer.to_string(),
            seq: entry.seq,
        };
        newest.into_iter().map(record).collect()
    }

    /// Everybody gets what is due; the document is as the commit left it.
    pub(super) fn answer(self, document: &Document, updated_at_ms: u64) {
        for (put, outcome) in self.puts {
            answer_put(put, outcome);
        }
        for get in self.gets {
            let view = DocumentView::of(document, updated_at_ms, get.msg.keys.as_deref());
            // Whoever asked may have stopped waiting.
            drop(get.msg.reply.send(Ok(view)));
        }
    }

    /// Everybody gets this error instead.
    pub(super) fn fail(self, error: &SyncError) {
        for (put, _) in self.puts {
            answer_put(put, Err(error.clone()));
        }
        for get in self.gets {
            // Whoever asked may have stopped waiting.
            drop(get.msg.reply.send(Err(error.clone())));
        }
    }
}

fn answer_put(put: Queued<Put>, outcome: Result<Outcome, SyncError>) {
    let label = match &outcome {
        Ok(Outcome::Applied { conflict: false, .. }) => "applied",
        Ok(Outcome::Applied { conflict: true, .. }) => "conflict_won",
        Ok(Outcome::Lost { .. }) => "conflict_lost",
        Err(_) => "refused",
    };
    Counter::SyncPuts.add_for(label, 1);
    // Whoever asked may have stopped waiting; what was committed stays.
    drop(put.msg.reply.send(outcome));
}
