//! Signing in, staying signed in, signing out.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::body::Body;
use super::guard::bearer;
use super::problem::Problem;
use super::state::State;
use crate::auth::{AuthError, Claims, Grant, PASSWORD_BYTES_MAX, REFRESH_TTL_MS};
use crate::clock::rfc3339;
use crate::protocol::codes::Code;
use crate::telemetry::Counter;

/// The cookie of the console's refresh token.
pub const REFRESH_COOKIE: &str = "infrawatch_refresh";

const COOKIE_PATH: &str = "/api/v1/connections";

/// Longest one-time or refresh token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// Who signed in, and with what they go on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignedIn {
    /// The JWT; null under `--dev`, where none is needed.
    pub access_token: Option<String>,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// When the access token runs out, RFC 3339; null under `--dev`.
    pub expires_at: Option<String>,
    /// Who they are.
    pub subject: String,
    /// What they may.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// Good for one refresh; left out where it is in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// Name and password.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct Credentials {
    username: String,
    password: String,
    /// Whether the refresh token goes into a cookie.
    #[schema(default = false)]
    cookie: Option<bool>,
}

/// A one-time token.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct LoginToken {
    token: String,
}

/// A refresh token, unless the cookie has it.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct RefreshToken {
    refresh_token: Option<String>,
}

/// Signs in with name and password.
#[utoipa::path(post, path = "/api/v1/connections/login", tag = "sign-in", request_body = Credentials,
    responses((status = 200, body = SignedIn, description = "Signed in"), super::openapi::Refused), security(()))]
pub async fn login(
    state: web::Data<State>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let address = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    state.desk.logins.check(address).map_err(|wait| {
        let problem = Problem::new(Code::RateLimited, "too many sign-ins from this address");
        problem.retry_after_s(wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
    })?;
    let mut fields = body.fields(false)?;
    let name = fields.text("username", 1..=TOKEN_BYTES_MAX);
    let password = fields.text("password", 1..=PASSWORD_BYTES_MAX);
    let by_cookie = fields.flag("cookie");
    fields.check()?;
    let now_ms = state.services.clock.unix_ms();
    let signed_in =
        state.services.auth.login(&name.unwrap_or_default(), &password.unwrap_or_default(), now_ms).await;
    if matches!(signed_in, Err(AuthError::BadCredentials)) {
        Counter::LoginFailures.add(1);
        tracing::warn!(cause = %super::trace::cause_of(&request), %address, "sign-in refused: wrong name or password");
    }
    Ok(granted(signed_in?, by_cookie))
}

/// Signs in with the one-time token of a login link. The refresh token comes as a cookie.
#[utoipa::path(post, path = "/api/v1/connections/exchange", tag = "sign-in", request_body = LoginToken,
    responses((status = 200, body = SignedIn, description = "Signed in"), super::openapi::Refused), security(()))]
pub async fn exchange(state: web::Data<State>, body: Body) -> Result<HttpResponse, Problem> {
    if state.dev {
        return Ok(HttpResponse::Ok().json(development()));
    }
    let mut fields = body.fields(false)?;
    let token = fields.text("token", 1..=TOKEN_BYTES_MAX);
    fields.check()?;
    let now_ms = state.services.clock.unix_ms();
    let grant = state.services.auth.exchange(&token.unwrap_or_default(), now_ms).await?;
    Ok(granted(grant, true))
}

/// Exchanges the refresh token of the body or the cookie for a new pair; it comes the same way.
#[utoipa::path(post, path = "/api/v1/connections/refresh", tag = "sign-in", request_body = Option<RefreshToken>,
    responses((status = 200, body = SignedIn, description = "Signed in"), super::openapi::Refused), security(()))]
pub async fn refresh(
    state: web::Data<State>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    if state.dev {
        return Ok(HttpResponse::Ok().json(development()));
    }
    let mut fields = body.fields(true)?;
    let from_body = fields.optional_text("refresh_token", 1..=TOKEN_BYTES_MAX);
    fields.check()?;
    let by_cookie = from_body.is_none();
    let Some(token) = from_body.or_else(|| cookie(&request)) else {
        return Err(Problem::new(
            Code::Unauthorized,
            "no refresh token: send `refresh_token`, or the cookie of a sign-in",
        ));
    };
    match state.services.auth.refresh(&token, state.services.clock.unix_ms()).await {
        Ok(grant) => Ok(granted(grant, by_cookie)),
        Err(error) => {
            let problem = Problem::from(error);
            // A cookie that is no longer good would be sent for ever.
            let forget = by_cookie && problem.code().row().http_status == 401;
            Err(if forget { problem.with_header("Set-Cookie", forgotten().to_string()) } else { problem })
        }
    }
}

/// Signs out: takes back the bearer token and the refresh token, whichever are given.
#[utoipa::path(post, path = "/api/v1/connections/logout", tag = "sign-in", request_body = Option<RefreshToken>,
    responses((status = 204, description = "Signed out"), super::openapi::Refused),
    security((), ("bearer" = [])))]
pub async fn logout(
    state: web::Data<State>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.fields(true)?;
    let from_body = fields.optional_text("refresh_token", 1..=TOKEN_BYTES_MAX);
    fields.check()?;
    let refresh_token = from_body.or_else(|| cookie(&request));
    let now_ms = state.services.clock.unix_ms();
    state.services.auth.logout(bearer(&request), refresh_token.as_deref(), now_ms).await?;
    Ok(HttpResponse::NoContent().cookie(forgotten()).finish())
}

fn granted(grant: Grant, by_cookie: bool) -> HttpResponse {
    let Grant { access_token, claims, refresh_token, refresh_expires_at_ms: _ } = grant;
    let mut answer = HttpResponse::Ok();
    if by_cookie {
        answer.cookie(refresh_cookie(refresh_token.clone()));
    }
    answer.json(SignedIn {
        access_token: Some(access_token),
        token_type: "Bearer",
        expires_at: Some(rfc3339(claims.expires_at_ms())),
        subject: claims.sub,
        role: claims.role.as_str(),
        refresh_token: (!by_cookie).then_some(refresh_token),
    })
}

fn development() -> SignedIn {
    let claims = Claims::development();
    SignedIn {
        access_token: None,
        token_type: "Bearer",
        expires_at: None,
        subject: claims.sub,
        role: claims.role.as_str(),
        refresh_token: None,
    }
}

// Not `Secure`: the hub speaks plain HTTP, and browsers would drop the cookie.
fn refresh_cookie(token: String) -> Cookie<'static> {
    Cookie::build(REFRESH_COOKIE, token)
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(CookieAge::milliseconds(REFRESH_TTL_MS as i64))
        .finish()
}

fn forgotten() -> Cookie<'static> {
    let mut cookie = refresh_cookie(String::new());
    cookie.make_removal();
    cookie
}

fn cookie(request: &HttpRequest) -> Option<String> {
    let value = request.cookie(REFRESH_COOKIE)?.value().to_owned();
    (1..=TOKEN_BYTES_MAX).contains(&value.len()).then_some(value)
}
