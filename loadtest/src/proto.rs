//! The two protocols a run can speak.

use std::net::SocketAddrV4;

use clap::ValueEnum;

use crate::marker::Marker;

/// The key of the RFC's example and what belongs to it: a bench needs no nonce.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The hub's request to subscribe.
pub(crate) const SUBSCRIBE: &[u8] = br#"{"type":"subscribe","id":"s","payload":{"topics":["bench:t"]}}"#;
const PUBLISH: &[u8] =
    br#"{"type":"publish","id":"7","payload":{"topic":"bench:t","priority":"critical","data":""#;
const PUBLISH_END: &[u8] = br#""}}"#;

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proto {
    /// The baseline: any text subscribes, what is published comes back as it is
    Raw,
    /// The hub's native protocol, version 1
    Infrawatch,
}

impl Proto {
    /// The upgrade request of a subscriber with its number, or of the publisher, which has none.
    pub(crate) fn request(self, addr: SocketAddrV4, token: Option<&str>, number: Option<usize>) -> String {
        let path = match (self, number) {
            (Self::Raw, Some(_)) => "/sub".to_owned(),
            (Self::Raw, None) => "/pub".to_owned(),
            (Self::Infrawatch, Some(number)) => format!("/ws/sub-{number}"),
            (Self::Infrawatch, None) => "/ws/publisher".to_owned(),
        };
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{authorization}\r\n"
        )
    }

    /// Appends what publishes one message whose data has `payload_bytes`.
    pub(crate) fn write_publish(self, marker: Marker, payload_bytes: usize, out: &mut Vec<u8>) {
        match self {
            Self::Raw => marker.write(payload_bytes, out),
            Self::Infrawatch => {
                out.extend_from_slice(PUBLISH);
                marker.write(payload_bytes, out);
                out.extend_from_slice(PUBLISH_END);
            }
        }
    }
}
