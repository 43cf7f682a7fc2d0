//! Who may call a route. A route is mounted with its row of the table of permissions, so that no spelling of a
//! path can reach a handler past its row.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, Responder, dev, guard, web};

use super::forward::{self, Place};
use super::idempotency;
use super::origin::is_loopback_host;
use super::problem::Problem;
use super::state::State;
use crate::auth::Claims;
use crate::auth::permission::{ROUTES, may_call};
use crate::ownership::Unit;
use crate::protocol::codes::Code;

/// Who called. Only handlers behind a row with roles have it.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Claims>);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut dev::Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(|| Problem::new(Code::Unauthorized, "sign in first")))
    }
}

/// Mounts a handler under a row of the table; with or without a slash at the end, and `HEAD` as `GET`.
/// What has no row may nobody call.
pub(super) fn on<F, Args>(
    method: &'static str,
    path: &'static str,
    handler: F,
) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let row = row_of(method, path);
    web::resource([path.to_owned(), format!("{path}/")])
        .guard(guard::fn_guard(move |context| {
            let asked = &context.head().method;
            asked == method || (*asked == Method::HEAD && method == "GET")
        }))
        .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| admit(row, request, next)))
        .to(handler)
}

/// Mounts a handler that creates something under its row: a `POST` that is carried out once a key.
pub(super) fn creating<F, Args>(path: &'static str, handler: F) -> impl HttpServiceFactory + 'static
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let row = row_of("POST", path);
    web::resource([path.to_owned(), format!("{path}/")])
        .guard(guard::Post())
        .wrap(from_fn(idempotency::once))
        .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| admit(row, request, next)))
        .to(handler)
}

fn row_of(method: &str, path: &str) -> Option<usize> {
    ROUTES.iter().position(|rule| rule.method == method && rule.path == path)
}

async fn admit(
    row: Option<usize>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match judge(row, request.request()) {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            match elsewhere(row, request).await {
                Ok(request) => next.call(request).await,
                Err(answer) => Ok(answer),
            }
        }
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// Has another hub node answer what concerns a unit that it owns; else the request comes back.
async fn elsewhere(
    row: Option<usize>,
    mut request: ServiceRequest,
) -> Result<ServiceRequest, ServiceResponse<BoxBody>> {
    let unit = row.and_then(|row| ROUTES[row].unit).and_then(Unit::named);
    let Some((unit, state)) = unit.zip(request.app_data::<web::Data<State>>().cloned()) else {
        return Ok(request);
    };
    let answer = match forward::place(&state, unit, request.headers()) {
        Ok(Place::Here) => return Ok(request),
        Ok(Place::At(unit, owner)) => forward::pass_on(&state, unit, &owner, &mut request).await,
        Err(problem) => Err(problem),
    };
    Err(match answer {
        Ok(answer) => request.into_response(answer),
        Err(problem) => request.error_response(problem),
    })
}

fn judge(row: Option<usize>, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
    let Some(row) = row else {
        return Err(Problem::new(Code::Forbidden, "this route is in no row of the table of permissions"));
    };
    if may_call(None, row) {
        return Ok(None);
    }
    let claims = authenticate(request)?;
    if !may_call(Some(claims.role), row) {
        return Err(Problem::new(Code::Forbidden, format!("role {} may not do this", claims.role)));
    }
    Ok(Some(Caller(Arc::new(claims))))
}

fn authenticate(request: &HttpRequest) -> Result<Claims, Problem> {
    let Some(state) = request.app_data::<web::Data<State>>() else {
        return Err(Problem::new(Code::Unauthorized, "the hub is not ready"));
    };
    if state.dev {
        let host = request.headers().get(header::HOST).map(|value| value.to_str().unwrap_or_default());
        return match is_loopback_host(host) {
            true => Ok(Claims::development()),
            false => Err(Problem::new(
                Code::OriginRefused,
                "under --dev only 127.0.0.1 and localhost are answered",
            )),
        };
    }
    let token = bearer(request).or_else(|| in_query(request)).ok_or_else(|| {
        Problem::new(Code::Unauthorized, "no token: send `Authorization: Bearer`, or sign in first")
    })?;
    Ok(state.services.auth.authenticate(token, state.services.clock.unix_ms())?)
}

/// Routes that browsers open without being able to send a header.
const TOKEN_IN_QUERY: &[&str] = &["/api/v1/streaming/poll", "/api/v1/streaming/sse"];

/// The token of `?token=`, where that is allowed. A token needs no escape.
fn in_query(request: &HttpRequest) -> Option<&str> {
    let path = request.path().trim_end_matches('/');
    let pairs = TOKEN_IN_QUERY.contains(&path).then(|| request.query_string().split('&'))?;
    pairs.into_iter().find_map(|pair| pair.strip_prefix("token=")).filter(|token| !token.is_empty())
}

/// The token of the `Authorization` header. The scheme's name counts in any case, as HTTP has it.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
