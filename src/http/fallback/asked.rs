//! What a poll or an event stream is asked: which topics, and from where.

use std::sync::Arc;

use super::access::{ReadError, may_read};
use super::cursor::Cursor;
use super::following::Wanted;
use super::reader::Reader;
use crate::auth::{Claims, TopicPattern};
use crate::http::query::Query;
use crate::http::state::State;
use crate::ids::TopicName;
use crate::telemetry::Cause;

/// Names and wildcards of one request.
const NAMES_MAX: usize = 64;

/// Messages of one answer, when it is asked for no number, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

/// Topics and a place in them, both checked.
pub(super) struct Asked {
    wanted: Wanted,
    cursor: Option<Cursor>,
    limit: usize,
}

impl Asked {
    /// Reads `topics`, `since` and `limit`; notes what is wrong with them.
    pub(super) fn read(query: &mut Query) -> Self {
        let wanted = query.parsed("topics", read_names);
        if query.text("topics").is_none() {
            query.refuse("topics", "must name one or more topics, apart by commas");
        }
        let wanted = wanted.unwrap_or_default();
        let names = wanted.names.len() + wanted.wildcards.len();
        if names > NAMES_MAX {
            query.refuse("topics", format!("may name at most {NAMES_MAX} topics, not {names}"));
        }
        let cursor = query.parsed("since", Cursor::parse);
        let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
        Self { wanted, cursor, limit }
    }

    /// A place that is better known than that of the query.
    pub(super) fn from(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
    }

    /// A reader of these topics, when the caller may read them all.
    pub(super) async fn reader(
        self,
        state: &State,
        claims: &Arc<Claims>,
        cause: &Cause,
    ) -> Result<Reader, ReadError> {
        let Self { wanted, cursor, limit } = self;
        for topic in &wanted.names {
            state.services.find_queue(topic).await;
        }
        let names = wanted.names.iter().map(TopicName::as_str);
        let wildcards = wanted.wildcards.iter().map(TopicPattern::as_str);
        let mut asked = names.chain(wildcards);
        if let Some(topic) = asked.find(|topic| !may_read(&state.services, claims, topic)) {
            return Err(ReadError::Forbidden { topic: topic.to_owned() });
        }
        let cursor = cursor.unwrap_or_default();
        let (services, claims, cause) = (state.services.clone(), claims.clone(), cause.clone());
        Reader::new(services, claims, wanted, &cursor, limit, cause)
    }
}

/// Names and wildcards, each once.
fn read_names(text: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for name in text.split(',').map(str::trim) {
        if name.contains('*') {
            let wildcard = TopicPattern::parse(name).map_err(|error| error.to_string())?;
            if !wanted.wildcards.contains(&wildcard) {
                wanted.wildcards.push(wildcard);
            }
        } else {
            let name = TopicName::parse(name).map_err(|error| error.to_string())?;
            if !wanted.names.contains(&name) {
                wanted.names.push(name);
            }
        }
    }
    Ok(wanted)
}
