//! What hub nodes tell each other of a message, and how it is written for the way between them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::MessageId;
use crate::protocol::priority::Priority;

/// A message without its place: all that its frame says, so that it is the same frame on every node.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Identity.
    pub id: MessageId,
    /// When its hub took it, Unix milliseconds.
    pub unix_ms: u64,
    /// Its urgency.
    pub priority: Priority,
    /// What it is the newest value of.
    pub key: Option<Arc<str>>,
    /// What its publisher calls it.
    pub event_type: Option<Arc<str>>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
    /// What was published, JSON.
    pub payload: Box<RawValue>,
}

/// As it travels: MessagePack, the fields by position.
#[derive(Serialize, Deserialize)]
struct Written(String, u64, String, Option<Arc<str>>, Option<Arc<str>>, Option<Arc<str>>, String);

impl Entry {
    fn written(&self) -> Written {
        Written(
            self.id.to_string(),
            self.unix_ms,
            self.priority.as_str().to_owned(),
            self.key.clone(),
            self.event_type.clone(),
            self.correlation_id.clone(),
            self.payload.get().to_owned(),
        )
    }
}

impl Written {
    fn read(self) -> Option<Entry> {
        let Self(id, unix_ms, priority, key, event_type, correlation_id, payload) = self;
        Some(Entry {
            id: MessageId::parse(&id)?,
            unix_ms,
            priority: Priority::parse(&priority)?,
            key,
            event_type,
            correlation_id,
            payload: RawValue::from_string(payload).ok()?,
        })
    }
}

/// Several messages of one topic, in order.
pub(super) fn write(entries: &[Entry]) -> Vec<u8> {
    let written: Vec<_> = entries.iter().map(Entry::written).collect();
    // Texts and numbers: nothing of them cannot be written.
    rmp_serde::to_vec(&written).unwrap_or_default()
}

/// Reads back what [`write`] wrote; `None` when it is something else, as of another version.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Entry>> {
    let written: Vec<Written> = rmp_serde::from_slice(bytes).ok()?;
    written.into_iter().map(Written::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let entry = |key: Option<&str>, payload: &str| Entry {
            id: MessageId::at(7),
            unix_ms: 7,
            priority: Priority::Critical,
            key: key.map(Arc::from),
            event_type: None,
            correlation_id: Some("c".into()),
            payload: RawValue::from_string(payload.to_owned()).unwrap(),
        };
        let entries = [entry(Some("k"), r#"{"a": 1.50,"b":"ü"}"#), entry(None, "null")];
        let read = read(&write(&entries)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{entries:?}"), "the payload byte by byte");
        assert!(super::read(b"something else").is_none());
        assert!(super::read(&write(&[])).unwrap().is_empty());
    }
}
