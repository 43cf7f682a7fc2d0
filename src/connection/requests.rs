//! What a connection's actor is told, and the answers that need no topic.

use actix::Message;
use bytes::Bytes;
use serde_json::json;

use super::{Identity, Services};
use crate::protocol::server;

/// Messages from the client wait in the socket.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FramesArrived;

/// The connection is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Gone;

/// The first frame of a connection.
pub fn connected(services: &Services, identity: &Identity, now_ms: u64) -> Bytes {
    let settings = &services.settings;
    let payload = json!({
        "client_id": identity.client_id,
        "resumed": false,
        "subscriptions": [],
        "dropped": 0,
        "ping_interval_ms": settings.ping_interval_ms,
        "role": identity.claims.role.as_str(),
        "subject": identity.claims.sub,
        "hub": services.hub,
        "limits": {
            "frame_bytes": settings.frame_bytes_max,
            "topics": settings.topics_max,
            "rooms": settings.rooms_max,
            "outbox_bytes": settings.outbox_bytes_max,
        },
    });
    server::control("connected", now_ms, None, &payload)
}
