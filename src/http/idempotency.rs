//! `Idempotency-Key`: a request that creates something and is sent again is carried out once.
//!
//! The same key with the same body, from the same caller to the same route, gets the answer of the first time for
//! 24 hours, also after a restart; with another body it is refused. Only good answers are kept: what was refused
//! created nothing, and may be tried again. A caller who goes away does not end what it began: the answer is kept
//! for when it comes again. (A hub that is killed between the effect and the answer has told nobody, and carries
//! out what comes again.)

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use actix_http::h1;
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::body::Body;
use super::guard::Caller;
use super::problem::{FieldError, Problem};
use super::state::State;
use crate::breaker::Subsystem;
use crate::protocol::codes::Code;
use crate::store::{Digest, KeptAnswer};

/// The header that makes a request a thing to do once.
pub const KEY: &str = "Idempotency-Key";

/// The header that says that an answer was given before.
pub const REPLAYED: &str = "Idempotency-Replayed";

/// How long an answer is kept, in milliseconds.
pub const KEEP_MS: u64 = 24 * 3_600_000;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Answers that are kept; the oldest leave.
const ANSWERS_MAX: usize = 50_000;

/// Longest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Headers of an answer that belong to what was created.
const HEADERS: [&str; 3] = ["content-type", "location", "etag"];

/// Requests with a key that are being carried out.
#[derive(Default)]
pub struct UnderWay(Arc<Mutex<HashSet<Digest>>>);

/// One of them, until it is dropped.
struct Claim {
    all: Arc<Mutex<HashSet<Digest>>>,
    request: Digest,
}

impl UnderWay {
    fn claim(&self, request: Digest) -> Option<Claim> {
        let is_first = self.0.lock().insert(request);
        is_first.then(|| Claim { all: self.0.clone(), request })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.all.lock().remove(&self.request);
    }
}

/// Carries out a request, or answers as it was answered before. Without a key it goes on as it is.
pub(super) async fn once(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.headers().contains_key(KEY) {
        return next.call(request).await;
    }
    let asked = request.request().clone();
    match carry_out(request, next).await {
        Ok(answer) => answer,
        Err(problem) => Ok(ServiceResponse::from_err(problem, asked)),
    }
}

async fn carry_out(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<Result<ServiceResponse<BoxBody>, Error>, Problem> {
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return Err(Problem::new(Code::Overloaded, "the hub is not ready"));
    };
    let digest = digest_of(request.request())?;
    let body = request.extract::<Body>().await?.into_bytes();
    let content: Digest = Sha256::digest(&body).into();
    let Some(claim) = state.desk.under_way.claim(digest) else {
        let detail = "a request with this key is under way; wait for its end";
        return Err(Problem::new(Code::Conflict, detail).retry_after_s(1));
    };
    let now_ms = state.services.clock.unix_ms();
    if let Some(kept) = state.store.kept_answer(digest, now_ms.saturating_sub(KEEP_MS)).await? {
        let asked = request.request().clone();
        return replay(kept, &content).map(|answer| Ok(ServiceResponse::new(asked, answer)));
    }
    // What cannot be kept must not be begun.
    drop(state.services.breakers.enter(Subsystem::Store)?);
    request.set_payload(payload_of(body));
    // A task of its own, which does not end with the caller's connection.
    let carried_out = actix_web::rt::spawn(async move {
        let _claim = claim;
        let answer = next.call(request).await?;
        Ok(if answer.status().is_success() { keep(&state, digest, content, answer).await } else { answer })
    });
    match carried_out.await {
        Ok(answer) => Ok(answer),
        Err(error) => Err(Problem::internal(&error, &crate::telemetry::Cause::own())),
    }
}

/// Who asks for what with which key. Each part is preceded by its length: no two requests are the same bytes.
fn digest_of(request: &HttpRequest) -> Result<Digest, Problem> {
    let mut keys = request.headers().get_all(KEY);
    let key = keys.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let is_key =
        (1..=KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(|byte| (b' '..=b'~').contains(byte));
    if !is_key || keys.next().is_some() {
        let detail = format!("must be one text of 1 to {KEY_BYTES_MAX} printable characters of ASCII");
        let error = FieldError { pointer: format!("/{KEY}"), detail };
        return Err(Problem::fields(Code::InvalidField, vec![error]));
    }
    let caller = request.extensions().get::<Caller>().map(|caller| caller.0.sub.clone()).unwrap_or_default();
    let mut sha = Sha256::new();
    let path = request.path().trim_end_matches('/');
    for part in [caller.as_bytes(), request.method().as_str().as_bytes(), path.as_bytes(), key] {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    Ok(sha.finalize().into())
}

fn replay(kept: KeptAnswer, content: &Digest) -> Result<HttpResponse, Problem> {
    if kept.content != *content {
        return Err(Problem::new(Code::Conflict, "this key came with another body before; take a fresh one"));
    }
    let Some(body) = kept.answer else {
        let detail = "this request was carried out before; its answer was too long to be kept";
        return Err(Problem::new(Code::Conflict, detail));
    };
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::with_body(status, BoxBody::new(body));
    for (name, value) in &kept.headers {
        insert(answer.headers_mut(), name, value);
    }
    insert(answer.headers_mut(), REPLAYED, "true");
    Ok(answer)
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    // Both were in an answer before.
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Keeps an answer before it is given. One that cannot be kept is given all the same: what it tells has happened.
async fn keep(
    state: &State,
    request: Digest,
    content: Digest,
    answer: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let (asked, answer) = answer.into_parts();
    let (head, body) = answer.into_parts();
    let body = match to_bytes(body.boxed()).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer could not be read");
            return ServiceResponse::new(asked, HttpResponse::InternalServerError().finish());
        }
    };
    let headers = HEADERS.iter().filter_map(|name| {
        let value = head.headers().get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    let kept = KeptAnswer {
        content,
        status: head.status().as_u16(),
        headers: headers.collect::<BTreeMap<_, _>>(),
        answer: (body.len() <= ANSWER_BYTES_MAX).then(|| body.clone()),
    };
    let now_ms = state.services.clock.unix_ms();
    if let Err(error) = state.store.keep_answer(request, kept, now_ms, ANSWERS_MAX).await {
        tracing::warn!(%error, "an answer is not kept: sent again, its request is carried out again");
    }
    ServiceResponse::new(asked, head.set_body(BoxBody::new(body)))
}

/// A body that was read, to be read again.
fn payload_of(body: web::Bytes) -> Payload {
    let (_sender, mut payload) = h1::Payload::create(true);
    payload.unread_data(body);
    Payload::from(payload)
}
