//! Which request this is: the correlation id, and the W3C trace it belongs to.

use std::future::{Ready, ready};

use actix_web::http::header::HeaderMap;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev};

use crate::telemetry::Cause;

/// The header of the correlation id.
pub const CORRELATION_ID: &str = "X-Correlation-ID";

/// The header of the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// Identity of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The correlation id; travels in every message that the request causes.
    pub cause: Cause,
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl Trace {
    /// Takes what the caller sent, where it is well formed, and makes the rest. Without a correlation id the
    /// trace id is one, and the other way round where it fits.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let parent = text(TRACEPARENT).and_then(parse);
        let asked = text(CORRELATION_ID).and_then(Cause::from_outside);
        let from_parent =
            || parent.and_then(|(trace_id, _)| Cause::from_outside(&format!("{trace_id:032x}")));
        let cause = asked.or_else(from_parent).unwrap_or_else(Cause::fresh);
        let own = || uuid::Uuid::parse_str(cause.id()?).ok().map(|uuid| uuid.as_u128()).filter(|id| *id != 0);
        let (trace_id, flags) =
            parent.unwrap_or_else(|| (own().unwrap_or_else(|| uuid::Uuid::new_v4().as_u128()), 0));
        Self { cause, trace_id, span_id: rand::random::<u64>().max(1), flags }
    }

    /// The trace this request belongs to, 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header for the answer: the caller's trace, the hub's own span.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// `version-traceid-parentid-flags`; `None` when it is not well formed, as the recommendation says.
fn parse(text: &str) -> Option<(u128, u8)> {
    let mut parts = text.trim().split('-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next();
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    // Later versions may append fields, the first one may not.
    let ends_well = rest.is_none() || version != "00";
    if !(hex(version, 2)
        && version != "ff"
        && hex(trace_id, 32)
        && hex(parent_id, 16)
        && hex(flags, 2)
        && ends_well)
    {
        return None;
    }
    let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
    u64::from_str_radix(parent_id, 16).ok().filter(|id| *id != 0)?;
    Some((trace_id, u8::from_str_radix(flags, 16).ok()?))
}

/// The correlation id of the request, for handlers.
pub struct Asked(pub Cause);

impl FromRequest for Asked {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self(cause_of(request))))
    }
}

/// The correlation id of the request.
pub(super) fn cause_of(request: &HttpRequest) -> Cause {
    request.extensions().get::<Trace>().map(|trace| trace.cause.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(headers: &[(&str, &str)]) -> Trace {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        Trace::of(&pairs.collect())
    }

    #[test]
    fn what_the_caller_sent_is_kept() {
        let trace = of(&[(CORRELATION_ID, "req-7"), (TRACEPARENT, PARENT)]);
        assert_eq!(trace.cause.id(), Some("req-7"));
        let answer = trace.traceparent();
        assert!(
            answer.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && answer.ends_with("-01"),
            "{answer}"
        );
        assert!(!answer.contains("00f067aa0ba902b7"), "the hub has a span of its own: {answer}");
    }

    #[test]
    fn one_stands_in_for_the_other() {
        let trace = of(&[(TRACEPARENT, PARENT)]);
        assert_eq!(trace.cause.id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let trace = of(&[]);
        assert_eq!(trace.trace_id(), trace.cause.id().unwrap().replace('-', ""));
        assert!(parse(&of(&[(CORRELATION_ID, "req-7")]).traceparent()).is_some());
    }

    #[test]
    fn what_is_malformed_is_replaced() {
        let bad = [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ];
        for parent in bad {
            assert_eq!(parse(parent), None, "{parent:?}");
        }
        assert!(parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later").is_some());
        let trace = of(&[(CORRELATION_ID, "two words")]);
        assert!(uuid::Uuid::parse_str(trace.cause.id().unwrap()).is_ok());
    }
}
