//! What every request passes, whatever becomes of it: identity, origin, then the routes, then headers, the
//! log line and the counts.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use tokio::time::Instant;

use super::browser::{self, Passage};
use super::guard::Caller;
use super::problem::Problem;
use super::state::State;
use super::trace::{CORRELATION_ID, TRACEPARENT, Trace};
use crate::protocol::codes::Code;
use crate::telemetry::{Cause, Counter, Histogram};

pub(super) async fn enter(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let trace = Trace::of(request.headers());
    request.extensions_mut().insert(trace.clone());
    let allowed = &state.settings.origins;
    let passage = browser::judge(request.method(), request.headers(), allowed);
    let preflight = passage == Passage::Preflight;
    let answer = match passage {
        Passage::Pass => next.call(request).await?.map_into_boxed_body(),
        Passage::Preflight => request.into_response(HttpResponse::NoContent().finish()),
        Passage::Refuse => {
            request.error_response(Problem::new(Code::OriginRefused, "the page's origin is not allowed here"))
        }
    };
    let mut answer = rendered(answer, &trace.cause);
    let asked = answer.request().clone();
    browser::guard_answer(answer.headers_mut(), asked.headers(), allowed, preflight);
    identify(&mut answer, &trace);
    account(&answer, &trace, started);
    Ok(answer)
}

/// Turns whatever refused into a problem. What answered with a body of its own meant it.
fn rendered(answer: ServiceResponse<BoxBody>, cause: &Cause) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let problem = match answer.response().error() {
        Some(error) => match error.as_error::<Problem>() {
            Some(problem) => problem.clone(),
            None => Problem::of_status(status, error.to_string()),
        },
        None if matches!(answer.response().body().size(), BodySize::None | BodySize::Sized(0)) => {
            Problem::of_status(status, status.canonical_reason().unwrap_or("refused").to_owned())
        }
        None => return answer,
    };
    answer.into_response(problem.render(cause))
}

fn identify(answer: &mut ServiceResponse<BoxBody>, trace: &Trace) {
    let pairs = [
        (CORRELATION_ID, trace.cause.id().unwrap_or_default().to_owned()),
        (TRACEPARENT, trace.traceparent()),
    ];
    for (name, value) in pairs {
        // Both are printable by construction.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            answer.headers_mut().insert(name, value);
        }
    }
}

fn account(answer: &ServiceResponse<BoxBody>, trace: &Trace, started: Instant) {
    let elapsed = started.elapsed();
    let status = answer.status();
    Counter::HttpRequests.add_for(class(status), 1);
    Histogram::HttpSeconds.record_s(elapsed.as_secs_f64());
    let request = answer.request();
    let route = request.match_pattern();
    let subject = request.extensions().get::<Caller>().map(|caller| caller.0.sub.clone());
    let is_quiet = *request.method() == Method::GET && status.is_success();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                cause = %trace.cause,
                trace = trace.trace_id(),
                method = %request.method(),
                route = route.as_deref().unwrap_or("-"),
                subject = subject.as_deref().unwrap_or("-"),
                status = status.as_u16(),
                ms = elapsed.as_millis() as u64,
                "request"
            )
        };
    }
    match (status.is_server_error(), is_quiet) {
        (true, _) => line!(warn),
        // Pages and probes read every second or so.
        (false, true) => line!(debug),
        (false, false) => line!(info),
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
