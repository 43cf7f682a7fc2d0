//! What webhooks are told of, and the body of a request. Pure.

use serde::Serialize;
use uuid::Uuid;

use crate::clock::rfc3339;
use crate::config::WebhookEvent;
use crate::mailbox::Item;
use crate::protocol::priority::Priority;

/// What has happened; the fields are `data` of the body.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Event<'a> {
    /// A client has connected.
    Connect {
        /// The session's name.
        client_id: &'a str,
        /// Who it is.
        subject: &'a str,
        /// Its role.
        role: &'static str,
        /// Whether the session was there before.
        resumed: bool,
    },
    /// A connection is over; the session may be resumed by another one.
    Disconnect {
        /// The session's name.
        client_id: &'a str,
        /// Who it was.
        subject: &'a str,
        /// Number of the close code.
        code: u16,
        /// The same in words.
        reason: &'static str,
        /// How long the connection lasted, in milliseconds.
        connection_ms: u64,
        /// How long ago the session began, in milliseconds.
        session_ms: u64,
    },
    /// The first member is in a room.
    RoomOccupied {
        /// Which.
        room: &'a str,
        /// Who.
        client_id: &'a str,
    },
    /// The last one is out.
    RoomVacated {
        /// Which.
        room: &'a str,
        /// Who.
        client_id: &'a str,
    },
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    event: &'static str,
    timestamp: String,
    hub: &'a str,
    data: &'a Event<'a>,
}

impl Event<'_> {
    /// Which event of the settings.
    pub fn kind(&self) -> WebhookEvent {
        match self {
            Self::Connect { .. } => WebhookEvent::Connect,
            Self::Disconnect { .. } => WebhookEvent::Disconnect,
            Self::RoomOccupied { .. } => WebhookEvent::RoomOccupied,
            Self::RoomVacated { .. } => WebhookEvent::RoomVacated,
        }
    }

    /// Rooms go before connections, of which there are many more. Both ends of a thing have the same priority, so that
    /// they keep their order as long as the receiver takes each at the first attempt.
    fn priority(&self) -> Priority {
        match self {
            Self::RoomOccupied { .. } | Self::RoomVacated { .. } => Priority::Normal,
            Self::Connect { .. } | Self::Disconnect { .. } => Priority::Low,
        }
    }

    /// What waits until it is delivered.
    pub(super) fn item(&self, now_ms: u64, hub: &str) -> Item {
        let id = Uuid::now_v7().to_string();
        let (event, timestamp) = (self.kind().as_str(), rfc3339(now_ms));
        let body = serde_json::to_vec(&Body { id: &id, event, timestamp, hub, data: self });
        // Texts and numbers: they can be written.
        Item::now(self.priority(), id, body.unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_body_says_what_when_where_and_of_whom() {
        let (client_id, subject, reason) = ("web-1", "ann", "no pong");
        let event =
            Event::Disconnect { client_id, subject, code: 4010, reason, connection_ms: 7, session_ms: 9 };
        let item = event.item(1_795_223_722_042, "here");
        let body: Value = serde_json::from_slice(&item.payload).unwrap();
        assert_eq!(
            body,
            json!({ "id": &*item.id, "event": "disconnect", "timestamp": "2026-11-21T01:15:22.042Z", "hub": "here",
                "data": { "client_id": "web-1", "subject": "ann", "code": 4010, "reason": "no pong",
                    "connection_ms": 7, "session_ms": 9 } })
        );
    }
}
