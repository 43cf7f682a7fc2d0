//! Frames that clients send: the envelope, then the payload of each type.
//!
//! Payload fields may stand at top level when there is no `payload`. Unknown fields are ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::codes::Code;
use super::priority::Priority;
use super::topic_request::{Recover, TopicRequest};

/// The types a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameType {
    /// Round trip; the hub answers `pong`.
    Ping,
    /// Start receiving topics.
    Subscribe,
    /// Stop receiving topics.
    Unsubscribe,
    /// Become a member of a room.
    JoinRoom,
    /// Leave a room.
    LeaveRoom,
    /// Say something to a room.
    RoomMessage,
    /// Publish to a topic.
    Publish,
    /// Messages of the client's own topics have arrived.
    Ack,
    /// Past messages of a topic.
    History,
    /// Samples of a node.
    Metrics,
    /// Read shared state.
    SyncGet,
    /// Write shared state.
    SyncPut,
    /// Who is in a room.
    Presence,
    /// A new token for this connection.
    Refresh,
}

impl FrameType {
    /// All types, in the order of the protocol document.
    pub const ALL: [Self; 14] = [
        Self::Ping,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::JoinRoom,
        Self::LeaveRoom,
        Self::RoomMessage,
        Self::Publish,
        Self::Ack,
        Self::History,
        Self::Metrics,
        Self::SyncGet,
        Self::SyncPut,
        Self::Presence,
        Self::Refresh,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::JoinRoom => "join_room",
            Self::LeaveRoom => "leave_room",
            Self::RoomMessage => "room_message",
            Self::Publish => "publish",
            Self::Ack => "ack",
            Self::History => "history",
            Self::Metrics => "metrics",
            Self::SyncGet => "sync_get",
            Self::SyncPut => "sync_put",
            Self::Presence => "presence",
            Self::Refresh => "refresh",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// A frame whose envelope is understood; the payload is parsed by type on demand.
#[derive(Debug)]
pub struct ClientFrame<'a> {
    /// What the client wants.
    pub kind: FrameType,
    /// The client's id of this request, echoed as `metadata.reply_to`.
    pub id: Option<Cow<'a, str>>,
    payload: &'a str,
}

/// Why a frame was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FrameError {
    /// Row of the table.
    pub code: Code,
    /// What was wrong and what is allowed.
    pub message: String,
    /// The id of the request, where it could be read.
    pub reply_to: Option<String>,
}

/// Longest id of a request, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    version: Option<u32>,
}

impl<'a> ClientFrame<'a> {
    /// Reads the envelope.
    pub fn parse(text: &'a str) -> Result<Self, FrameError> {
        let envelope: Envelope<'a> = serde_json::from_str(text).map_err(|e| fault(&e, None))?;
        let reply_to = envelope.id.as_deref().map(str::to_owned);
        let fail = |code, message| FrameError { code, message, reply_to: reply_to.clone() };
        if let Some(id) = &envelope.id
            && id.len() > REQUEST_ID_BYTES_MAX
        {
            let message = format!("`id` may have at most {REQUEST_ID_BYTES_MAX} bytes, not {}", id.len());
            return Err(FrameError { code: Code::InvalidField, message, reply_to: None });
        }
        if let Some(version) = envelope.version
            && version != super::VERSION
        {
            return Err(fail(Code::InvalidField, format!("`version` must be 1, not {version}")));
        }
        let name =
            envelope.kind.ok_or_else(|| fail(Code::MissingField, "missing field `type`".to_owned()))?;
        let Some(kind) = FrameType::parse(&name) else {
            let known: Vec<_> = FrameType::ALL.iter().map(|t| t.as_str()).collect();
            let shown: String = name.chars().take(40).collect();
            return Err(fail(
                Code::UnknownType,
                format!("unknown type {shown:?}; known: {}", known.join(", ")),
            ));
        };
        Ok(Self { kind, id: envelope.id, payload: envelope.payload.map_or(text, RawValue::get) })
    }

    /// Reads the payload as the type's own.
    pub fn payload<T: Deserialize<'a>>(&self) -> Result<T, FrameError> {
        serde_json::from_str(self.payload).map_err(|e| fault(&e, self.id.as_deref().map(str::to_owned)))
    }
}

fn fault(error: &serde_json::Error, reply_to: Option<String>) -> FrameError {
    let message = error.to_string();
    let code = match error.classify() {
        serde_json::error::Category::Data if message.starts_with("missing field") => Code::MissingField,
        serde_json::error::Category::Data => Code::InvalidField,
        _ => Code::InvalidJson,
    };
    FrameError { code, message, reply_to }
}

/// Payload of `ping`.
#[derive(Debug, Deserialize)]
pub struct Ping<'a> {
    /// Any JSON value, echoed.
    #[serde(borrow, default)]
    pub t: Option<&'a RawValue>,
}

/// Payload of `subscribe` and `unsubscribe`.
#[derive(Debug, Deserialize)]
pub struct Topics {
    /// Names, or objects with a name.
    pub topics: Vec<TopicRequest>,
}

/// Payload of `leave_room` and `presence`.
#[derive(Debug, Deserialize)]
pub struct Room<'a> {
    /// The room's name, not yet checked.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
}

/// Payload of `join_room`.
#[derive(Debug, Deserialize)]
pub struct JoinRoom<'a> {
    /// The room's name, not yet checked.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    /// What the members are shown of the newcomer: an object, not yet checked.
    #[serde(borrow, default)]
    pub info: Option<&'a RawValue>,
}

/// Payload of `room_message`.
#[derive(Debug, Deserialize)]
pub struct RoomMessage<'a> {
    /// The room's name, not yet checked.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    /// What is said.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// Payload of `ack`: `ids`, or `topic` and `offset`.
#[derive(Debug, Deserialize)]
pub struct Ack<'a> {
    /// Messages, one by one.
    pub ids: Option<Vec<String>>,
    /// One of the client's own topics...
    #[serde(borrow, default)]
    pub topic: Option<Cow<'a, str>>,
    /// ...of which everything up to this offset has arrived.
    pub offset: Option<u64>,
}

/// Payload of `history`.
#[derive(Debug, Deserialize)]
pub struct History<'a> {
    /// The topic's name, not yet checked.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// Where the client stands; the newest messages when it is left out.
    pub since: Option<Recover>,
    /// How many messages at most.
    pub limit: Option<usize>,
}

/// Payload of `publish`.
#[derive(Debug, Deserialize)]
pub struct Publish<'a> {
    /// The topic's name, not yet checked.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// What is published, delivered unchanged.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// Overrides the topic's.
    pub priority: Option<Priority>,
    /// What the message is the newest value of.
    #[serde(borrow, default)]
    pub key: Option<Cow<'a, str>>,
}

/// Payload of `sync_get`.
#[derive(Debug, Deserialize)]
pub struct SyncGet<'a> {
    /// The document's name, not yet checked.
    #[serde(borrow)]
    pub doc: Cow<'a, str>,
    /// Only these keys.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
}

/// Payload of `sync_put`.
#[derive(Debug, Deserialize)]
pub struct SyncPut<'a> {
    /// The document's name, not yet checked.
    #[serde(borrow)]
    pub doc: Cow<'a, str>,
    /// Which key, not yet checked.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What is written; null deletes.
    #[serde(borrow)]
    pub value: &'a RawValue,
    /// The version of the key that the writer saw; 0 when it saw none.
    pub base_version: u64,
    /// When the writer wrote, by its own clock; not yet checked.
    #[serde(borrow, default)]
    pub timestamp: Option<&'a RawValue>,
}

/// Payload of `refresh`.
#[derive(Debug, Deserialize)]
pub struct Refresh<'a> {
    /// The new token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_fields_may_stand_at_top_level() {
        let frame =
            ClientFrame::parse(r#"{"type":"subscribe","topics":["a",{"topic":"b"}],"new":1}"#).unwrap();
        let topics: Topics = frame.payload().unwrap();
        assert_eq!(topics.topics.iter().map(|t| &t.topic).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn published_data_is_kept_as_it_was_written() {
        let text = r#"{"type":"publish","id":"7","payload":{"topic":"t","data":{"a": 1.50}}}"#;
        let frame = ClientFrame::parse(text).unwrap();
        assert_eq!(frame.id.as_deref(), Some("7"));
        let publish: Publish<'_> = frame.payload().unwrap();
        assert_eq!(publish.data.get(), r#"{"a": 1.50}"#);
    }

    #[test]
    fn faults_have_their_own_codes() {
        let cases = [
            (r#"{"type":"#, Code::InvalidJson),
            ("[]", Code::InvalidField),
            ("{}", Code::MissingField),
            (r#"{"type":"dance"}"#, Code::UnknownType),
            (r#"{"type":"ping","version":2}"#, Code::InvalidField),
            (r#"{"type":"publish","id":NaN}"#, Code::InvalidJson),
        ];
        for (text, code) in cases {
            assert_eq!(ClientFrame::parse(text).unwrap_err().code, code, "{text}");
        }
        let frame = ClientFrame::parse(r#"{"type":"publish","id":"9","payload":{"topic":"t"}}"#).unwrap();
        let error = frame.payload::<Publish<'_>>().unwrap_err();
        assert_eq!((error.code, error.reply_to.as_deref()), (Code::MissingField, Some("9")));
        assert!(error.message.contains("`data`"));
    }
}
