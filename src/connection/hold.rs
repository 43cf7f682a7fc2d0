//! What waits for the answer of a subscribe request: the answer comes before any message of its topics.
//! Pure.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::protocol::priority::Priority;
use crate::protocol::server::SubscribedTopic;

/// The answer that a request gets when its last topic has answered.
#[derive(Debug)]
pub enum Answer {
    /// `subscribed`, with the topics that could be subscribed.
    Subscribed,
    /// `room_joined`.
    RoomJoined,
}

/// One request under way.
#[derive(Debug)]
pub struct Hold {
    /// Number of the request on its connection.
    pub request: u32,
    /// The client's id of it.
    pub reply_to: Option<Box<str>>,
    /// Which answer it gets.
    pub answer: Answer,
    /// Topics that have not answered.
    pub remaining: usize,
    /// Topics that have.
    pub topics: Vec<(u32, SubscribedTopic)>,
    /// For a room: its name and members, from the room's actor.
    pub room: Option<Box<RawValue>>,
    /// For a room: its newest messages.
    pub history: Vec<HistoryItem>,
    /// Frames of its topics that came meanwhile.
    pub frames: Vec<(u32, Bytes, Priority)>,
    /// Bytes of those frames; they count like the outbox.
    pub frames_bytes: usize,
}

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

impl Hold {
    /// Whether messages of this topic must wait.
    pub fn covers(&self, topic: u32) -> bool {
        self.topics.iter().any(|(id, _)| *id == topic)
    }

    /// The payload of the answer.
    pub fn payload(&self) -> HoldPayload<'_> {
        match self.answer {
            Answer::Subscribed => {
                HoldPayload::Subscribed { topics: self.topics.iter().map(|(_, topic)| topic).collect() }
            }
            Answer::RoomJoined => {
                HoldPayload::RoomJoined { room: self.room.as_deref(), history: &self.history }
            }
        }
    }

    /// The frame type of the answer.
    pub fn kind(&self) -> &'static str {
        match self.answer {
            Answer::Subscribed => "subscribed",
            Answer::RoomJoined => "room_joined",
        }
    }
}

/// Payload of `subscribed` or `room_joined`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum HoldPayload<'a> {
    /// `{topics: [...]}`
    Subscribed {
        /// In the order in which they answered.
        topics: Vec<&'a SubscribedTopic>,
    },
    /// `{room, members, history}`
    RoomJoined {
        /// `{room, members}` of the room's actor.
        #[serde(flatten, serialize_with = "inline")]
        room: Option<&'a RawValue>,
        /// The newest messages, oldest first.
        history: &'a [HistoryItem],
    },
}

/// Writes the fields of a JSON object into the object around it.
fn inline<S: serde::Serializer>(raw: &Option<&RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
    let object: serde_json::Map<String, serde_json::Value> =
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    object.serialize(serializer)
}
