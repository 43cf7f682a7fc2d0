//! A client of the hub's own, over a socket to its own port: what a browser or a program would see.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::protocol::encoding::Encoding;

/// The longest wait for one frame, in milliseconds; low messages are held back for one second.
const WAIT_MS_MAX: u64 = 3_000;

/// Frames that are kept while another one is waited for.
const WAITING_MAX: usize = 1_000;

/// The client.
pub(super) struct Loopback {
    socket: WebSocketStream<TcpStream>,
    waiting: VecDeque<Value>,
    requests: u32,
}

/// Gives up after [`WAIT_MS_MAX`].
pub(super) async fn in_time<T>(
    what: &str,
    wait: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match tokio::time::timeout(Duration::from_millis(WAIT_MS_MAX), wait).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(format!("{what}: nothing within {WAIT_MS_MAX} ms")),
    }
}

impl Loopback {
    /// Connects and hears `connected`.
    pub(super) async fn open(
        address: SocketAddr,
        client_id: &str,
        token: &str,
    ) -> Result<(Self, Value), String> {
        in_time("connect", async {
            let uri = format!("ws://{address}/ws/{client_id}").parse();
            let uri = uri.map_err(|error| format!("no address to connect to: {error}"))?;
            let request = ClientRequestBuilder::new(uri)
                .with_sub_protocol(Encoding::Json.sub_protocol())
                .with_header("Authorization", format!("Bearer {token}"));
            let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
            let (socket, _answer) =
                client_async(request, stream).await.map_err(|error| format!("the upgrade: {error}"))?;
            let mut client = Self { socket, waiting: VecDeque::new(), requests: 0 };
            let connected = client.first(|frame| frame["type"] == "connected").await?;
            Ok((client, connected))
        })
        .await
    }

    /// Sends a request and waits for its answer; an `error` is one.
    pub(super) async fn ask(&mut self, kind: &str, payload: Value) -> Result<Value, String> {
        let id = self.send(kind, payload).await?;
        let answer = in_time(kind, self.first(|frame| frame["metadata"]["reply_to"] == *id));
        let answer = answer.await?;
        match answer["type"].as_str() {
            Some("error") => Err(format!("{kind} got {}", answer["payload"])),
            _ => Ok(answer),
        }
    }

    /// Sends what has no answer; an `error` is one, and would come before the answer to what follows.
    pub(super) async fn tell(&mut self, kind: &str, payload: Value) -> Result<(), String> {
        let id = self.send(kind, payload).await?;
        self.ask("ping", json!({})).await?;
        match self.waiting.iter().find(|frame| frame["metadata"]["reply_to"] == *id) {
            Some(error) => Err(format!("{kind} got {}", error["payload"])),
            None => Ok(()),
        }
    }

    async fn send(&mut self, kind: &str, payload: Value) -> Result<String, String> {
        self.requests += 1;
        let id = format!("e2e-{}", self.requests);
        let request = json!({ "type": kind, "id": id, "payload": payload }).to_string();
        let sending =
            async { self.socket.send(Wire::text(request)).await.map_err(|error| error.to_string()) };
        in_time(kind, sending).await?;
        Ok(id)
    }

    /// Waits for a message of a topic that fits.
    pub(super) async fn message(
        &mut self,
        topic: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let is_it = |frame: &Value| frame["metadata"]["topic"] == *topic && fits(frame);
        in_time(&format!("a message of {topic}"), self.first(is_it)).await
    }

    /// Goes without a word, as a client that loses its network does.
    pub(super) fn vanish(self) {
        drop(self.socket);
    }

    /// Leaves in good order.
    pub(super) async fn leave(mut self) {
        // Whatever it says, the client is done.
        drop(self.socket.close(None).await);
    }

    async fn first(&mut self, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        if let Some(found) =
            self.waiting.iter().position(&fits).and_then(|position| self.waiting.remove(position))
        {
            return Ok(found);
        }
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Wire::Text(text))) => text,
                Some(Ok(Wire::Close(close))) => {
                    return Err(format!("the hub closed: {}", close.map_or("-".into(), |c| c.to_string())));
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(format!("the connection broke: {error}")),
                None => return Err("the connection ended".to_owned()),
            };
            let frame: Value =
                serde_json::from_str(text.as_str()).map_err(|error| format!("no JSON: {error}"))?;
            let mut found = None;
            for frame in unpack(frame) {
                if found.is_none() && fits(&frame) {
                    found = Some(frame);
                } else if self.waiting.len() < WAITING_MAX {
                    self.waiting.push_back(frame);
                }
            }
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }
}

/// The messages of a batch, each as a frame of its own.
fn unpack(mut frame: Value) -> Vec<Value> {
    if frame["type"] != "batch" {
        return vec![frame];
    }
    let Value::Array(items) = frame["payload"]["items"].take() else { return Vec::new() };
    let one = |mut item: Value| {
        let payload = item["payload"].take();
        let mut metadata = frame["metadata"].clone();
        metadata["offset"] = item["offset"].take();
        metadata["key"] = item["key"].take();
        json!({ "type": "message", "payload": payload, "metadata": metadata })
    };
    items.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_its_messages() {
        let batch = json!({ "type": "batch", "metadata": { "topic": "t", "epoch": "e" },
            "payload": { "items": [{ "offset": 7, "payload": 1 }, { "offset": 9, "key": "k", "payload": 2 }] } });
        let told: Vec<_> = unpack(batch)
            .into_iter()
            .map(|f| (f["metadata"]["topic"].clone(), f["metadata"]["offset"].clone(), f["payload"].clone()))
            .collect();
        assert_eq!(told, [(json!("t"), json!(7), json!(1)), (json!("t"), json!(9), json!(2))]);
        assert_eq!(unpack(json!({ "type": "pong" })).len(), 1);
    }
}
