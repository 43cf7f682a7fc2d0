//! Names that were checked once: parsed from text, then carried as types.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Why a text is no name of its kind. Says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Shorter or longer than the kind allows.
    #[error("{kind} must have 1 to {chars_max} characters, not {chars}")]
    Length {
        /// What the text should have named.
        kind: &'static str,
        /// Longest name of this kind.
        chars_max: usize,
        /// How long the text was.
        chars: usize,
    },
    /// Has a character that the kind does not allow.
    #[error("{kind} may have only {allowed}, not {found:?}")]
    Character {
        /// What the text should have named.
        kind: &'static str,
        /// The allowed characters, in words.
        allowed: &'static str,
        /// The first one that is not allowed.
        found: char,
    },
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $chars_max:expr, $extra:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name of this kind, in characters.
            pub const CHARS_MAX: usize = $chars_max;

            /// Checks length and characters.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text, $kind, $chars_max, $extra, concat!("A-Z a-z 0-9 and ", $extra))?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as shared text.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name_type!(
    /// Names a client's session across reconnects.
    ClientId, "a client id", 128, "._:-"
);
name_type!(
    /// Names a topic, namespace first: `metrics:web-1`.
    TopicName, "a topic name", 200, "._:@/-"
);
name_type!(
    /// Names a room; its topic is `room:{room}`.
    RoomName, "a room name", 128, "._:@-"
);
name_type!(
    /// Names a document of shared state; its topic is `sync:{doc}`.
    DocName, "a document name", 128, "._:@-"
);
name_type!(
    /// Names a monitored machine.
    NodeName, "a node name", 128, "._-"
);
name_type!(
    /// Names a metric, unit last: `disk_used_bytes`.
    MetricName, "a metric name", 128, "._:/-"
);

fn check(
    text: &str,
    kind: &'static str,
    chars_max: usize,
    extra: &str,
    allowed: &'static str,
) -> Result<(), IdError> {
    if text.is_empty() || text.len() > chars_max {
        return Err(IdError::Length { kind, chars_max, chars: text.chars().count() });
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || extra.contains(*c))) {
        Some(found) => Err(IdError::Character { kind, allowed, found }),
        None => Ok(()),
    }
}

impl NodeName {
    /// The hub's own node on a host whose name is no node name.
    pub fn hub() -> Self {
        Self(Arc::from("hub"))
    }
}

impl TopicName {
    /// The part before the first `:`, if there is one.
    pub fn namespace(&self) -> Option<&str> {
        self.0.split_once(':').map(|(namespace, _)| namespace)
    }

    /// The topic of a room.
    pub fn of_room(room: &RoomName) -> Self {
        Self(format!("room:{room}").into())
    }

    /// The topic with the updates of a document.
    pub fn of_document(doc: &DocName) -> Self {
        Self(format!("sync:{doc}").into())
    }

    /// The topic with every sample of one node.
    pub fn of_node(node: &NodeName) -> Self {
        Self(format!("metrics:{node}").into())
    }

    /// A name of the hub's own, known to be well formed.
    pub fn well_known(name: &'static str) -> Self {
        debug_assert!(Self::parse(name).is_ok(), "{name}");
        Self(Arc::from(name))
    }
}

/// Identity of a message: UUIDv7, so that sorting by id sorts by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageId(Uuid);

impl MessageId {
    /// A fresh id whose time part is `unix_ms`.
    pub fn at(unix_ms: u64) -> Self {
        let random: [u8; 10] = rand::random();
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// Reads an id back.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }

    /// Writes the 36 characters of the id into `buffer`.
    pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_allowed() {
        assert!(ClientId::parse("web-1.a_b:c").is_ok());
        assert_eq!(
            ClientId::parse("a/b").unwrap_err().to_string(),
            "a client id may have only A-Z a-z 0-9 and ._:-, not '/'"
        );
        assert!(matches!(ClientId::parse(""), Err(IdError::Length { chars: 0, .. })));
        assert!(matches!(TopicName::parse(&"x".repeat(10_240)), Err(IdError::Length { chars: 10_240, .. })));
        assert!(TopicName::parse("bench:t").is_ok());
        assert!(NodeName::parse("web 1").is_err());
    }

    #[test]
    fn the_topics_of_rooms_documents_and_nodes_fit_their_limit() {
        let longest = "x".repeat(RoomName::CHARS_MAX);
        let room = RoomName::parse(&longest).unwrap();
        assert!(TopicName::parse(TopicName::of_room(&room).as_str()).is_ok());
        let doc = DocName::parse(&longest).unwrap();
        assert!(TopicName::parse(TopicName::of_document(&doc).as_str()).is_ok());
        let node = NodeName::parse(&longest).unwrap();
        assert!(TopicName::parse(TopicName::of_node(&node).as_str()).is_ok());
    }

    #[test]
    fn message_ids_sort_by_time() {
        assert!(MessageId::at(1_000).to_string() < MessageId::at(2_000).to_string());
    }
}
