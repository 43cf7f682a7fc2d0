//! Past messages as answers show them.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::topic::log::Stored;

/// Bytes of messages that one answer carries.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A past message as answers show it.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryItem {
    /// Identity.
    pub id: String,
    /// Position in the epoch.
    pub offset: u64,
    /// When the hub took it, RFC 3339.
    pub timestamp: String,
    /// What it is the newest value of.
    pub key: Option<String>,
    /// What was published.
    pub payload: Box<RawValue>,
}

impl HistoryItem {
    /// A message as the topic keeps it.
    pub fn of(message: &crate::topic::log::Stored) -> Self {
        let payload = RawValue::from_string(message.payload_text().to_owned());
        Self {
            id: message.id.to_string(),
            offset: message.offset,
            timestamp: crate::clock::rfc3339(message.unix_ms),
            key: message.key.as_deref().map(str::to_owned),
            payload: payload.unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }
}

/// What of a page fits into one answer, and whether something did not: the first messages of one that goes
/// `forward` from a reader's place, else the last ones. At least one message.
pub fn page_of_bytes(messages: &[Stored], forward: bool) -> (&[Stored], bool) {
    let mut bytes = 0;
    let mut fits = |message: &Stored| {
        let first = bytes == 0;
        bytes += message.bytes();
        first || bytes <= ANSWER_BYTES_MAX
    };
    let kept = if forward {
        let until = messages.iter().take_while(|message| fits(message)).count();
        messages.get(..until)
    } else {
        let left_out = messages.len() - messages.iter().rev().take_while(|message| fits(message)).count();
        messages.get(left_out..)
    };
    let kept = kept.unwrap_or_default();
    (kept, kept.len() < messages.len())
}
