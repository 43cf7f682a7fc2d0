//! What a connection's actor is told, and the answers that need no topic.

use actix::Message;
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::session::Subscription;
use super::socket::Inbound;
use super::{HubInfo, Identity, Services};
use crate::auth::permission;
use crate::protocol::encoding::Encoding;
use crate::protocol::{msgpack, server};
use crate::websocket::payload_of;

/// Messages from the client wait in the socket.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FramesArrived;

/// The connection is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Gone;

/// What a client id had before its connection.
#[derive(Debug, Default)]
pub struct Resumed {
    /// It had a session.
    pub resumed: bool,
    /// What its last connection was subscribed to.
    pub subscriptions: Vec<Subscription>,
    /// Messages of its own topics that went unseen.
    pub dropped: u64,
}

/// Payload of `connected`.
#[derive(Serialize)]
struct Connected<'a> {
    client_id: &'a str,
    resumed: bool,
    subscriptions: Vec<&'a Subscription>,
    dropped: u64,
    ping_interval_ms: u64,
    role: &'static str,
    subject: &'a str,
    hub: &'a HubInfo,
    limits: ConnectionLimits,
}

/// What a client may ask for.
#[derive(Serialize)]
struct ConnectionLimits {
    frame_bytes: usize,
    topics: usize,
    rooms: usize,
    outbox_bytes: usize,
}

/// The first frame of a connection. Former subscriptions that the token no longer allows are left out.
pub fn connected(services: &Services, identity: &Identity, resumed: &Resumed, now_ms: u64) -> Bytes {
    let settings = &services.settings;
    let client_id = Some(identity.client_id.as_str());
    let allowed = |s: &&Subscription| permission::may_subscribe(&identity.claims, client_id, &s.topic);
    let subscriptions = resumed.subscriptions.iter().filter(allowed).collect();
    let payload = Connected {
        client_id: identity.client_id.as_str(),
        resumed: resumed.resumed,
        subscriptions,
        dropped: resumed.dropped,
        ping_interval_ms: settings.ping_interval_ms,
        role: identity.claims.role.as_str(),
        subject: &identity.claims.sub,
        hub: &services.hub,
        limits: ConnectionLimits {
            frame_bytes: settings.frame_bytes_max,
            topics: settings.topics_max,
            rooms: settings.rooms_max,
            outbox_bytes: settings.outbox_bytes_max,
        },
    };
    server::control("connected", now_ms, None, &payload)
}

/// What a client would send to subscribe to these topics.
pub(super) fn subscribe(encoding: Encoding, topics: &[&str]) -> Inbound {
    let text = json!({ "type": "subscribe", "topics": topics }).to_string();
    match encoding {
        Encoding::Json => Inbound::Text(text.into()),
        Encoding::Msgpack => {
            Inbound::Binary(payload_of(&msgpack::frame_of_json(text.as_bytes())).to_vec().into())
        }
    }
}
