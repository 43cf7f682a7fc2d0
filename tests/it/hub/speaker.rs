//! A client that speaks any of the encodings, byte by byte and with codecs other than the hub's.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{BINARY, COMPRESSED, Hub, RawEvent, RawSocket, TEXT, Upgrade, deflate, frame};

/// What a client asks for in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tongue {
    pub(crate) msgpack: bool,
    pub(crate) deflate: bool,
}

impl Tongue {
    pub(crate) const JSON: Self = Self { msgpack: false, deflate: false };
    pub(crate) const JSON_DEFLATE: Self = Self { msgpack: false, deflate: true };
    pub(crate) const MSGPACK: Self = Self { msgpack: true, deflate: false };
    pub(crate) const MSGPACK_DEFLATE: Self = Self { msgpack: true, deflate: true };
    pub(crate) const ALL: [Self; 4] = [Self::JSON, Self::JSON_DEFLATE, Self::MSGPACK, Self::MSGPACK_DEFLATE];

    fn upgrade(self, path: &str) -> Upgrade {
        let mut upgrade = Upgrade::to(path);
        if self.msgpack {
            upgrade = upgrade.header("Sec-WebSocket-Protocol", "infrawatch.v1.msgpack");
        }
        if self.deflate {
            // As browsers do.
            let offer = "permessage-deflate; client_max_window_bits";
            upgrade = upgrade.header("Sec-WebSocket-Extensions", offer);
        }
        upgrade
    }
}

/// The client.
pub(crate) struct Speaker {
    pub(crate) raw: RawSocket,
    pub(crate) tongue: Tongue,
    waiting: VecDeque<Value>,
    requests: u64,
    /// The first frame.
    pub(crate) connected: Value,
}

impl Speaker {
    /// Connects with a fresh token of this role.
    pub(crate) async fn open_as(hub: &Hub, client_id: &str, role: &str, tongue: Tongue) -> Self {
        let upgrade = tongue.upgrade(&format!("/ws/{client_id}")).bearer(&hub.token(role));
        let raw = RawSocket::open(hub, &upgrade).await.unwrap();
        let (waiting, connected) = (VecDeque::new(), Value::Null);
        let mut speaker = Self { raw, tongue, waiting, requests: 0, connected };
        speaker.connected = speaker.hear().await;
        assert_eq!(speaker.connected["type"], "connected", "{}", speaker.connected);
        speaker
    }

    /// The frame that says this.
    pub(crate) fn frame(&self, said: &Value) -> Vec<u8> {
        let (first, payload) = if self.tongue.msgpack {
            (BINARY, rmp_serde::to_vec_named(said).unwrap())
        } else {
            (TEXT, said.to_string().into_bytes())
        };
        if self.tongue.deflate {
            frame(first | COMPRESSED, &deflate(&payload))
        } else {
            frame(first, &payload)
        }
    }

    /// Sends a request and waits for its answer, which may be an `error`.
    pub(crate) async fn ask(&mut self, kind: &str, payload: Value) -> Value {
        self.requests += 1;
        let id = format!("{kind}-{}", self.requests);
        let request = self.frame(&json!({ "type": kind, "id": id, "payload": payload }));
        self.raw.send(&request).await;
        self.first(|frame| frame["metadata"]["reply_to"] == *id).await
    }

    /// The first frame that fits; what comes before it waits.
    pub(crate) async fn first(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            let frame = self.hear().await;
            if fits(&frame) {
                return frame;
            }
            self.waiting.push_back(frame);
        }
    }

    /// The next messages of a topic: (offset, payload) of a `message` or of all in a `batch`.
    pub(crate) async fn messages(&mut self) -> Vec<(u64, Value)> {
        let frame = self.first(|frame| frame["type"] == "message" || frame["type"] == "batch").await;
        let message = |from: &Value, payload: &Value| (from["offset"].as_u64().unwrap(), payload.clone());
        match frame["payload"]["items"].as_array().filter(|_| frame["type"] == "batch") {
            Some(items) => items.iter().map(|item| message(item, &item["payload"])).collect(),
            None => vec![message(&frame["metadata"], &frame["payload"])],
        }
    }

    /// The next frame, which must be of the kind that was agreed on.
    async fn hear(&mut self) -> Value {
        match (self.raw.next_but_pings().await, self.tongue.msgpack) {
            (RawEvent::Text(text), false) => serde_json::from_str(&text).unwrap(),
            (RawEvent::Binary(packed), true) => rmp_serde::from_slice(&packed).unwrap(),
            (event, _) => panic!("{:?} got {event:?}", self.tongue),
        }
    }
}
