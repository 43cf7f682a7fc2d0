//! A hub for the tests: a real WebSocket server over in-memory streams, under the test's thumb. Time is
//! tokio's paused clock: it moves only when everybody waits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::agent::columns::Recorder;
use crate::agent::run::{Agent, Source};
use crate::agent::socket::Connect;
use crate::agent::{AgentError, AgentSettings, AgentToken, Columns, Inventory, Snapshot};
use crate::clock::Clock;

/// Claims `{"node":"web-1","exp":1}`: run out long ago, which only matters once the hub says no.
pub(super) const TOKEN: &str = "e30.eyJub2RlIjoid2ViLTEiLCJleHAiOjF9.c2lnbmF0dXJl";
pub(super) const FIRST_SAMPLE_UNIX_MS: u64 = 1_800_000_000_000;

/// In the time of the scenario, which is not the time of the test.
const SCENARIO_LIMIT: Duration = Duration::from_secs(20_000);

/// Samples number 1, 2, 3, ...: the number is the value of `uptime_s` and, in seconds, the timestamp.
pub(super) struct Numbered {
    taken: Rc<RefCell<u64>>,
    columns: Arc<Columns>,
    inventory: Arc<Inventory>,
}

impl Source for Numbered {
    fn sample(&mut self) -> Snapshot {
        let mut taken = self.taken.borrow_mut();
        *taken += 1;
        let mut recorder = Recorder::new(self.columns.clone());
        recorder.flat("uptime_s", Some(*taken as f64));
        let snapshot = recorder.finish(FIRST_SAMPLE_UNIX_MS + *taken * 1_000);
        self.columns = snapshot.columns.clone();
        snapshot
    }

    fn inventory(&self) -> Arc<Inventory> {
        self.inventory.clone()
    }
}

/// The way to the hub. It takes connections as long as the hub is there to accept them.
#[derive(Clone)]
pub(super) struct Wire(mpsc::Sender<DuplexStream>);

impl Connect for Wire {
    type Stream = DuplexStream;

    async fn connect(self, _host: String, _port: u16) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        match self.0.try_send(theirs) {
            Ok(()) => Ok(ours),
            Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

pub(super) struct Hub {
    incoming: mpsc::Receiver<DuplexStream>,
    taken: Rc<RefCell<u64>>,
}

/// One `metrics` frame as the hub got it.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) id: String,
    /// Number of the sample.
    pub(super) sample: u64,
    pub(super) payload: Value,
    pub(super) at: Instant,
}

pub(super) struct Line {
    socket: WebSocketStream<DuplexStream>,
    pub(super) request: RequestHead,
}

/// What the agent asked with: path, authorization, sub-protocols.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestHead {
    pub(super) path: String,
    pub(super) authorization: String,
    pub(super) protocols: String,
}

pub(super) fn settings(spool_dir: &Path) -> AgentSettings {
    AgentSettings {
        labels: BTreeMap::from([("service".to_owned(), "api".to_owned())]),
        ..AgentSettings::new("ws://hub:5050", AgentToken::new(TOKEN), spool_dir.to_owned())
    }
}

/// Runs an agent against the scenario's hub and stops it (gracefully) when the scenario is through,
/// unless it stopped by itself before.
pub(super) async fn run_agent<F>(settings: &AgentSettings, scenario: F) -> Result<(), AgentError>
where
    F: AsyncFnOnce(&mut Hub),
{
    run_agent_from(settings, 0, scenario).await
}

/// As [`run_agent`]; the samples go on after number `taken`.
pub(super) async fn run_agent_from<F>(
    settings: &AgentSettings,
    taken: u64,
    scenario: F,
) -> Result<(), AgentError>
where
    F: AsyncFnOnce(&mut Hub),
{
    let (wire, incoming) = mpsc::channel(1);
    let taken = Rc::new(RefCell::new(taken));
    let inventory = Arc::new(Inventory { hostname: "web".into(), ..Inventory::default() });
    let source = Numbered { taken: taken.clone(), columns: Arc::default(), inventory };
    let agent = Agent::new(settings, source, Wire(wire), Clock::manual(FIRST_SAMPLE_UNIX_MS).0, || 0.5)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut hub = Hub { incoming, taken };
    let mut agent = std::pin::pin!(agent.run(async {
        let _ = stopped.await;
    }));
    tokio::select! {
        outcome = &mut agent => return outcome,
        through = timeout(SCENARIO_LIMIT, scenario(&mut hub)) => {
            through.expect("the scenario waits for something that does not come");
            drop(stop);
        }
    }
    agent.await
}

impl Hub {
    /// How many samples were taken so far.
    pub(super) fn samples_taken(&self) -> u64 {
        *self.taken.borrow()
    }

    /// Takes the next connection, does the upgrade and says `connected`.
    pub(super) async fn accept(&mut self) -> Line {
        let mut line = self.accept_silently().await;
        line.send("connected", json!({"ping_interval_ms": 25_000, "limits": {"frame_bytes": 65_536}})).await;
        line
    }

    pub(super) async fn accept_silently(&mut self) -> Line {
        let stream = self.incoming.recv().await.unwrap();
        let mut request = RequestHead::default();
        let callback = |asked: &Request, mut answer: Response| -> Result<Response, ErrorResponse> {
            let header = |name: &str| {
                asked.headers().get(name).map_or(String::new(), |v| v.to_str().unwrap().to_owned())
            };
            request = RequestHead {
                path: asked.uri().path().to_owned(),
                authorization: header("authorization"),
                protocols: header("sec-websocket-protocol"),
            };
            answer.headers_mut().insert("sec-websocket-protocol", "infrawatch.v1.json".parse().unwrap());
            Ok(answer)
        };
        let socket = accept_hdr_async(stream, callback).await.unwrap();
        Line { socket, request }
    }

    /// Answers the next upgrade with an HTTP status.
    pub(super) async fn refuse(&mut self, status: u16, body: &str) {
        let stream = self.incoming.recv().await.unwrap();
        let refusal = |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
            let mut refusal = ErrorResponse::new(Some(body.to_owned()));
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap();
            Err(refusal)
        };
        assert!(accept_hdr_async(stream, refusal).await.is_err());
    }

    /// Cuts every connection attempt for `duration`.
    pub(super) async fn stay_away(&mut self, duration: Duration) {
        let _ = timeout(duration, async {
            while let Some(stream) = self.incoming.recv().await {
                drop(stream);
            }
        })
        .await;
    }
}

impl Line {
    pub(super) async fn send(&mut self, kind: &str, payload: Value) {
        let frame = json!({"version": 1, "type": kind, "id": "h", "payload": payload, "metadata": {}});
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn reply(&mut self, kind: &str, to: &Frame, payload: Value) {
        let frame = json!({"version": 1, "type": kind, "payload": payload, "metadata": {"reply_to": to.id}});
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(super) async fn acknowledge(&mut self, frame: &Frame, durable: bool) {
        let payload = json!({"accepted": 1, "rejected": 0, "reasons": {}, "durable": durable});
        self.reply("metrics_ack", frame, payload).await;
    }

    /// The next `metrics` frame.
    pub(super) async fn next(&mut self) -> Frame {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return frame(text.as_str()),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next frame if one comes within `duration`.
    pub(super) async fn next_within(&mut self, duration: Duration) -> Option<Frame> {
        timeout(duration, self.next()).await.ok()
    }

    /// Answers every frame with one of this type until the agent hangs up; tells when that was.
    pub(super) async fn answer_until_gone(&mut self, kind: &str) -> Instant {
        let answer = json!({"type": kind, "payload": {}}).to_string();
        while let Some(Ok(_)) = self.socket.next().await {
            if self.socket.send(Message::text(&answer)).await.is_err() {
                break;
            }
        }
        Instant::now()
    }

    pub(super) async fn next_acknowledged(&mut self) -> Frame {
        let frame = self.next().await;
        self.acknowledge(&frame, true).await;
        frame
    }

    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.socket.send(Message::Close(Some(frame))).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Reads to the end and gives the agent's close code.
    pub(super) async fn closed_with(mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Close(Some(frame)) = message {
                code = Some(frame.code.into());
            }
        }
        code
    }
}

fn frame(text: &str) -> Frame {
    let frame: Value = serde_json::from_str(text).unwrap();
    assert_eq!(frame["type"], "metrics");
    let payload = frame["payload"].clone();
    let sample = payload["values"][0].as_u64().unwrap();
    let timestamp = crate::clock::parse_rfc3339(payload["timestamp"].as_str().unwrap()).unwrap();
    assert_eq!(timestamp, FIRST_SAMPLE_UNIX_MS + sample * 1_000, "the original timestamp");
    assert_eq!(payload["node"], "web-1");
    Frame { id: frame["id"].as_str().unwrap().to_owned(), sample, payload, at: Instant::now() }
}
