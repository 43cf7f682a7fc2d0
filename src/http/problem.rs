//! What went wrong, as `application/problem+json` (RFC 9457). Every refusal of the API is one.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::auth::AuthError;
use crate::breaker::{Refused, Subsystem};
use crate::ids::IdError;
use crate::lab::runs::RunError;
use crate::node::FleetError;
use crate::protocol::codes::Code;
use crate::protocol::server::RETRY_AFTER_MS;
use crate::store::StoreError;
use crate::sync::SyncError;
use crate::telemetry::{Cause, Counter};
use crate::topic::TopicError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One thing wrong with the query or the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer of the field in the body; `/name` for a parameter of the query.
    pub pointer: String,
    /// What is wrong with it, and what is allowed.
    pub detail: String,
}

/// A refusal: a row of the table of codes and what it means here.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    status: u16,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    headers: Vec<(&'static str, String)>,
    members: BTreeMap<&'static str, serde_json::Value>,
}

/// A problem as it is sent.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// Names the kind of problem; `about:blank`: the code says it all.
    pub r#type: &'static str,
    /// Short title of the code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what is allowed.
    #[schema(value_type = String)]
    pub detail: &'a str,
    /// Name from the table of codes.
    pub code: &'static str,
    /// The request, as it stands in the log.
    #[schema(value_type = Option<String>)]
    pub correlation_id: Option<&'a str>,
    /// Every bad field.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(value_type = Vec<FieldError>)]
    pub errors: &'a [FieldError],
    /// What some problems tell beside: `current_version`, `state`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: &'a BTreeMap<&'static str, serde_json::Value>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let row = code.row();
        let retry_after_s = row.retryable.then(|| RETRY_AFTER_MS.div_ceil(1_000));
        let detail = detail.into();
        Self {
            code,
            status: row.http_status,
            detail,
            errors: Vec::new(),
            retry_after_s,
            headers: Vec::new(),
            members: BTreeMap::new(),
        }
    }

    /// Fields that are not as they must be; the first one is also the detail.
    pub fn fields(code: Code, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [] => "a field is not as it must be".to_owned(),
            [only] => format!("{}: {}", only.pointer, only.detail),
            [first, rest @ ..] => {
                format!("{}: {}; and {} more, see errors", first.pointer, first.detail, rest.len())
            }
        };
        Self { errors, ..Self::new(code, detail) }
    }

    /// A failure of the hub's own. What it was is for the log, not for the caller.
    pub fn internal(reason: &dyn fmt::Display, cause: &Cause) -> Self {
        tracing::error!(%cause, %reason, "request failed");
        Self::new(Code::Internal, "the hub failed; its log has the reason under this correlation id")
    }

    /// What a framework's own error answer means: only its status is known.
    pub fn of_status(status: StatusCode, detail: String) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => Code::Unauthorized,
            StatusCode::FORBIDDEN => Code::Forbidden,
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
            StatusCode::SERVICE_UNAVAILABLE => Code::Overloaded,
            _ if status.is_server_error() => Code::Internal,
            _ => Code::InvalidField,
        };
        Self { status: status.as_u16(), ..Self::new(code, detail) }
    }

    /// With a header beside those that every problem has.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a member beside those that every problem has, such as the state that was met.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.members.insert(name, value.into());
        self
    }

    /// A member beside those that every problem has.
    pub fn member(&self, name: &str) -> Option<&serde_json::Value> {
        self.members.get(name)
    }

    /// With a time to wait that is better known than the usual one, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The answer.
    pub fn render(&self, cause: &Cause) -> HttpResponse {
        let row = self.code.row();
        Counter::Problems.add_for(row.name, 1);
        let mut answer = HttpResponseBuilder::new(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        if self.status == 401 {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        for (name, value) in &self.headers {
            answer.append_header((*name, value.as_str()));
        }
        let body = Body {
            r#type: "about:blank",
            title: row.title,
            status: self.status,
            detail: &self.detail,
            code: row.name,
            correlation_id: cause.id(),
            errors: &self.errors,
            members: &self.members,
        };
        answer.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    // The door renders it, where the correlation id is known.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

macro_rules! from_domain {
    ($($error:ty),*) => {
        $(impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                match error.code() {
                    Code::Internal => Self::internal(&error, &Cause::own()),
                    code => Self::new(code, error.to_string()),
                }
            }
        })*
    };
}

impl From<crate::alert::FieldError> for FieldError {
    fn from(error: crate::alert::FieldError) -> Self {
        Self { pointer: error.pointer, detail: error.message }
    }
}

from_domain!(AuthError, FleetError, RunError, StoreError, SyncError, TopicError);

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match refused.subsystem {
            Subsystem::Store => Code::StoreUnavailable,
            _ => Code::BreakerOpen,
        };
        Self::new(code, refused.to_string()).retry_after_s(refused.wait_ms().div_ceil(1_000))
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self::new(Code::InvalidName, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;

    #[test]
    fn a_problem_has_all_members_and_the_headers_of_its_code() {
        let error = |pointer: &str| FieldError { pointer: pointer.to_owned(), detail: "bad".to_owned() };
        let problem = Problem::fields(Code::InvalidField, vec![error("/a"), error("/b")]);
        let cause = Cause::from_outside("c-1").unwrap();
        let answer = problem.render(&cause);
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers().get("content-type").unwrap(), MEDIA_TYPE);
        let body: serde_json::Value =
            serde_json::from_slice(&answer.into_body().try_into_bytes().unwrap()).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Invalid field", "status": 400, "code": "invalid_field",
            "detail": "/a: bad; and 1 more, see errors", "correlation_id": "c-1",
            "errors": [{"pointer": "/a", "detail": "bad"}, {"pointer": "/b", "detail": "bad"}],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_may_be_retried_says_when() {
        let answer = Problem::new(Code::Overloaded, "x").render(&Cause::own());
        assert_eq!(answer.headers().get("retry-after").unwrap(), "1");
        let answer = Problem::new(Code::RateLimited, "x").retry_after_s(7).render(&Cause::own());
        assert_eq!(answer.headers().get("retry-after").unwrap(), "7");
        let answer = Problem::new(Code::Unauthorized, "x").render(&Cause::own());
        assert!(answer.headers().get("retry-after").is_none());
        assert_eq!(answer.headers().get("www-authenticate").unwrap(), "Bearer");
    }

    #[test]
    fn what_failed_inside_stays_inside() {
        let problem = Problem::from(StoreError::Sql("near \"SELEKT\": syntax error".into()));
        assert_eq!(problem.code(), Code::Internal);
        assert!(!problem.to_string().contains("SELEKT"));
    }
}
