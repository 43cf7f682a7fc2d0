//! Machines as the store had them when they were last read: what is shown of those of other hub nodes while it is gone.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::Mutex;

use crate::store::NodeRecord;

/// Further ones are not remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Time between two readings of all, in milliseconds.
const READ_APART_MS: u64 = 30_000;

#[derive(Debug, Default)]
pub(super) struct Remembered {
    known: Mutex<BTreeMap<String, NodeRecord>>,
    /// When all were read last, monotonic milliseconds.
    read_ms: Mutex<Option<u64>>,
}

impl Remembered {
    /// All are to be read again.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.read_ms.lock().is_none_or(|read_ms| now_ms >= read_ms + READ_APART_MS)
    }

    /// All were read.
    pub(super) fn note_read(&self, now_ms: u64) {
        *self.read_ms.lock() = Some(now_ms);
    }

    /// All were read once: what is not here is not there.
    pub(super) fn is_known(&self) -> bool {
        self.read_ms.lock().is_some()
    }

    /// The store has these after `after`, of at most `limit`.
    pub(super) fn learn(&self, after: Option<&str>, limit: usize, records: &[NodeRecord]) {
        let last = records.last().filter(|_| records.len() == limit).map(|record| record.name.as_str());
        let mut known = self.known.lock();
        known.retain(|name, _| {
            let is_told =
                after.is_none_or(|after| &**name > after) && last.is_none_or(|last| &**name <= last);
            !is_told
        });
        let room = REMEMBERED_MAX.saturating_sub(known.len());
        known.extend(records.iter().take(room).map(|record| (record.name.clone(), record.clone())));
    }

    pub(super) fn page(&self, after: Option<&str>, limit: usize) -> Vec<NodeRecord> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.known.lock();
        known
            .range::<str, _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, record)| record.clone())
            .collect()
    }

    pub(super) fn one(&self, name: &str) -> Option<NodeRecord> {
        self.known.lock().get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> NodeRecord {
        NodeRecord { name: name.to_owned(), ..NodeRecord::default() }
    }

    fn names(remembered: &Remembered, after: Option<&str>, limit: usize) -> Vec<String> {
        remembered.page(after, limit).into_iter().map(|record| record.name).collect()
    }

    #[test]
    fn what_was_read_last_is_known_and_what_was_not_there_any_more_is_not() {
        let remembered = Remembered::default();
        remembered.learn(None, 2, &["a", "b"].map(record));
        remembered.learn(Some("b"), 2, &["c", "d"].map(record));
        remembered.learn(Some("d"), 2, &["e"].map(record));
        assert!(remembered.is_due(7) && !remembered.is_known());
        remembered.note_read(7);
        assert!(remembered.is_known() && !remembered.is_due(6 + READ_APART_MS));
        assert!(remembered.is_due(7 + READ_APART_MS));
        assert_eq!(names(&remembered, None, 9), ["a", "b", "c", "d", "e"]);
        assert_eq!(names(&remembered, Some("b"), 2), ["c", "d"]);
        remembered.learn(Some("b"), 2, &["d", "e"].map(record));
        assert_eq!(names(&remembered, None, 9), ["a", "b", "d", "e"], "c was between them");
        remembered.learn(Some("a"), 9, &["d"].map(record));
        assert_eq!(names(&remembered, None, 9), ["a", "d"], "nothing came behind it");
        assert!(remembered.one("d").is_some() && remembered.one("e").is_none());
        let many: Vec<_> = (0..REMEMBERED_MAX + 5).map(|n| record(&format!("n{n:06}"))).collect();
        remembered.learn(None, many.len() + 1, &many);
        assert_eq!(remembered.page(None, usize::MAX).len(), REMEMBERED_MAX);
    }
}
