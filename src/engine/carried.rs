//! A message as it travels through Redis, and what a topic is told (pure).
//!
//! Text: a line of JSON with what the envelope says, then the payload unchanged. So every node makes the same frame
//! of it.

use std::sync::Arc;

use actix::Message;
use serde::{Deserialize, Serialize};

use crate::ids::MessageId;
use crate::protocol::priority::Priority;

/// A message before it has its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Identity.
    pub id: MessageId,
    /// When the hub took it.
    pub unix_ms: u64,
    /// Its urgency.
    pub priority: Priority,
    /// What it is the newest value of.
    pub key: Option<Arc<str>>,
    /// What its publisher calls it.
    pub event_type: Option<Arc<str>>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
    /// JSON text, unchanged.
    pub payload: Box<str>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a>(
    std::borrow::Cow<'a, str>,
    u64,
    std::borrow::Cow<'a, str>,
    Option<std::borrow::Cow<'a, str>>,
    Option<std::borrow::Cow<'a, str>>,
    Option<std::borrow::Cow<'a, str>>,
);

impl Carried {
    /// The text that Redis keeps.
    pub fn text(&self) -> String {
        let line = Line(
            self.id.to_string().into(),
            self.unix_ms,
            self.priority.as_str().into(),
            self.key.as_deref().map(Into::into),
            self.event_type.as_deref().map(Into::into),
            self.correlation_id.as_deref().map(Into::into),
        );
        // Strings and numbers serialize.
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.reserve(1 + self.payload.len());
        text.push('\n');
        text.push_str(&self.payload);
        text
    }

    /// Reads such a text; `None` when it is none: something else writes to these keys.
    pub fn parse(text: &str) -> Option<Self> {
        let (line, payload) = text.split_once('\n')?;
        let Line(id, unix_ms, priority, key, event_type, correlation_id) = serde_json::from_str(line).ok()?;
        Some(Self {
            id: MessageId::parse(&id)?,
            unix_ms,
            priority: Priority::parse(&priority)?,
            key: key.map(|key| key.as_ref().into()),
            event_type: event_type.map(|kind| kind.as_ref().into()),
            correlation_id: correlation_id.map(|id| id.as_ref().into()),
            payload: payload.into(),
        })
    }
}

/// What Redis has after a place of a topic.
#[derive(Debug)]
pub struct Found {
    /// The topic's epoch.
    pub epoch: Arc<str>,
    /// Offset of its newest message.
    pub head: u64,
    /// With their offsets, in rising order.
    pub messages: Vec<(u64, Carried)>,
}

/// What a topic is told of Redis.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum Arrival {
    /// Messages that some node published, the first with that offset.
    Messages {
        /// The epoch.
        epoch: Arc<str>,
        /// Offset of the first.
        first: u64,
        /// In rising order without gaps.
        messages: Vec<Carried>,
    },
    /// The newest value of a key was forgotten.
    Forgotten(Arc<str>),
    /// Something may not have come: read what Redis has.
    CatchUp,
    /// Redis is gone.
    Down,
    /// Redis is back.
    Up,
}

impl Arrival {
    /// What goes on the channel of a topic for messages that have their places, the first at `first`.
    pub fn text(epoch: &str, first: u64, messages: &[Carried]) -> String {
        let texts: Vec<String> = messages.iter().map(Carried::text).collect();
        let lengths: Vec<String> = texts.iter().map(|text| text.len().to_string()).collect();
        format!("{epoch} {first} {}\n{}", lengths.join(","), texts.concat())
    }

    /// Reads what came on the channel of a topic.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(key) = text.strip_prefix('-') {
            return Some(Self::Forgotten(key.into()));
        }
        let (line, mut rest) = text.split_once('\n')?;
        let mut words = line.split(' ');
        let (epoch, first, lengths) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let mut messages = Vec::new();
        for length in lengths.split(',') {
            let (message, behind) = rest.split_at_checked(length.parse().ok()?)?;
            messages.push(Carried::parse(message)?);
            rest = behind;
        }
        Some(Self::Messages { epoch: epoch.into(), first, messages })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn carried(payload: &str) -> Carried {
        Carried {
            id: MessageId::at(1_795_223_722_042),
            unix_ms: 1_795_223_722_042,
            priority: Priority::Low,
            key: Some("a \"key\"\nof two lines".into()),
            event_type: None,
            correlation_id: Some("c-1".into()),
            payload: payload.into(),
        }
    }

    #[test]
    fn a_message_comes_out_of_its_text_as_it_went_in() {
        let message = carried("{\"a\":\n [1, \"ä\"]}");
        assert_eq!(Carried::parse(&message.text()), Some(message));
        for wrong in ["", "null", "[]\n{}", "[\"x\",1,\"low\",null,null,null]\n1"] {
            assert_eq!(Carried::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_push_is_cut_by_bytes() {
        let (one, two) = (carried("\"ä\""), carried("2"));
        let push = format!("e1 7 {},{}\n{}{}", one.text().len(), two.text().len(), one.text(), two.text());
        assert_eq!(push, Arrival::text("e1", 7, &[one.clone(), two.clone()]));
        let Some(Arrival::Messages { epoch, first, messages }) = Arrival::parse(&push) else {
            panic!("{push}")
        };
        assert_eq!((&*epoch, first, messages), ("e1", 7, vec![one, two]));
        assert!(matches!(Arrival::parse("-web-1"), Some(Arrival::Forgotten(key)) if &*key == "web-1"));
        for wrong in ["e1 7 5\n", "e1 x 0\n", "e1 7 1\nä", ""] {
            assert!(Arrival::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
