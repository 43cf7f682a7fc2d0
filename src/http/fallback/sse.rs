//! Server-Sent Events: the same as polling, in one answer that does not end by itself.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::unfold;
use rand::RngExt;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::asked::Asked;
use super::cursor::Cursor;
use super::reader::{Reader, Round};
use super::{Place, stopping};
use crate::auth::Claims;
use crate::clock::rfc3339;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::http::trace;
use crate::protocol::codes::{Close, Code};
use crate::protocol::server::RETRY_AFTER_MS;

/// Clients of a hub that stops come back within this time, spread evenly.
const RECONNECT_SPREAD_MS: u64 = 2_000;

/// The header by which a client that comes back says what it had last.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Messages of topics as events: `subscribed` first, then a `message` each, whose id is the cursor behind it. A
/// reader that falls behind history, or whose topic began anew, gets another `subscribed` with that topic, as does one
/// whose wildcard names a topic that has opened.
#[utoipa::path(get, path = "/api/v1/streaming/sse", tag = "streaming",
    params(
        ("topics" = String, Query, description = "Names of topics and wildcards as `metrics:*`, apart by commas; at most 64, which may name `connection.topics_max` topics in all"),
        ("since" = Option<String>, Query, description = "The cursor of a poll, or the id of an event"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event; stronger than `since`"),
        ("token" = Option<String>, Query, description = "The token, where no header can be sent"),
    ),
    responses((status = 200, body = String, description = "Events", content_type = "text/event-stream"),
        super::super::openapi::Refused))]
pub async fn sse(
    state: web::Data<State>,
    caller: Caller,
    request: HttpRequest,
    mut query: Query,
    asked: trace::Asked,
) -> Result<HttpResponse, Problem> {
    let mut wanted = Asked::read(&mut query);
    if let Some(last) = request.headers().get(LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        match Cursor::parse(last.to_str().unwrap_or_default()) {
            Ok(cursor) => wanted.from(cursor),
            Err(error) => query.refuse(LAST_EVENT_ID, error.to_string()),
        }
    }
    query.check()?;
    let mut reader = wanted.reader(&state, &caller.0, &asked.0).await?;
    if state.is_draining() {
        return Err(Problem::new(Code::Draining, "the hub is restarting; connect again"));
    }
    let place = state.desk.places.stream()?;
    // Whether the topics can be read is known before the answer begins.
    let first = reader.round().await?;
    let stream = Stream::new(state, reader, caller.0, first, place);
    let events = unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, actix_web::Error>(web::Bytes::from(chunk)), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(ContentEncoding::Identity)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that would gather events are asked not to.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events))
}

/// One open stream.
struct Stream {
    state: web::Data<State>,
    reader: Reader,
    claims: Arc<Claims>,
    /// Read and not sent.
    first: Option<Round>,
    heartbeat: Duration,
    /// When the token is warned about, then when it ends.
    token: std::pin::Pin<Box<Sleep>>,
    is_warned: bool,
    revoked: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    is_over: bool,
    _place: Place,
}

impl Stream {
    fn new(state: web::Data<State>, reader: Reader, claims: Arc<Claims>, first: Round, place: Place) -> Self {
        let left_ms = claims.expires_at_ms().saturating_sub(state.services.clock.unix_ms());
        let until_warning = left_ms.saturating_sub(state.services.settings.token_warning_ms);
        Self {
            heartbeat: Duration::from_millis(state.settings.heartbeat_ms),
            token: Box::pin(tokio::time::sleep(Duration::from_millis(until_warning))),
            is_warned: false,
            revoked: state.services.auth.revocations().watch(),
            draining: state.draining.subscribe(),
            first: Some(first),
            is_over: false,
            state,
            reader,
            claims,
            _place: place,
        }
    }

    /// The next events, when the client has taken those before; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(format!("retry: {RETRY_AFTER_MS}\n{}", self.told(&first, true)));
        }
        loop {
            tokio::select! {
                biased;
                () = stopping(&mut self.draining) => return Some(self.drained()),
                () = &mut self.token => {
                    if let Some(events) = self.token_runs_out() {
                        return Some(events);
                    }
                }
                _changed = self.revoked.changed() => {
                    if self.state.services.auth.revocations().contain(&self.claims) {
                        return Some(self.closed(Close::Forbidden));
                    }
                    if self.state.services.auth.is_expired_early(&self.claims) {
                        return Some(self.closed(Close::TokenExpired));
                    }
                }
                () = self.reader.changed() => match self.reader.round().await {
                    Ok(round) => {
                        let told = self.told(&round, false);
                        if !told.is_empty() {
                            return Some(told);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "event stream ends");
                        return Some(self.closed(error.close()));
                    }
                },
                () = tokio::time::sleep(self.heartbeat) => {
                    self.reader.look_again();
                    return Some(":\n\n".to_owned());
                }
            }
        }
    }

    fn told(&self, round: &Round, is_first: bool) -> String {
        let mut events = String::new();
        let has_places = is_first || !round.places.is_empty();
        if has_places {
            let data = json!({ "topics": round.places }).to_string();
            event(&mut events, "subscribed", None, &data);
        }
        for (message, cursor) in round.messages.iter().zip(&round.cursors) {
            event(&mut events, "message", Some(cursor), message.frame_text());
        }
        if round.messages.is_empty() && has_places {
            // So that who is cut off now goes on from here.
            let _infallible = write!(events, "id: {}\n\n", self.reader.cursor());
        }
        events
    }

    fn drained(&mut self) -> String {
        self.is_over = true;
        let reconnect_after_ms = rand::rng().random_range(0..=RECONNECT_SPREAD_MS);
        let mut events = format!("retry: {reconnect_after_ms}\n");
        let data = json!({ "reconnect_after_ms": reconnect_after_ms }).to_string();
        event(&mut events, "draining", None, &data);
        events
    }

    fn closed(&mut self, close: Close) -> String {
        self.is_over = true;
        let mut events = String::new();
        let data = json!({ "code": close.code(), "reason": close.name() }).to_string();
        event(&mut events, "closed", None, &data);
        events
    }

    fn token_runs_out(&mut self) -> Option<String> {
        let expires_at_ms = self.claims.expires_at_ms();
        let left_ms = expires_at_ms.saturating_sub(self.state.services.clock.unix_ms());
        if left_ms == 0 {
            return Some(self.closed(Close::TokenExpired));
        }
        self.token.as_mut().reset(Instant::now() + Duration::from_millis(left_ms));
        if std::mem::replace(&mut self.is_warned, true) {
            return None;
        }
        let mut events = String::new();
        let data = json!({ "expires_at": rfc3339(expires_at_ms) }).to_string();
        event(&mut events, "token_expiring", None, &data);
        Some(events)
    }
}

/// One event. Line breaks in `data`, which JSON allows between its parts, become lines of their own.
fn event(events: &mut String, kind: &str, id: Option<&Cursor>, data: &str) {
    let _infallible = writeln!(events, "event: {kind}");
    if let Some(id) = id {
        let _infallible = writeln!(events, "id: {id}");
    }
    for line in data.split(['\n', '\r']) {
        let _infallible = writeln!(events, "data: {line}");
    }
    events.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_with_line_breaks_stays_one_event() {
        let mut events = String::new();
        event(&mut events, "message", Some(&Cursor::default()), "{\"a\":\r\n1,\r\"b\":2}");
        assert_eq!(events, "event: message\nid: v1\ndata: {\"a\":\ndata: \ndata: 1,\ndata: \"b\":2}\n\n");
    }
}
