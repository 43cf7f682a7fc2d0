//! Definitions that people write and change: read out of a body, with the version that they replace.

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::future::{Ready, ready};

use super::body::Body;
use super::problem::{FieldError, Problem};
use crate::protocol::codes::Code;

/// Longest id that somebody may choose, in bytes.
const ID_BYTES_MAX: usize = 128;

/// What the hub adds to a definition: whoever writes back what it read may leave it in.
pub(super) const ADDED: [&str; 6] =
    ["version", "created_at", "created_by", "updated_at", "updated_by", "live"];

/// A definition as it came, and what came with it.
pub(super) struct Written<T> {
    pub(super) definition: T,
    /// The id that the body has.
    pub(super) id: Option<String>,
    /// The version that it is to replace.
    pub(super) version: Option<u64>,
}

/// Reads a definition. `views`: members of an answer that are no part of it.
pub(super) fn read<T: DeserializeOwned>(body: &Body, views: &[&str]) -> Result<Written<T>, Problem> {
    let mut members = body.object()?;
    let version = match members.get("version") {
        None | Some(Value::Null) => None,
        Some(version) => Some(version.as_u64().ok_or_else(|| refused("/version", "must be a whole number"))?),
    };
    for name in ADDED.iter().chain(views) {
        members.remove(*name);
    }
    let id = match members.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if is_id(&id) => Some(id),
        Some(_other) => {
            let allowed = format!("must be 1 to {ID_BYTES_MAX} of A-Z a-z 0-9 . _ : -");
            return Err(refused("/id", allowed));
        }
    };
    Ok(Written { definition: of_members(members)?, id, version })
}

/// A definition out of the members of an object.
pub(super) fn of_members<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Problem> {
    // The name that an error is about stands in it between back-quotes.
    serde_json::from_value(Value::Object(members)).map_err(|error| {
        let text = error.to_string();
        let name = text.split('`').nth(1).filter(|_| text.contains("field `")).unwrap_or_default();
        let pointer = if name.is_empty() { String::new() } else { format!("/{name}") };
        let code = if text.starts_with("missing field") { Code::MissingField } else { Code::InvalidField };
        Problem::fields(code, vec![FieldError { pointer, detail: text }])
    })
}

/// Whether a text can be an id.
pub(super) fn is_id(text: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_of_id)
}

fn refused(pointer: &str, detail: impl Into<String>) -> Problem {
    Problem::fields(
        Code::InvalidField,
        vec![FieldError { pointer: pointer.to_owned(), detail: detail.into() }],
    )
}

/// Every bad field of a definition.
pub(super) fn bad_fields(errors: Vec<crate::alert::FieldError>) -> Problem {
    Problem::fields(Code::InvalidField, errors.into_iter().map(FieldError::from).collect())
}

/// Somebody else was quicker, or the id is taken.
pub(super) fn conflict(current: u64, detail: impl Into<String>) -> Problem {
    Problem::new(Code::Conflict, detail).with_member("current_version", current)
}

/// The version in `If-Match`; `None` without one, and for `*`.
pub struct IfMatch(pub Option<u64>);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut dev::Payload) -> Self::Future {
        let value = request.headers().get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default());
        ready(match value.map(str::trim) {
            None | Some("*") => Ok(Self(None)),
            Some(text) => match text.trim_start_matches("W/").trim_matches('"').parse() {
                Ok(version) => Ok(Self(Some(version))),
                Err(_not_one) => Err(refused("/If-Match", "must be an ETag of this resource, or *")),
            },
        })
    }
}

/// The `ETag` of a version.
pub(super) fn etag(version: u64) -> (header::HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}
