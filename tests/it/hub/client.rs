//! A WebSocket client that behaves: answers pings, asks and waits for its answers.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Hub, within};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a close frame.
    Closed(u16, String),
    /// Without.
    Cut,
}

/// One message of a topic, out of a `message`, a `room_message` or a `batch`.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) epoch: String,
    pub(crate) offset: u64,
    pub(crate) key: Option<String>,
    pub(crate) payload: Value,
}

/// The client.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Heard while something else was waited for.
    waiting: VecDeque<Value>,
    messages: VecDeque<Message>,
    /// Out of a batch, in order.
    unpacked: VecDeque<Value>,
    /// Hands batches out as they are; else as the messages in them.
    pub(crate) whole_batches: bool,
    requests: u64,
    ended: Option<Ended>,
    /// The first frame.
    pub(crate) connected: Value,
    /// The sub-protocol that the hub chose.
    pub(crate) sub_protocol: Option<String>,
}

impl Client {
    /// Connects with the token in `Authorization`.
    pub(crate) async fn open(hub: &Hub, client_id: &str, token: &str) -> Self {
        Self::open_at(hub, &format!("/ws/{client_id}"), &[("authorization", &format!("Bearer {token}"))])
            .await
    }

    /// Connects with a fresh token of this role.
    pub(crate) async fn open_as(hub: &Hub, client_id: &str, role: &str) -> Self {
        Self::open(hub, client_id, &hub.token(role)).await
    }

    /// Connects to a path with these headers.
    pub(crate) async fn open_at(hub: &Hub, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let url = format!("{}{path}", hub.url());
        Self::open_url(&url, headers).await
    }

    pub(crate) async fn open_url(url: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let host = request.uri().authority().unwrap().to_string();
        let stream = TcpStream::connect(&host).await.unwrap();
        let opening = within("the upgrade", client_async(request, stream)).await;
        let (socket, response) = opening.unwrap_or_else(|error| panic!("{url}: {error}"));
        let sub_protocol = response.headers().get("sec-websocket-protocol");
        let mut client = Self {
            socket,
            waiting: VecDeque::new(),
            messages: VecDeque::new(),
            unpacked: VecDeque::new(),
            whole_batches: false,
            requests: 0,
            ended: None,
            connected: Value::Null,
            sub_protocol: sub_protocol.map(|value| value.to_str().unwrap().to_owned()),
        };
        client.connected = client.hear().await.unwrap();
        assert_eq!(client.connected["type"], "connected", "the first frame: {}", client.connected);
        client
    }

    /// Sends a text as it is.
    pub(crate) async fn send_text(&mut self, text: &str) {
        // The hub may have closed; then the answer never comes, which is what the caller finds.
        drop(self.socket.send(Wire::text(text)).await);
    }

    /// Sends a request and returns its id, without waiting.
    pub(crate) async fn send(&mut self, kind: &str, payload: Value) -> String {
        self.requests += 1;
        let id = format!("{kind}-{}", self.requests);
        self.send_text(&json!({ "type": kind, "id": id, "payload": payload }).to_string()).await;
        id
    }

    /// Sends a request and waits for its answer, which may be an `error`.
    pub(crate) async fn ask(&mut self, kind: &str, payload: Value) -> Value {
        let id = self.send(kind, payload).await;
        self.answer_to(&id).await
    }

    /// Sends a request that must be answered with a frame of type `answer`; its payload.
    pub(crate) async fn request(&mut self, kind: &str, payload: Value, answer: &str) -> Value {
        let frame = self.ask(kind, payload).await;
        assert_eq!(frame["type"], answer, "{frame}");
        frame["payload"].clone()
    }

    /// Subscribes to one topic; its row of the answer.
    pub(crate) async fn subscribe(&mut self, topic: &str) -> Value {
        let answer = self.request("subscribe", json!({ "topics": [topic] }), "subscribed").await;
        assert_eq!(answer["topics"][0]["topic"], topic);
        answer["topics"][0].clone()
    }

    /// Publishes; where it ended up.
    pub(crate) async fn publish(&mut self, topic: &str, data: Value) -> Value {
        self.request("publish", json!({ "topic": topic, "data": data }), "published").await
    }

    /// An admin that is subscribed to a topic.
    pub(crate) async fn subscriber(hub: &Hub, client_id: &str, topic: &str) -> Self {
        let mut client = Self::open_as(hub, client_id, "admin").await;
        client.subscribe(topic).await;
        client
    }

    /// Publishes to a topic; the place that it was given.
    pub(crate) async fn place(&mut self, topic: &str, data: Value) -> (String, u64) {
        let payload = self.publish(topic, data).await;
        (payload["epoch"].as_str().unwrap().to_owned(), payload["offset"].as_u64().unwrap())
    }

    /// The next message, which is of that topic: its offset and payload.
    pub(crate) async fn heard(&mut self, topic: &str) -> (u64, Value) {
        let message = self.message().await;
        assert_eq!(message.topic, topic);
        (message.offset, message.payload)
    }

    /// The answer to a request that was sent.
    pub(crate) async fn answer_to(&mut self, id: &str) -> Value {
        self.first(&format!("the answer to {id}"), |frame| frame["metadata"]["reply_to"] == *id).await
    }

    /// As [`Client::answer_to`]; `None` when the connection ends before.
    pub(crate) async fn answer_or_end(&mut self, id: &str) -> Option<Value> {
        loop {
            let is_answer = |frame: &Value| frame["metadata"]["reply_to"] == *id;
            if let Some(at) = self.waiting.iter().position(is_answer) {
                return self.waiting.remove(at);
            }
            let frame = within("an answer", self.hear()).await.ok()?;
            self.waiting.push_back(frame);
        }
    }

    /// The next frame of this type; what comes before it waits.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        self.first(kind, |frame| frame["type"] == *kind).await
    }

    /// The first frame that fits; what comes before it waits.
    pub(crate) async fn first(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).unwrap();
        }
        let hearing = async {
            loop {
                match self.hear().await {
                    Ok(frame) if fits(&frame) => return frame,
                    Ok(frame) => self.waiting.push_back(frame),
                    Err(ended) => panic!("{what}: the connection ended with {ended:?}"),
                }
            }
        };
        within(what, hearing).await
    }

    /// The next frame of any type, in order.
    pub(crate) async fn next(&mut self) -> Result<Value, Ended> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(frame),
            None => within("the next frame", self.hear()).await,
        }
    }

    /// The next message of any topic, in order; answers and pushes wait.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return message;
            }
            let fits = |frame: &Value| {
                ["message", "room_message", "batch"].contains(&frame["type"].as_str().unwrap())
            };
            let frame = self.first("a message", fits).await;
            self.messages.extend(messages(&frame));
        }
    }

    /// Whether a frame of this type was heard and not taken yet.
    pub(crate) fn has_waiting(&self, kind: &str) -> bool {
        self.waiting.iter().any(|frame| frame["type"] == *kind)
    }

    /// Reads to the end.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            match within("the end of the connection", self.hear()).await {
                Ok(frame) => self.waiting.push_back(frame),
                Err(ended) => return ended,
            }
        }
    }

    /// Leaves in good order.
    pub(crate) async fn leave(mut self) {
        drop(self.socket.close(None).await);
        self.ended().await;
    }

    /// The next frame from the socket.
    async fn hear(&mut self) -> Result<Value, Ended> {
        loop {
            if let Some(message) = self.unpacked.pop_front() {
                return Ok(message);
            }
            let frame = self.hear_whole().await?;
            if frame["type"] != "batch" || self.whole_batches {
                return Ok(frame);
            }
            self.unpacked.extend(unpack(&frame));
        }
    }

    async fn hear_whole(&mut self) -> Result<Value, Ended> {
        loop {
            match self.socket.next().await {
                Some(Ok(Wire::Text(text))) => return Ok(serde_json::from_str(text.as_str()).unwrap()),
                Some(Ok(Wire::Close(told))) => {
                    let told = told.map(|t| Ended::Closed(t.code.into(), t.reason.as_str().to_owned()));
                    self.ended = Some(told.unwrap_or(Ended::Closed(1005, String::new())));
                }
                Some(Ok(_ping_or_pong)) => {}
                Some(Err(_)) | None => return Err(self.ended.clone().unwrap_or(Ended::Cut)),
            }
        }
    }
}

/// The messages of a batch as frames of their own.
fn unpack(batch: &Value) -> Vec<Value> {
    let meta = &batch["metadata"];
    let kind = match meta["topic"].as_str().unwrap().split_once(':') {
        Some(("room", _)) => "room_message",
        Some(("sync", _)) => "sync_update",
        _ => "message",
    };
    let items = batch["payload"]["items"].as_array().unwrap();
    let frames = items.iter().map(|item| {
        let mut metadata =
            json!({ "topic": meta["topic"], "epoch": meta["epoch"], "priority": meta["priority"] });
        for field in ["offset", "key", "type", "priority", "correlation_id"] {
            if !item[field].is_null() {
                metadata[field] = item[field].clone();
            }
        }
        json!({ "version": 1, "type": kind, "id": item["id"], "timestamp": item["timestamp"],
            "payload": item["payload"], "metadata": metadata })
    });
    frames.collect()
}

/// The messages in a frame.
pub(crate) fn messages(frame: &Value) -> Vec<Message> {
    let meta = &frame["metadata"];
    let message = |from: &Value, payload: &Value| Message {
        topic: meta["topic"].as_str().unwrap().to_owned(),
        epoch: meta["epoch"].as_str().unwrap().to_owned(),
        offset: from["offset"].as_u64().unwrap(),
        key: from["key"].as_str().map(str::to_owned),
        payload: payload.clone(),
    };
    match frame["type"].as_str() {
        Some("batch") => {
            let items = frame["payload"]["items"].as_array().unwrap();
            items.iter().map(|item| message(item, &item["payload"])).collect()
        }
        _ => vec![message(meta, &frame["payload"])],
    }
}
