//! Starting, stopping, being refused, coming back.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::hub::{TOKEN, run_agent, run_agent_from, settings};
use crate::agent::link::CONNECTED_TIMEOUT_MS;
use crate::agent::{AgentSettings, AgentToken, run};
use crate::spool::{Spool, WhenFull};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_the_unacknowledged_to_the_next_start_and_says_goodbye() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let (line_out, line_in) = oneshot::channel();
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        assert_eq!(line.next_acknowledged().await.sample, 2);
        assert_eq!(line.next().await.sample, 1, "taken before the connection stood");
        assert_eq!(line.next().await.sample, 3);
        tokio::task::spawn(async move { line_out.send(line.closed_with().await) });
    })
    .await
    .unwrap();
    assert_eq!(line_in.await.unwrap(), Some(1000));
    run_agent_from(&settings, 100, async |hub| {
        let mut line = hub.accept().await;
        let mut samples = Vec::new();
        for _ in 0..5 {
            samples.push(line.next_acknowledged().await.sample);
        }
        samples.retain(|sample| *sample < 100);
        assert_eq!(samples, [1, 3]);
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn final_closes_stop_the_agent_with_their_status_and_spool_the_rest() {
    for (code, status) in [(4001, 5), (4003, 3), (4400, 6)] {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        let outcome = run_agent(&settings, async |hub| {
            let mut line = hub.accept().await;
            assert_eq!(line.next().await.sample, 2);
            line.close(code, "because").await;
            tokio::time::sleep(SECOND * 3_600).await;
        });
        let error = outcome.await.expect_err("the agent stops by itself");
        assert_eq!(error.exit_status(), status, "{error}");
        let mut spool =
            Spool::open(&directory.path().join("web-1"), 1024 * 1024, WhenFull::DropOldest).unwrap();
        assert_eq!(std::iter::from_fn(|| spool.take()).count(), 2, "nothing was acknowledged");
    }
}

#[tokio::test(start_paused = true)]
async fn other_closes_bring_the_agent_back() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        for code in [1000, 1001, 1012, 4008, 4010, 4500] {
            let mut line = hub.accept().await;
            line.next_acknowledged().await;
            line.close(code, "").await;
        }
        let mut line = hub.accept().await;
        line.send("draining", json!({"reconnect_after_ms": 12_000})).await;
        line.close(1012, "restart").await;
        let closed = Instant::now();
        hub.accept().await;
        assert!(closed.elapsed() >= SECOND * 12, "the hub's hint");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_goes_silent_or_never_greets_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let _mute = hub.accept_silently().await;
        let opened = Instant::now();
        let mut line = hub.accept().await;
        let lasted = opened.elapsed();
        assert!(lasted >= Duration::from_millis(CONNECTED_TIMEOUT_MS) && lasted < SECOND * 11, "{lasted:?}");
        while let Some(frame) = line.next_within(SECOND / 2).await {
            line.acknowledge(&frame, true).await;
        }
        // Nothing to acknowledge, so that only the silence is left.
        line.send("flow", json!({"pause_ms": 300_000})).await;
        let silent = Instant::now();
        let _next = hub.accept().await;
        let lasted = silent.elapsed();
        assert!(lasted >= SECOND * 35 && lasted < SECOND * 37, "ping interval and grace: {lasted:?}");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_back_off_grows_while_the_hub_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let mut attempts = Vec::new();
        for _ in 0..9 {
            hub.refuse(503, "").await;
            attempts.push(Instant::now());
        }
        // The injected randomness is one half of the ceiling.
        let waits: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        let expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
        for (wait, expected) in waits.iter().zip(expected) {
            assert!((expected..expected + 5).contains(wait), "{waits:?}");
        }
    })
    .await
    .unwrap();
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_said_clearly_retried_slowly_and_never_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        hub.refuse(401, r#"{"title":"Token expired","detail":"the token expired in 1970"}"#).await;
        let refused = Instant::now();
        let mut line = hub.accept().await;
        let waited = refused.elapsed();
        assert!(waited >= SECOND * 30 && waited <= SECOND * 60, "{waited:?}");
        line.next_acknowledged().await;
    })
    .await
    .unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("HTTP 401: the token expired in 1970"), "{log}");
    assert!(log.contains("the token has run out: make a new one"), "{log}");
    for part in TOKEN.split('.').chain(["Bearer"]) {
        assert!(!log.contains(part), "{part} is in the log:\n{log}");
    }
}

/// One connection of a real TCP server: acknowledges two frames, then tells what it saw.
async fn serve_two(listener: TcpListener) -> (Vec<Value>, String) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut authorization = String::new();
    let callback = |request: &Request, mut answer: Response| -> Result<Response, ErrorResponse> {
        authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        answer.headers_mut().insert("sec-websocket-protocol", "infrawatch.v1.json".parse().unwrap());
        Ok(answer)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, callback).await.unwrap();
    socket.send(Message::text(r#"{"type":"connected","payload":{}}"#)).await.unwrap();
    let mut frames = Vec::new();
    while frames.len() < 2 {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            let frame: Value = serde_json::from_str(text.as_str()).unwrap();
            let ack = json!({"type": "metrics_ack", "payload": {"accepted": 1, "durable": true}, "metadata": {"reply_to": frame["id"]}});
            socket.send(Message::text(ack.to_string())).await.unwrap();
            frames.push(frame);
        }
    }
    (frames, authorization)
}

/// Real time, real TCP, this machine's samples.
#[tokio::test]
async fn the_real_agent_streams_this_machine_over_tcp() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hub = format!("ws://{}", listener.local_addr().unwrap());
    let settings = AgentSettings {
        interval_ms: 200,
        ..AgentSettings::new(&hub, AgentToken::new(TOKEN), directory.path().to_owned())
    };
    let (stop, stopped) = oneshot::channel();
    let agent = run(settings, async {
        let _ = stopped.await;
    });
    let server = async {
        let seen = serve_two(listener).await;
        stop.send(()).unwrap();
        seen
    };
    let (outcome, (frames, authorization)) = tokio::join!(agent, server);
    outcome.unwrap();
    assert_eq!(authorization, format!("Bearer {TOKEN}"));
    let names: Vec<_> =
        frames[1]["payload"]["columns"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert!(
        names.contains(&&json!("cpu_percent")) && names.contains(&&json!("cpu_core_percent")),
        "{names:?}"
    );
    assert!(frames[0]["payload"]["inventory"]["memory_bytes"].as_u64().unwrap() > 0);
}
