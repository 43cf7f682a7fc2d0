//! What concerns a unit that another hub node owns goes there as it came, and its answer comes back as it is.
//!
//! Once: a request that was passed on already is refused where it arrives, should the unit have changed hands again.
//! Who may is judged here first, and there again.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::body::Body;
use super::problem::Problem;
use super::state::State;
use super::trace::{CORRELATION_ID, cause_of};
use crate::ownership::{Peer, Unit};
use crate::protocol::codes::Code;
use crate::telemetry::Counter;

/// The header that says which hub node passed a request on.
pub const FORWARDED_BY: &str = "X-InfraWatch-Forwarded-By";

/// Requests that are passed on at the same time, answers that are still read included.
pub(super) const FORWARDS_MAX: usize = 256;

/// Longest wait for a connection, milliseconds.
const CONNECT_MS_MAX: u64 = 2_000;

/// Longest wait for the head of an answer, and for each further part of it, milliseconds.
const ANSWER_MS_MAX: u64 = 30_000;

/// Time between looks whether it is the owner still, milliseconds.
const LOOK_MS: u64 = 250;

/// Headers that are of one connection only (RFC 9110, 7.6.1), or that whoever sends makes anew.
const OF_A_CONNECTION: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "expect",
];

/// Where a request is answered that concerns the unit.
pub(super) enum Place {
    Here,
    At(Unit, Peer),
}

/// Finds it.
///
/// # Errors
/// [`Code::NoOwner`]: nobody owns the unit at the moment, or the request was passed on already.
pub(super) fn place(state: &State, unit: Unit, headers: &HeaderMap) -> Result<Place, Problem> {
    let ownership = &state.services.ownership;
    if ownership.held(unit).is_some() {
        return Ok(Place::Here);
    }
    match ownership.owner(unit) {
        Some(_) if headers.contains_key(FORWARDED_BY) => {
            Err(no_owner("moved", format!("{} moved to another hub node meanwhile", unit.as_str())))
        }
        Some(owner) => Ok(Place::At(unit, owner)),
        None => Err(no_owner("nobody", format!("no hub node owns {} at the moment", unit.as_str()))),
    }
}

fn no_owner(outcome: &'static str, detail: String) -> Problem {
    Counter::RequestsForwarded.add_for(outcome, 1);
    Problem::new(Code::NoOwner, detail)
}

/// Has the owner answer.
///
/// # Errors
/// [`Code::NoOwner`] when it cannot be reached, or does not answer in time; what is wrong with the body.
pub(super) async fn pass_on(
    state: &State,
    unit: Unit,
    owner: &Peer,
    request: &mut ServiceRequest,
) -> Result<HttpResponse, Problem> {
    let Ok(permit) = state.desk.forwards.clone().try_acquire_owned() else {
        let detail = format!("{FORWARDS_MAX} requests are with other hub nodes already");
        return Err(Problem::new(Code::Overloaded, detail));
    };
    let body = request.extract::<Body>().await?.into_bytes();
    let is_head = *request.method() == Method::HEAD;
    let outgoing = outgoing(state, request, body)?;
    let answer = tokio::select! {
        answer = send(owner, outgoing) => answer,
        () = lost(state, unit, owner) => Err("it does not own it any more".to_owned()),
    };
    match answer {
        Ok(answer) => {
            Counter::RequestsForwarded.add_for("answered", 1);
            Ok(incoming(answer, is_head, permit))
        }
        Err(error) => {
            tracing::warn!(owner = owner.node, address = owner.address, error, "request not passed on");
            Err(no_owner("unreachable", format!("hub node {} does not answer", owner.node)))
        }
    }
}

fn outgoing(
    state: &State,
    request: &ServiceRequest,
    body: Bytes,
) -> Result<hyper::Request<Full<Bytes>>, Problem> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut outgoing = hyper::Request::builder().method(request.method().as_str()).uri(path);
    let own = [CORRELATION_ID, FORWARDED_BY].map(str::to_ascii_lowercase);
    for (name, value) in request.headers() {
        if is_end_to_end(name, request.headers()) && !own.iter().any(|own| own == name.as_str()) {
            outgoing = outgoing.header(name.as_str(), value.as_bytes());
        }
    }
    // HTTP/2 names it elsewhere.
    if !request.headers().contains_key("host") {
        outgoing = outgoing.header("host", request.connection_info().host());
    }
    let cause = cause_of(request.request());
    outgoing
        .header(CORRELATION_ID, cause.id().unwrap_or_default())
        .header(FORWARDED_BY, state.services.hub.node.as_str())
        .body(Full::new(body))
        .map_err(|error| Problem::new(Code::InvalidField, error.to_string()))
}

async fn send(
    owner: &Peer,
    request: hyper::Request<Full<Bytes>>,
) -> Result<hyper::Response<Incoming>, String> {
    let connected = timeout(Duration::from_millis(CONNECT_MS_MAX), TcpStream::connect(&owner.address)).await;
    let stream = connected.map_err(|_elapsed| "no connection in time")?.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the request and its answer.
    actix_web::rt::spawn(async move { drop(connection.await) });
    let answered = timeout(Duration::from_millis(ANSWER_MS_MAX), sender.send_request(request)).await;
    answered.map_err(|_elapsed| "no answer in time")?.map_err(|error| error.to_string())
}

/// Ready when it is not the owner any more: one that stopped keeps connections, and never answers.
async fn lost(state: &State, unit: Unit, owner: &Peer) {
    while state.services.ownership.owner(unit).as_ref() == Some(owner) {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

/// The answer, whose body is read as the caller takes it.
fn incoming(answer: hyper::Response<Incoming>, is_head: bool, permit: OwnedSemaphorePermit) -> HttpResponse {
    let (head, body) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in &head.headers {
        let parts =
            (HeaderName::from_bytes(name.as_str().as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        if let (Ok(name), Ok(value)) = parts
            && !OF_A_CONNECTION.contains(&name.as_str())
        {
            response.append_header((name, value));
        }
    }
    let length = head.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        _ if is_head || status == StatusCode::NO_CONTENT => response.finish(),
        Some(0) => response.finish(),
        Some(length) => response.body(SizedStream::new(length, parts(body, permit))),
        None => response.streaming(parts(body, permit)),
    }
}

/// The parts of a body; it counts as under way until the last of them.
fn parts(
    body: Incoming,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Unpin {
    Box::pin(unfold(Some((body, permit)), |reading| async {
        let (mut body, permit) = reading?;
        loop {
            match timeout(Duration::from_millis(ANSWER_MS_MAX), body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Some((Ok(data), Some((body, permit)))),
                    Err(_trailers) => {}
                },
                Ok(None) => return None,
                Ok(Some(Err(_))) | Err(_) => return Some((Err(BrokenOff), None)),
            }
        }
    }))
}

/// The owner broke off in the middle of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the hub node that was asked broke off")]
struct BrokenOff;

/// Whether a header is for whoever answers, not for the next on the way.
fn is_end_to_end(name: &HeaderName, all: &HeaderMap) -> bool {
    let named = all.get_all("connection").filter_map(|value| value.to_str().ok());
    let mut named = named.flat_map(|value| value.split(',')).map(str::trim);
    !OF_A_CONNECTION.contains(&name.as_str()) && !named.any(|named| named.eq_ignore_ascii_case(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let pairs = [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("authorization", "Bearer t"),
            ("te", "trailers"),
        ];
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let kept: Vec<_> =
            headers.keys().filter(|name| is_end_to_end(name, &headers)).map(HeaderName::as_str).collect();
        assert_eq!(kept, ["authorization"]);
    }
}
