//! Reading topics over HTTP as a client would: polls, and event streams piece by piece.

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::hub::{Hub, within};

/// One event of a stream.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) data: Value,
}

/// An open stream.
pub(super) struct Events {
    response: Response,
    buffer: String,
    /// The id that a browser would come back with.
    pub(super) last_id: Option<String>,
    /// The time that a browser would wait before, in milliseconds.
    pub(super) retry_ms: Option<u64>,
    pub(super) comments: usize,
}

impl Events {
    pub(super) async fn open(hub: &Hub, topics: &str, token: &str, last_id: Option<&str>) -> Self {
        let url = format!("http://{}/api/v1/streaming/sse?topics={topics}", hub.address);
        let mut request = Client::new().get(url).bearer_auth(token);
        if let Some(last_id) = last_id {
            request = request.header("Last-Event-ID", last_id);
        }
        let response = within("the head of the stream", request.send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self::of(response)
    }

    pub(super) fn of(response: Response) -> Self {
        Self { response, buffer: String::new(), last_id: None, retry_ms: None, comments: 0 }
    }

    /// The next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                if let Some(event) = self.read(&block) {
                    return Some(event);
                }
                continue;
            }
            let chunk = within("an event", self.response.chunk()).await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of a kind.
    pub(super) async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if event.kind == kind {
                return event;
            }
        }
    }

    fn read(&mut self, block: &str) -> Option<Event> {
        let (mut kind, mut data) = (String::new(), Vec::new());
        for line in block.lines() {
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("", _)) => self.comments += 1,
                Some(("event", value)) => kind = value.to_owned(),
                Some(("id", value)) => self.last_id = Some(value.to_owned()),
                Some(("retry", value)) => self.retry_ms = Some(value.parse().unwrap()),
                Some(("data", value)) => data.push(value),
                _ => panic!("{line:?} in {block:?}"),
            }
        }
        (!data.is_empty()).then(|| Event { kind, data: serde_json::from_str(&data.join("\n")).unwrap() })
    }
}

/// One poll.
pub(super) async fn poll(hub: &Hub, topics: &str, token: &str, since: Option<&str>, wait_s: u64) -> Value {
    let mut query = vec![("topics", topics.to_owned()), ("wait_s", wait_s.to_string())];
    query.extend(since.map(|since| ("since", since.to_owned())));
    let url = format!("http://{}/api/v1/streaming/poll", hub.address);
    let url = reqwest::Url::parse_with_params(&url, query).unwrap();
    let answer = within("a poll", Client::new().get(url).bearer_auth(token).send()).await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}
