//! The client that does not read: a real one, over a socket to the hub's own port.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use crate::protocol::encoding::Encoding;

/// Its kernel takes little, so that what it does not read waits in the hub.
const RECEIVE_BYTES: u32 = 4 * 1024;

/// Connects, subscribes, and reads no more. Ends only with an error.
pub(super) async fn run(
    address: SocketAddr,
    client_id: String,
    token: String,
    topic: String,
) -> Result<(), String> {
    let told = |what: &'static str| move |error: &dyn std::fmt::Display| format!("{what}: {error}");
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| told("socket")(&error))?;
    socket.set_recv_buffer_size(RECEIVE_BYTES).map_err(|error| told("socket")(&error))?;
    let stream = socket.connect(address).await.map_err(|error| told("connect")(&error))?;
    let uri = format!("ws://{address}/ws/{client_id}").parse().map_err(|_uri| "no address".to_owned())?;
    let request = ClientRequestBuilder::new(uri)
        .with_sub_protocol(Encoding::Json.sub_protocol())
        .with_header("Authorization", format!("Bearer {token}"));
    let (mut socket, _answer) =
        client_async(request, stream).await.map_err(|error| told("the upgrade")(&error))?;
    let subscribe = json!({ "type": "subscribe", "id": "s", "payload": { "topics": [topic] } }).to_string();
    socket.send(Wire::text(subscribe)).await.map_err(|error| told("subscribe")(&error))?;
    while let Some(heard) = socket.next().await {
        let heard = heard.map_err(|error| told("the connection broke")(&error))?;
        let Wire::Text(text) = heard else { continue };
        let frame: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
        match frame["type"].as_str() {
            Some("subscribed") => return std::future::pending().await,
            Some("error") => return Err(format!("subscribe got {}", frame["payload"])),
            _ => {}
        }
    }
    Err("the hub closed before it answered".to_owned())
}
