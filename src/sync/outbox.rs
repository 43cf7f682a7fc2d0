//! What a document's topic does not have yet: committed writes in the order of their versions. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::document::Entry;
use crate::telemetry::Cause;

/// Writes that may wait for the topic before further ones are refused.
const UPDATES_MAX: usize = 1_024;

/// One committed write.
#[derive(Debug, Clone)]
pub(super) struct Update {
    pub(super) key: Arc<str>,
    pub(super) entry: Entry,
    pub(super) cause: Cause,
}

/// The writes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    updates: VecDeque<Update>,
    /// The topic has every write up to this version of the document.
    announced: u64,
    /// The newest version that is owed, or was.
    seen: u64,
}

impl Outbox {
    /// What a document that was kept still owes its topic: of each key the newest write.
    pub(super) fn restored<'a>(
        announced: u64,
        version: u64,
        entries: impl Iterator<Item = (&'a Arc<str>, &'a Entry)>,
    ) -> Self {
        let owed = entries.filter(|(_, entry)| entry.seq > announced);
        let mut updates: Vec<Update> = owed
            .map(|(key, entry)| Update { key: key.clone(), entry: entry.clone(), cause: Cause::own() })
            .collect();
        updates.sort_unstable_by_key(|update| update.entry.seq);
        let announced = if updates.is_empty() { version } else { announced };
        Self { updates: updates.into(), announced, seen: version }
    }

    /// Owes also what other hub nodes wrote and the topic does not have, as far as the store knows: should they end
    /// before they tell it, it is told all the same, and maybe twice.
    pub(super) fn owe_others<'a>(
        &mut self,
        announced: u64,
        version: u64,
        entries: impl Iterator<Item = (&'a Arc<str>, &'a Entry)>,
    ) {
        let others = Self::restored(announced.max(self.seen), version, entries);
        if self.updates.is_empty() && others.updates.is_empty() {
            self.announced = self.announced.max(announced);
        }
        self.updates.extend(others.updates);
        self.seen = self.seen.max(version);
    }

    pub(super) fn push(&mut self, update: Update) {
        self.seen = self.seen.max(update.entry.seq);
        self.updates.push_back(update);
    }

    /// The oldest ones.
    pub(super) fn front(&self, limit: usize) -> impl Iterator<Item = &Update> {
        self.updates.iter().take(limit)
    }

    /// The topic has the `count` oldest ones now.
    pub(super) fn told(&mut self, count: usize) {
        let count = count.min(self.updates.len());
        for update in self.updates.drain(..count) {
            self.announced = self.announced.max(update.entry.seq);
        }
    }

    /// The topic has every write up to this version of the document.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Whether further writes must wait until the topic has caught up.
    pub(super) fn is_full(&self) -> bool {
        self.updates.len() >= UPDATES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::clock::HybridTime;

    fn entry(seq: u64) -> Entry {
        Entry { value: None, version: 1, time: HybridTime::at(seq), writer: "w".into(), seq }
    }

    #[test]
    fn what_is_owed_is_told_in_the_order_of_versions() {
        let kept: Vec<(Arc<str>, Entry)> =
            [("a", 4), ("b", 2), ("c", 3)].map(|(key, seq)| (key.into(), entry(seq))).into();
        let mut outbox = Outbox::restored(2, 4, kept.iter().map(|(key, entry)| (key, entry)));
        outbox.push(Update { key: "b".into(), entry: entry(5), cause: Cause::own() });
        let seqs = |outbox: &Outbox| outbox.front(9).map(|update| update.entry.seq).collect::<Vec<_>>();
        assert_eq!((seqs(&outbox), outbox.announced()), (vec![3, 4, 5], 2));
        outbox.told(2);
        assert_eq!((seqs(&outbox), outbox.announced()), (vec![5], 4));
        outbox.told(9);
        assert_eq!((outbox.is_empty(), outbox.announced(), outbox.is_full()), (true, 5, false));
    }

    #[test]
    fn what_others_wrote_is_owed_until_the_store_knows_that_it_was_told() {
        let mut outbox = Outbox::default();
        outbox.push(Update { key: "b".into(), entry: entry(5), cause: Cause::own() });
        let others = [("d".into(), entry(6)), ("b".into(), entry(5)), ("e".into(), entry(7))];
        outbox.owe_others(6, 7, others.iter().map(|(key, entry)| (key, entry)));
        let seqs: Vec<_> = outbox.front(9).map(|update| update.entry.seq).collect();
        assert_eq!(seqs, [5, 7], "each once, and not what the topic has");
        outbox.told(9);
        assert_eq!(outbox.announced(), 7);
        outbox.owe_others(9, 9, std::iter::empty());
        assert_eq!((outbox.announced(), outbox.is_empty()), (9, true), "others told it");
    }
}
