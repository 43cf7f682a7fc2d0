//! What browsers must know and obey: security headers on every answer, CORS for the origins of the allow-list.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::origin::origin_allowed;

/// On every answer. The console needs inline styles for its charts and nothing else from the outside.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// What pages of other origins may use.
const CORS_METHODS: &str = "GET, POST, PUT, DELETE";
const CORS_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, X-Correlation-ID, traceparent";
const CORS_EXPOSED: &str = "ETag, Idempotency-Replayed, Location, Retry-After, X-Correlation-ID, traceparent";
const CORS_MAX_AGE_S: &str = "600";

/// What is to be done with a request, by its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passage {
    /// On to the routes.
    Pass,
    /// Asks what it may; answered here.
    Preflight,
    /// Would change something for a page that may not.
    Refuse,
}

/// Judges a request by its origin. A read from a foreign origin passes: without CORS headers in the answer the
/// browser does not show it to the page.
pub(super) fn judge(method: &Method, headers: &HeaderMap, allowed: &[String]) -> Passage {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let passes = origin_allowed(origin(headers), text(header::HOST), allowed);
    let asks = method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    match (asks, passes) {
        (true, true) => Passage::Preflight,
        (_, false) if !matches!(*method, Method::GET | Method::HEAD) => Passage::Refuse,
        _ => Passage::Pass,
    }
}

/// Adds the headers that the answer to a request with these headers needs.
pub(super) fn guard_answer(answer: &mut HeaderMap, request: &HeaderMap, allowed: &[String], preflight: bool) {
    for (name, value) in HEADERS {
        answer.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !answer.contains_key(header::CACHE_CONTROL) {
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    let listed = request.get(header::ORIGIN).filter(|origin| {
        origin.to_str().is_ok_and(|origin| allowed.iter().any(|known| known.eq_ignore_ascii_case(origin)))
    });
    let Some(listed) = listed else { return };
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, listed.clone());
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(CORS_EXPOSED));
    if preflight {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(CORS_METHODS));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_HEADERS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(CORS_MAX_AGE_S));
    }
}

/// An origin that is not even text is a foreign one.
fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn foreign_pages_may_look_in_vain_and_change_nothing() {
        let allowed = ["https://ok.example".to_owned()];
        let host = ("host", "127.0.0.1:5050");
        let asks = ("access-control-request-method", "POST");
        let cases = [
            (Method::GET, headers(&[host]), Passage::Pass),
            (Method::POST, headers(&[host]), Passage::Pass),
            (Method::POST, headers(&[host, ("origin", "http://127.0.0.1:5050")]), Passage::Pass),
            (Method::POST, headers(&[host, ("origin", "https://ok.example")]), Passage::Pass),
            (Method::GET, headers(&[host, ("origin", "https://evil.example")]), Passage::Pass),
            (Method::POST, headers(&[host, ("origin", "https://evil.example")]), Passage::Refuse),
            (Method::DELETE, headers(&[host, ("origin", "null")]), Passage::Refuse),
            (Method::OPTIONS, headers(&[host, ("origin", "https://evil.example"), asks]), Passage::Refuse),
            (Method::OPTIONS, headers(&[host, ("origin", "https://ok.example"), asks]), Passage::Preflight),
        ];
        for (method, request, expected) in cases {
            assert_eq!(judge(&method, &request, &allowed), expected, "{method} {request:?}");
        }
    }

    #[test]
    fn only_listed_origins_are_named_and_never_all() {
        let allowed = ["https://ok.example".to_owned()];
        let answered = |origin: &'static str, preflight: bool| {
            let mut answer = HeaderMap::new();
            guard_answer(&mut answer, &headers(&[("origin", origin)]), &allowed, preflight);
            answer
        };
        let listed = answered("https://ok.example", false);
        assert_eq!(listed.get("access-control-allow-origin").unwrap(), "https://ok.example");
        assert!(listed.get("access-control-allow-methods").is_none());
        assert!(answered("https://ok.example", true).contains_key("access-control-allow-methods"));
        let foreign = answered("https://evil.example", true);
        assert!(foreign.keys().all(|name| !name.as_str().starts_with("access-control")));
        assert!(foreign.contains_key("content-security-policy"));
    }
}
