//! From an HTTP request to a connection.
//!
//! Upgrade requests do not pass the application's routing and middleware, so everything that must hold is
//! judged here, before the answer: handshake, origin, address limit, token, client id, capacity. What is
//! refused gets an HTTP problem, not a WebSocket.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::Request;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::origin::{is_loopback_host, origin_allowed};
use super::port::{Doorkeeper, headers};
use super::state::State;
use crate::auth::Claims;
use crate::connection::clients::{Arrival as ClientArrival, ClientError};
use crate::connection::requests::Resumed;
use crate::connection::session::Personal;
use crate::connection::{self, Arrival, Identity, Shard};
use crate::ids::{ClientId, TopicName};
use crate::protocol::codes::Code;
use crate::protocol::encoding::{Encoding, Format};
use crate::protocol::server::RETRY_AFTER_MS;
use crate::telemetry::{Cause, Counter};
use crate::websocket::Handshake;

/// Addresses that the limiter remembers before it forgets those that are quiet.
const ADDRESSES_MAX: usize = 10_000;

/// Paths that subscribe for the client.
const PRESETS: &[(&str, &[&str])] = &[
    ("alerts", &["alerts_critical", "alerts_error", "alerts_warning", "alerts_info"]),
    ("notifications", &["notifications"]),
    ("live", &["metrics_update", "nodes", "system"]),
];

/// Counts connects by address; shared by all workers.
pub type AddressLimiter = Option<Arc<DefaultKeyedRateLimiter<IpAddr>>>;

/// The limiter of these settings; `None` when they do not limit.
pub fn address_limiter(state: &State) -> AddressLimiter {
    let connects_per_s = NonZeroU32::new(state.services.settings.connects_per_s);
    connects_per_s
        .filter(|_| state.services.rate_limits)
        .map(|n| Arc::new(RateLimiter::keyed(Quota::per_second(n))))
}

/// The door of one worker.
pub struct Door {
    /// What the hub works with.
    pub state: Arc<State>,
    /// The worker's connections.
    pub shard: Rc<Shard>,
    /// Its number.
    pub worker: usize,
    /// Connects by address.
    pub limiter: AddressLimiter,
}

/// Why there is no WebSocket.
struct Refusal {
    status: u16,
    code: Code,
    detail: String,
}

impl Refusal {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { status: code.row().http_status, code, detail: detail.into() }
    }
}

/// Who may come in, before its client id is reserved.
struct Expected<'a> {
    identity: Identity,
    format: Format,
    presets: &'static [&'static str],
    handshake: Handshake<'a>,
}

struct Admitted {
    identity: Identity,
    arrival: ClientArrival,
    format: Format,
    presets: &'static [&'static str],
    response: Vec<u8>,
}

impl Doorkeeper for Door {
    async fn enter(&self, request: Request, mut io: TcpStream, leftover: Vec<u8>) {
        let cause = headers(&request, "x-correlation-id").next().and_then(Cause::from_outside);
        let cause = cause.unwrap_or_else(Cause::fresh);
        let admitted = match self.judge(&request) {
            Ok(expected) => self.expect(expected, &cause).await,
            Err(refusal) => Err(refusal),
        };
        match admitted {
            Ok(admitted) => self.admit(io, leftover, admitted, &cause).await,
            Err(refusal) => {
                Counter::UpgradesRefused.add_for(refusal.code.row().name, 1);
                tracing::info!(cause = %cause, path = request.path(), code = refusal.code.row().name, detail = refusal.detail, "upgrade refused");
                // A client that is gone already needs no answer.
                drop(io.write_all(&refused(&refusal, &cause)).await);
                drop(io.shutdown().await);
            }
        }
    }
}

impl Door {
    fn judge<'a>(&self, request: &'a Request) -> Result<Expected<'a>, Refusal> {
        if self.state.is_draining() {
            return Err(Refusal::new(Code::Draining, "the hub is restarting; connect again"));
        }
        let Some(name) = request.path().strip_prefix("/ws/") else {
            return Err(Refusal::new(Code::NotFound, "WebSockets are at /ws/{client_id}"));
        };
        let host = headers(request, "host").next();
        if self.state.dev && !is_loopback_host(host) {
            // A page elsewhere whose name resolves to this machine must not become admin.
            return Err(Refusal::new(
                Code::OriginRefused,
                "under --dev only loopback host names are answered",
            ));
        }
        if !origin_allowed(headers(request, "origin").next(), host, &self.state.settings.origins) {
            return Err(Refusal::new(
                Code::OriginRefused,
                "the page's origin is not allowed to open sockets",
            ));
        }
        let address = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        self.check_rate(address)?;
        let header = |name| headers(request, name);
        let handshake = Handshake::check(request.method().as_str(), Encoding::SUB_PROTOCOLS, header);
        let mut handshake = handshake.map_err(|error| Refusal {
            status: error.status(),
            code: Code::InvalidField,
            detail: error.to_string(),
        })?;
        let settings = &self.state.services.settings;
        handshake.deflate = handshake.deflate.filter(|_| settings.deflate);
        let format = Format {
            encoding: Encoding::of(handshake.sub_protocol),
            deflate_bytes_min: handshake.deflate.map(|_| settings.deflate_bytes_min),
        };
        let claims = self.authenticate(request, &handshake)?;
        let preset = PRESETS.iter().find(|(path, _)| *path == name);
        let client_id = match preset {
            Some((path, _)) => ClientId::parse(&format!("{path}-{}", uuid::Uuid::now_v7())),
            None => ClientId::parse(name),
        };
        let client_id = client_id.map_err(|error| Refusal::new(Code::InvalidName, error.to_string()))?;
        let identity = Identity { client_id, claims: Arc::new(claims), address };
        let presets = preset.map_or(&[][..], |(_, topics)| topics);
        Ok(Expected { identity, format, presets, handshake })
    }

    /// Reserves the client id.
    async fn expect(&self, expected: Expected<'_>, cause: &Cause) -> Result<Admitted, Refusal> {
        let Expected { identity, format, presets, handshake } = expected;
        let services = &self.state.services;
        let elsewhere_ms = services.find_session(&identity.client_id, &identity.claims.sub).await;
        let now_ms = services.clock.unix_ms().max(elsewhere_ms + 1);
        let connections_max = services.settings.connections_max;
        let arrival = services.clients.arrive(&identity, now_ms, connections_max).map_err(|error| {
            let code = match error {
                ClientError::AnotherSubject => Code::Forbidden,
                ClientError::TooMany { .. } => Code::Overloaded,
            };
            Refusal::new(code, error.to_string())
        })?;
        services.keep_session(&identity.client_id).await;
        let response = handshake.response(&[("X-Correlation-ID", cause.id().unwrap_or_default())]);
        Ok(Admitted { identity, arrival, format, presets, response })
    }

    fn check_rate(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > ADDRESSES_MAX {
            limiter.retain_recent();
        }
        if limiter.check_key(&address).is_err() {
            return Err(Refusal::new(Code::RateLimited, "too many connects from this address"));
        }
        Ok(())
    }

    fn authenticate(&self, request: &Request, handshake: &Handshake<'_>) -> Result<Claims, Refusal> {
        if self.state.dev {
            return Ok(Claims::development());
        }
        let authorization = headers(request, "authorization").next();
        let from_header = authorization.and_then(|value| value.strip_prefix("Bearer "));
        let query = request.uri().query().unwrap_or_default();
        let from_query = query.split('&').find_map(|pair| pair.strip_prefix("token="));
        let Some(token) = from_header.or(handshake.bearer).or(from_query) else {
            return Err(Refusal::new(
                Code::Unauthorized,
                "no token: send `Authorization: Bearer`, a sub-protocol `bearer.<jwt>`, or `?token=`",
            ));
        };
        let now_ms = self.state.services.clock.unix_ms();
        let checked = self.state.services.auth.authenticate(token.trim(), now_ms);
        checked.map_err(|error| Refusal::new(error.code(), error.to_string()))
    }

    /// What the client id had before. A connection that still has it is closed first.
    async fn resume(&self, identity: &Identity, arrival: &ClientArrival, cause: &Cause) -> Resumed {
        let services = &self.state.services;
        if let Some((worker, member)) = arrival.takes_over {
            self.state.shards.take_over(worker, member).await;
        }
        if !arrival.resumed {
            return Resumed::default();
        }
        let Some(session) = services.clients.session(&identity.client_id) else { return Resumed::default() };
        let mut dropped = 0;
        for personal in Personal::ALL {
            let name = personal.topic(identity.client_id.as_str(), &identity.claims.sub);
            let Ok(name) = TopicName::parse(&name) else { continue };
            if !services.broker.may_have_mail(&name) {
                continue;
            }
            let Ok(topic) = services.broker.open(&name) else { continue };
            match topic.inbox(session.taken(personal), cause).await {
                Ok(view) => dropped += view.waiting.dropped,
                Err(error) => {
                    tracing::warn!(cause = %cause, topic = %name, %error, "queue not read on resume");
                }
            }
        }
        Resumed { resumed: true, subscriptions: session.subscriptions, dropped }
    }

    async fn admit(&self, io: TcpStream, leftover: Vec<u8>, admitted: Admitted, cause: &Cause) {
        let Admitted { identity, arrival, format, presets, response } = admitted;
        let resumed = self.resume(&identity, &arrival, cause).await;
        let client_id = identity.client_id.clone();
        let arrived = arrival.arrived;
        let io = connection::client_stream(io, &client_id, self.state.services.faults.as_ref());
        let arrival = Arrival { io, leftover, identity, format, presets, resumed, response };
        let member = self.shard.admit(arrival, cause);
        self.state.services.clients.seated(&client_id, arrived, self.worker, member);
        self.shard.open_inboxes(member);
        tracing::debug!(cause = %cause, client = %client_id, "connected");
    }
}

fn refused(refusal: &Refusal, cause: &Cause) -> Vec<u8> {
    let row = refusal.code.row();
    let body = serde_json::json!({
        "type": "about:blank",
        "title": row.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": row.name,
        "correlation_id": cause.id(),
    })
    .to_string();
    let status = actix_http::StatusCode::from_u16(refusal.status);
    let reason = status.ok().and_then(|s| s.canonical_reason()).unwrap_or("Refused");
    let mut head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Connection: close\r\nX-Correlation-ID: {cause}\r\nX-Content-Type-Options: nosniff\r\n",
        refusal.status,
        body.len()
    );
    if refusal.status == 401 {
        head.push_str("WWW-Authenticate: Bearer\r\n");
    }
    if row.retryable {
        head.push_str(&format!("Retry-After: {}\r\n", RETRY_AFTER_MS.div_ceil(1_000)));
    }
    if refusal.status == 426 {
        head.push_str("Sec-WebSocket-Version: 13\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}
