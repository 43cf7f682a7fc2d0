//! Reading the JSON object of a request: at most the allowed bytes, and every bad field named by its pointer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev, web};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::problem::{FieldError, Problem};
use super::query::read_moment;
use super::state::State;
use crate::protocol::codes::Code;

/// The bytes of a body, within the bound.
pub struct Body(web::Bytes);

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let bytes_max =
            request.app_data::<web::Data<State>>().map_or(0, |state| state.settings.body_bytes_max);
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let unread = |error: &dyn std::fmt::Display| {
                Problem::new(Code::InvalidJson, format!("the body could not be read: {error}"))
            };
            let payload = payload.await.map_err(|error| unread(&error))?;
            match payload.to_bytes_limited(bytes_max).await {
                Ok(Ok(bytes)) => Ok(Self(bytes)),
                Ok(Err(error)) => Err(unread(&error)),
                Err(_too_long) => {
                    Err(Problem::new(Code::TooLarge, format!("a body may have at most {bytes_max} bytes")))
                }
            }
        })
    }
}

#[derive(Deserialize)]
struct Members<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

impl Body {
    /// The bytes.
    pub(super) fn into_bytes(self) -> web::Bytes {
        self.0
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        self.0.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
    }

    /// One thing, or a list of them. Which field is bad is only told in words.
    pub(super) fn one_or_list<'a, T: Deserialize<'a>>(&'a self) -> Result<Vec<T>, Problem> {
        let read = if self.is_list() {
            serde_json::from_slice(&self.0)
        } else {
            serde_json::from_slice(&self.0).map(|one| vec![one])
        };
        read.map_err(|error| match error.classify() {
            serde_json::error::Category::Data if error.to_string().starts_with("missing field") => {
                Problem::new(Code::MissingField, error.to_string())
            }
            serde_json::error::Category::Data => Problem::new(Code::InvalidField, error.to_string()),
            _ => Problem::new(Code::InvalidJson, format!("the body is not JSON: {error}")),
        })
    }

    /// The object, whole.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, serde_json::Value>, Problem> {
        self.fields(false)?;
        serde_json::from_slice(&self.0).map_err(|error| Problem::new(Code::InvalidJson, error.to_string()))
    }

    /// The fields of the object; an empty body counts as an empty object where `may_be_empty`.
    pub fn fields(&self, may_be_empty: bool) -> Result<Fields<'_>, Problem> {
        if may_be_empty && self.0.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields { members: BTreeMap::new(), errors: Vec::new(), is_missing: false });
        }
        let members =
            serde_json::from_slice::<Members<'_>>(&self.0).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => {
                    Problem::new(Code::InvalidField, "the body must be a JSON object")
                }
                _ => Problem::new(Code::InvalidJson, format!("the body is not JSON: {error}")),
            })?;
        Ok(Fields { members: members.0, errors: Vec::new(), is_missing: false })
    }
}

/// The fields of a body, and what was found wrong with them so far. Unknown fields are ignored; `null` counts
/// as not given.
pub struct Fields<'a> {
    members: BTreeMap<Cow<'a, str>, &'a RawValue>,
    errors: Vec<FieldError>,
    is_missing: bool,
}

impl<'a> Fields<'a> {
    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError { pointer: format!("/{}", escaped(name)), detail: detail.into() });
    }

    /// Notes what is wrong with a member of a field.
    pub fn refuse_member(&mut self, name: &str, member: &str, detail: impl Into<String>) {
        self.refuse(name, detail);
        if let Some(error) = self.errors.last_mut() {
            error.pointer = format!("{}/{}", error.pointer, escaped(member));
        }
    }

    /// Texts by name that may be left out: at most `members_max`, names and texts of at most `bytes_max` bytes.
    pub fn optional_texts(
        &mut self,
        name: &str,
        members_max: usize,
        bytes_max: usize,
    ) -> BTreeMap<String, String> {
        let Some(raw) = self.raw(name) else { return BTreeMap::new() };
        let Ok(members) = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(raw.get()) else {
            self.refuse(name, "must be an object of texts");
            return BTreeMap::new();
        };
        if members.len() > members_max {
            self.refuse(name, format!("may have at most {members_max} members, not {}", members.len()));
        }
        let mut texts = BTreeMap::new();
        for (member, value) in members {
            match value {
                serde_json::Value::String(text)
                    if text.len() <= bytes_max && (1..=bytes_max).contains(&member.len()) =>
                {
                    texts.insert(member, text);
                }
                _ => self.refuse_member(
                    name,
                    &member,
                    format!("must be a text of at most {bytes_max} bytes, its name 1 to {bytes_max}"),
                ),
            }
        }
        texts
    }

    /// Texts that may be left out: one, or a list of at most `items_max`, each of 1 to `bytes_max` bytes.
    pub fn optional_list(&mut self, name: &str, items_max: usize, bytes_max: usize) -> Vec<String> {
        let Some(raw) = self.raw(name) else { return Vec::new() };
        let one = serde_json::from_str::<String>(raw.get()).map(|text| vec![text]);
        let fits = |texts: &Vec<String>| {
            texts.len() <= items_max && texts.iter().all(|text| (1..=bytes_max).contains(&text.len()))
        };
        match one.or_else(|_not_one| serde_json::from_str(raw.get())).ok().filter(fits) {
            Some(texts) => texts,
            None => {
                let wanted = format!("must be at most {items_max} texts of 1 to {bytes_max} bytes");
                self.refuse(name, wanted);
                Vec::new()
            }
        }
    }

    /// A moment that may be left out, in Unix milliseconds: RFC 3339, or the milliseconds themselves.
    pub fn optional_moment(&mut self, name: &str) -> Option<u64> {
        let raw = self.raw(name)?;
        let text = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_number| raw.get().to_owned());
        let moment = read_moment(&text);
        if moment.is_none() {
            self.refuse(name, "must be a time as 2026-11-21T01:15:22Z, or milliseconds since 1970");
        }
        moment
    }

    /// One of these words, which must be there.
    pub fn word<'w>(&mut self, name: &str, words: &[&'w str]) -> Option<&'w str> {
        if self.raw(name).is_none() {
            self.missing(name, &one_of(words));
            return None;
        }
        self.optional_word(name, words)
    }

    /// One of these words, which may be left out.
    pub fn optional_word<'w>(&mut self, name: &str, words: &[&'w str]) -> Option<&'w str> {
        let raw = self.raw(name)?;
        let given = serde_json::from_str::<String>(raw.get()).ok();
        let known = words.iter().find(|word| given.as_deref() == Some(**word)).copied();
        if known.is_none() {
            self.refuse(name, format!("must be {}", one_of(words)));
        }
        known
    }

    /// A whole number within a range that may be left out.
    pub fn number(&mut self, name: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(raw) = self.raw(name) else { return default };
        match raw.get().parse::<u64>().ok().filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                self.refuse(
                    name,
                    format!("must be a whole number from {} to {}", range.start(), range.end()),
                );
                default
            }
        }
    }

    /// A whole number within a range that must be there.
    pub fn given_number(&mut self, name: &str, range: RangeInclusive<u64>) -> u64 {
        if self.raw(name).is_none() {
            self.missing(name, &format!("a whole number from {} to {}", range.start(), range.end()));
            return 0;
        }
        self.number(name, range, 0)
    }

    fn missing(&mut self, name: &str, wanted: &str) {
        self.is_missing = true;
        self.refuse(name, format!("is missing; it must be {wanted}"));
    }

    /// A field as it was written.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.members.get(name).copied().filter(|value| value.get() != "null")
    }

    /// A field that may be any JSON value, also null, but must be there.
    pub fn any(&mut self, name: &str) -> Option<&'a RawValue> {
        let value = self.members.get(name).copied();
        if value.is_none() {
            self.missing(name, "any JSON value");
        }
        value
    }

    /// A text of so many bytes that may be left out.
    pub fn optional_text(&mut self, name: &str, bytes: RangeInclusive<usize>) -> Option<String> {
        let raw = self.raw(name)?;
        match serde_json::from_str::<String>(raw.get()).ok().filter(|text| bytes.contains(&text.len())) {
            Some(text) => Some(text),
            None => {
                self.refuse(name, format!("must be a text of {} to {} bytes", bytes.start(), bytes.end()));
                None
            }
        }
    }

    /// A text of so many bytes that must be there.
    pub fn text(&mut self, name: &str, bytes: RangeInclusive<usize>) -> Option<String> {
        if self.raw(name).is_none() {
            self.missing(name, &format!("a text of {} to {} bytes", bytes.start(), bytes.end()));
            return None;
        }
        self.optional_text(name, bytes)
    }

    /// A yes or no; left out it is no.
    pub fn flag(&mut self, name: &str) -> bool {
        self.flag_or(name, false)
    }

    /// A yes or no that may be left out.
    pub fn flag_or(&mut self, name: &str, default: bool) -> bool {
        let Some(raw) = self.raw(name) else { return default };
        serde_json::from_str(raw.get()).unwrap_or_else(|_other| {
            self.refuse(name, "must be true or false");
            default
        })
    }

    /// `Err` with every bad field, if there is one.
    pub fn check(self) -> Result<(), Problem> {
        match self.errors.is_empty() {
            true => Ok(()),
            false if self.is_missing => Err(Problem::fields(Code::MissingField, self.errors)),
            false => Err(Problem::fields(Code::InvalidField, self.errors)),
        }
    }
}

/// RFC 6901: these two have a meaning in a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn one_of(words: &[&str]) -> String {
    match words {
        [head @ .., last] if !head.is_empty() => format!("{} or {last}", head.join(", ")),
        words => words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Body {
        Body(web::Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn fields_are_read_as_they_were_written() {
        let body = body(r#" {"username":"ann","cookie":true,"payload":{"b":1.50,"a":[]},"x":null} "#);
        let mut fields = body.fields(false).unwrap();
        assert_eq!(fields.text("username", 1..=9).as_deref(), Some("ann"));
        assert!(fields.flag("cookie") && !fields.flag("other"));
        assert_eq!(fields.any("payload").unwrap().get(), r#"{"b":1.50,"a":[]}"#);
        assert_eq!(fields.any("x").unwrap().get(), "null");
        assert!(fields.raw("x").is_none());
        fields.check().unwrap();
    }

    #[test]
    fn every_bad_field_is_named() {
        let body = body(r#"{"username":7,"cookie":"yes"}"#);
        let mut fields = body.fields(false).unwrap();
        assert_eq!(fields.text("username", 1..=9), None);
        assert_eq!(fields.text("pass/word", 1..=9), None);
        fields.flag("cookie");
        let problem = fields.check().unwrap_err();
        assert_eq!(problem.code(), Code::MissingField);
        assert_eq!(problem.to_string(), "/username: must be a text of 1 to 9 bytes; and 2 more, see errors");
    }

    #[test]
    fn words_numbers_and_texts_by_name_are_checked() {
        let body = body(r#"{"severity":"loud","n":7,"m":1.5,"labels":{"a/b":7,"c":"d"},"other":[]}"#);
        let mut fields = body.fields(false).unwrap();
        assert_eq!(fields.number("n", 1..=9, 1), 7);
        assert_eq!(fields.number("x", 1..=9, 3), 3);
        assert_eq!(fields.number("m", 1..=9, 1), 1);
        assert_eq!(fields.word("severity", &["error", "info"]), None);
        assert_eq!(fields.word("status", &["up"]), None);
        assert_eq!(fields.optional_texts("labels", 2, 9), BTreeMap::from([("c".to_owned(), "d".to_owned())]));
        fields.optional_texts("other", 2, 9);
        let told: Vec<_> = fields.errors.iter().map(|e| (e.pointer.as_str(), e.detail.as_str())).collect();
        let expected = [
            ("/m", "must be a whole number from 1 to 9"),
            ("/severity", "must be error or info"),
            ("/status", "is missing; it must be up"),
            ("/labels/a~1b", "must be a text of at most 9 bytes, its name 1 to 9"),
            ("/other", "must be an object of texts"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_no_object_is_told_from_what_is_no_json() {
        for (text, code) in [
            ("", Code::InvalidJson),
            ("{\"a\":", Code::InvalidJson),
            ("{'a':1}", Code::InvalidJson),
            ("[]", Code::InvalidField),
            ("7", Code::InvalidField),
        ] {
            assert_eq!(body(text).fields(false).err().unwrap().code(), code, "{text}");
        }
        assert!(body(" ").fields(true).is_ok());
    }
}
