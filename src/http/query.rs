//! Reading the query of a request: every bad parameter is named with what is allowed; unknown ones are ignored.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::{FromRequest, HttpRequest, dev, web};

use super::problem::{FieldError, Problem};
use crate::clock::parse_rfc3339;
use crate::protocol::codes::Code;

/// The parameters of a request, and what was found wrong with them so far.
#[derive(Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut dev::Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

impl Query {
    /// Reads `a=1&b=2`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text).map_err(|error| {
            Problem::new(Code::InvalidField, format!("the query cannot be read: {error}"))
        })?;
        Ok(Self { pairs: pairs.into_inner(), errors: Vec::new() })
    }

    /// The text of a parameter; an empty one counts as not given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The texts of a parameter that may be there several times, each as it is.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
        values.filter(|value| !value.is_empty())
    }

    /// The texts of a parameter that may be there several times, and have several texts with commas between them.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.all(name).flat_map(|value| value.split(',')).map(str::trim);
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// Notes what is wrong with a parameter.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError { pointer: format!("/{name}"), detail: detail.into() });
    }

    /// A number within a range.
    pub fn number<T>(&mut self, name: &str, range: RangeInclusive<T>, default: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.text(name) else { return default };
        match text.parse::<T>().ok().filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let detail = format!("must be a number from {} to {}", range.start(), range.end());
                self.refuse(name, detail);
                default
            }
        }
    }

    /// A name or another checked text.
    pub fn parsed<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let outcome = parse(self.text(name)?);
        outcome.map_err(|error| self.refuse(name, error.to_string())).ok()
    }

    /// A moment in Unix milliseconds: RFC 3339, or the milliseconds themselves.
    pub fn moment(&mut self, name: &str) -> Option<u64> {
        self.parsed(name, |text| {
            read_moment(text).ok_or(
                "must be a time as 2026-11-21T01:15:22Z (a + in it is written %2B), or milliseconds since 1970",
            )
        })
    }

    /// `Err` with every bad parameter, if there is one.
    pub fn check(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::fields(Code::InvalidField, self.errors)) }
    }
}

/// The end of the year 9999: what RFC 3339 can write.
const MOMENT_MS_MAX: u64 = 253_402_300_799_999;

/// A moment in Unix milliseconds: RFC 3339, or the milliseconds themselves.
pub(super) fn read_moment(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().or_else(|| parse_rfc3339(text)).filter(|ms| *ms <= MOMENT_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_unknown_ones_ignored() {
        let mut query = Query::parse("limit=7&x=y&node=&at=2026-11-21T01%3A15%3A22.042Z&ms=5").unwrap();
        assert_eq!(query.number("limit", 1..=500, 50), 7);
        assert_eq!(query.number("points", 1..=9, 3), 3);
        assert_eq!(query.text("node"), None);
        assert_eq!(query.moment("at"), Some(1_795_223_722_042));
        assert_eq!(query.moment("ms"), Some(5));
        query.check().unwrap();
    }

    #[test]
    fn every_bad_parameter_is_named_with_what_is_allowed() {
        let mut query = Query::parse("limit=501&points=many&at=yesterday&late=999999999999999999").unwrap();
        query.number("limit", 1..=500, 50);
        query.number("points", 1..=1920, 300);
        assert_eq!((query.moment("at"), query.moment("late")), (None, None));
        let problem = query.check().unwrap_err();
        assert_eq!(problem.to_string(), "/limit: must be a number from 1 to 500; and 3 more, see errors");
    }
}
