//! A subscribe request under way: its one answer comes when all of its topics have answered, before any of
//! their messages. Pure.

use serde::Serialize;
use serde_json::value::RawValue;

use super::feed::FeedOptions;
use super::history::HistoryItem;
use crate::ids::{RoomName, TopicName};
use crate::protocol::server::SubscribedTopic;

/// The answer that a request gets when its last topic has answered.
#[derive(Debug)]
pub enum Answer {
    /// `subscribed`, with the topics that could be subscribed.
    Subscribed,
    /// `room_joined`.
    RoomJoined {
        /// Which.
        room: RoomName,
        /// The connection was not in it before.
        newly: bool,
    },
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
    /// A later request has subscribed to one of them again before this one was answered.
    pub superseded: bool,
    /// For a room: its name and members, from the room's actor.
    pub room: Option<Box<RawValue>>,
    /// For a room: its newest messages.
    pub history: Vec<HistoryItem>,
    /// What was asked of topics, by name; those that are not here were asked for plainly.
    pub options: Vec<(TopicName, FeedOptions)>,
}

impl Hold {
    /// What was asked of a topic.
    pub fn options_of(&self, name: &str) -> FeedOptions {
        let asked = self.options.iter().find(|(asked, _)| asked.as_str() == name);
        asked.map(|(_, options)| options.clone()).unwrap_or_default()
    }

    /// A later request has answered for this topic.
    pub fn supersede(&mut self, topic: u32) {
        let before = self.topics.len();
        self.topics.retain(|(known, _)| *known != topic);
        self.superseded |= self.topics.len() < before;
    }

    /// The payload of the answer.
    pub fn payload(&self) -> HoldPayload<'_> {
        match self.answer {
            Answer::Subscribed => {
                HoldPayload::Subscribed { topics: self.topics.iter().map(|(_, topic)| topic).collect() }
            }
            Answer::RoomJoined { .. } => {
                HoldPayload::RoomJoined { room: self.room.as_deref(), history: &self.history }
            }
        }
    }

    /// The frame type of the answer.
    pub fn kind(&self) -> &'static str {
        match self.answer {
            Answer::Subscribed => "subscribed",
            Answer::RoomJoined { .. } => "room_joined",
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
