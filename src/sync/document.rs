//! Shared state of one document: a value for each key, last write wins. Pure.
//!
//! Of two writes to a key the one with the greater (hybrid time, writer) wins, whatever the order in which they
//! arrive; so everybody who has seen the same writes has the same values. Versions are for writers: who
//! names the version it saw learns whether somebody else wrote in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::{HybridClock, HybridTime, TooFarAhead};
use crate::store::{DocumentHead, EntryRecord};

/// What a document may hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Keys, deleted ones included.
    pub keys_max: usize,
    /// Bytes of one key.
    pub key_bytes_max: usize,
    /// Bytes of one value, as JSON.
    pub value_bytes_max: usize,
    /// Bytes of all keys and values.
    pub document_bytes_max: usize,
    /// How far a writer's time may be ahead.
    pub ahead_ms_max: u64,
    /// How long a deleted key is remembered, when its place is needed.
    pub tombstone_ms: u64,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// JSON text; `None` when the key was deleted.
    pub value: Option<Arc<str>>,
    /// How often the key was written.
    pub version: u64,
    /// When it was written.
    pub time: HybridTime,
    /// By whom.
    pub writer: Arc<str>,
    /// The document's version that this write made.
    pub seq: u64,
}

impl Entry {
    /// Whether this write wins over another one to the same key. What stands behind the writer decides only
    /// between two writes of one writer at one time, taken in different places.
    fn wins_over(&self, other: &Self) -> bool {
        let rank = |entry: &Self| (entry.time, entry.writer.clone(), entry.value.clone(), entry.seq);
        rank(self) > rank(other)
    }

    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

/// A write as its writer asks for it.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which key.
    pub key: Arc<str>,
    /// JSON text; `None` deletes.
    pub value: Option<Arc<str>>,
    /// The version of the key that the writer saw; 0 when it saw none.
    pub base_version: u64,
    /// The writer's own time, if it keeps one.
    pub time: Option<HybridTime>,
    /// Who writes.
    pub writer: Arc<str>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is the key's value now.
    Applied {
        /// As it was applied.
        entry: Entry,
        /// Whether somebody else had written since the version that the writer saw.
        conflict: bool,
        /// Deleted keys that were forgotten to make room.
        forgotten: Vec<Arc<str>>,
    },
    /// Somebody else had written, and that write won.
    Lost {
        /// The write that won.
        current: Entry,
    },
}

/// Why a write cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No key.
    #[error("`key` must have 1 to {bytes_max} bytes, not {bytes}")]
    Key {
        /// The bound.
        bytes_max: usize,
        /// What was given.
        bytes: usize,
    },
    /// The writer names a version that there never was.
    #[error("`base_version` is {base_version}, but the key is at version {version}")]
    BaseAhead {
        /// What was given.
        base_version: u64,
        /// What the key is at.
        version: u64,
    },
    /// The value is too long.
    #[error("`value` may have at most {bytes_max} bytes, not {bytes}")]
    ValueTooLarge {
        /// The bound.
        bytes_max: usize,
        /// What was given.
        bytes: usize,
    },
    /// The document would be too long.
    #[error(
        "the document may have at most {bytes_max} bytes of keys and values, with this value it had {bytes}"
    )]
    DocumentTooLarge {
        /// The bound.
        bytes_max: usize,
        /// What it would come to.
        bytes: usize,
    },
    /// The document would have too many keys.
    #[error("the document has {keys_max} keys (deleted ones count for a while), which is its limit")]
    TooManyKeys {
        /// The bound.
        keys_max: usize,
    },
    /// The writer's clock.
    #[error(transparent)]
    TooFarAhead(#[from] TooFarAhead),
}

/// Writes that found somebody else's in between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// They won all the same.
    pub won: u64,
    /// They lost.
    pub lost: u64,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document {
    entries: BTreeMap<Arc<str>, Entry>,
    version: u64,
    conflicts: Conflicts,
    bytes: usize,
    clock: HybridClock,
}

impl Default for Document {
    fn default() -> Self {
        Self::restored(0, Conflicts::default(), [])
    }
}

impl Document {
    /// A document that has taken over these writes.
    fn restored(
        version: u64,
        conflicts: Conflicts,
        entries: impl IntoIterator<Item = (Arc<str>, Entry)>,
    ) -> Self {
        let clock = HybridClock::after(HybridTime::at(0));
        let mut document = Self { entries: BTreeMap::new(), version, conflicts, bytes: 0, clock };
        for (key, entry) in entries {
            document.absorb(&key, entry);
        }
        document
    }

    /// A document as the store has it.
    pub fn kept(head: &DocumentHead, records: Vec<EntryRecord>) -> Self {
        let entries = records.into_iter().map(|record| {
            let entry = Entry {
                value: record.value.map(Arc::from),
                version: record.version,
                time: HybridTime::from_steps(record.time_steps),
                writer: record.writer.into(),
                seq: record.seq,
            };
            (Arc::<str>::from(record.key), entry)
        });
        let conflicts = Conflicts { won: head.conflicts_won, lost: head.conflicts_lost };
        Self::restored(head.version, conflicts, entries)
    }

    /// How many writes were applied.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Writes that found somebody else's in between.
    pub fn conflicts(&self) -> Conflicts {
        self.conflicts
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keys that have a value.
    pub fn keys(&self) -> usize {
        self.entries.values().filter(|entry| entry.value.is_some()).count()
    }

    /// All keys in order, deleted ones included.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    /// One key.
    pub fn entry(&self, key: &str) -> Option<(&Arc<str>, &Entry)> {
        self.entries.get_key_value(key)
    }

    /// Takes over a write that was applied elsewhere, or before. In any order and any number of times it
    /// comes to the same.
    pub fn absorb(&mut self, key: &Arc<str>, incoming: Entry) {
        self.version = self.version.max(incoming.seq);
        self.clock = HybridClock::after(self.clock.last().max(incoming.time));
        let version = self.entries.get(key).map_or(0, |entry| entry.version).max(incoming.version);
        let known = self.entries.get(key);
        let entry = match known.filter(|known| !incoming.wins_over(known)) {
            Some(known) => Entry { version, ..known.clone() },
            None => Entry { version, ..incoming },
        };
        self.bytes += key.len() + entry.bytes();
        if let Some(former) = self.entries.insert(key.clone(), entry) {
            self.bytes -= key.len() + former.bytes();
        }
    }

    /// Applies a write, or says why not. `wall_ms` is the time on the wall.
    pub fn write(&mut self, write: Write, wall_ms: u64, limits: &Limits) -> Result<Outcome, WriteError> {
        let known = self.entries.get(&write.key).cloned();
        let version = known.as_ref().map_or(0, |entry| entry.version);
        self.check(&write, version, limits)?;
        let given = match write.time {
            Some(time) => {
                self.clock.see(time, wall_ms, limits.ahead_ms_max)?;
                time
            }
            None => self.clock.now(wall_ms),
        };
        let conflict = write.base_version < version;
        // Who saw the current value writes after it, whatever its clock says.
        let after = known.as_ref().filter(|_| !conflict).map(|entry| entry.time.next());
        let entry = Entry {
            value: write.value,
            version: version + 1,
            time: after.map_or(given, |after| after.max(given)),
            writer: write.writer,
            seq: self.version + 1,
        };
        let loses = |known: &Entry| (entry.time, &entry.writer) <= (known.time, &known.writer);
        if let Some(current) = known.filter(loses) {
            self.conflicts.lost += 1;
            return Ok(Outcome::Lost { current });
        }
        // What is deleted never needs room that it did not have.
        let forgotten = match &entry.value {
            None if version > 0 => Vec::new(),
            _ => self.make_room(&write.key, entry.bytes(), wall_ms, limits)?,
        };
        self.conflicts.won += u64::from(conflict);
        self.absorb(&write.key, entry.clone());
        Ok(Outcome::Applied { entry, conflict, forgotten })
    }

    fn check(&self, write: &Write, version: u64, limits: &Limits) -> Result<(), WriteError> {
        let bytes = write.key.len();
        if bytes == 0 || bytes > limits.key_bytes_max {
            return Err(WriteError::Key { bytes_max: limits.key_bytes_max, bytes });
        }
        let bytes = write.value.as_ref().map_or(0, |value| value.len());
        if bytes > limits.value_bytes_max {
            return Err(WriteError::ValueTooLarge { bytes_max: limits.value_bytes_max, bytes });
        }
        if write.base_version > version {
            return Err(WriteError::BaseAhead { base_version: write.base_version, version });
        }
        Ok(())
    }

    /// Looks whether a value of so many bytes has room under the key; forgets old deleted keys when that helps.
    fn make_room(
        &mut self,
        key: &Arc<str>,
        value_bytes: usize,
        wall_ms: u64,
        limits: &Limits,
    ) -> Result<Vec<Arc<str>>, WriteError> {
        let former = self.entries.get(key).map(|entry| key.len() + entry.bytes());
        let bytes = self.bytes - former.unwrap_or(0) + key.len() + value_bytes;
        let keys = self.entries.len() + usize::from(former.is_none());
        if bytes <= limits.document_bytes_max && keys <= limits.keys_max {
            return Ok(Vec::new());
        }
        let is_old = |entry: &Entry| {
            entry.value.is_none() && entry.time.unix_ms().saturating_add(limits.tombstone_ms) <= wall_ms
        };
        let old = self.entries.iter().filter(|(known, entry)| *known != key && is_old(entry));
        let old: Vec<Arc<str>> = old.map(|(known, _)| known.clone()).collect();
        let old_bytes: usize = old.iter().map(|known| known.len()).sum();
        if bytes - old_bytes > limits.document_bytes_max {
            return Err(WriteError::DocumentTooLarge { bytes_max: limits.document_bytes_max, bytes });
        }
        if keys - old.len() > limits.keys_max {
            return Err(WriteError::TooManyKeys { keys_max: limits.keys_max });
        }
        for known in &old {
            self.entries.remove(known);
        }
        self.bytes -= old_bytes;
        Ok(old)
    }
}

#[cfg(test)]
mod tests;
