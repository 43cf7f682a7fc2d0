//! What a poll or an event stream is asked: which topics, and from where.

use std::sync::Arc;

use super::cursor::Cursor;
use super::reader::Reader;
use crate::auth::{Claims, permission};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::ids::TopicName;
use crate::protocol::codes::Code;
use crate::telemetry::Cause;

/// Topics of one request.
const TOPICS_MAX: usize = 64;

/// Messages of one answer, when it is asked for no number, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;

/// Topics and a place in them, both checked.
pub(super) struct Asked {
    topics: Vec<TopicName>,
    cursor: Option<Cursor>,
    limit: usize,
}

impl Asked {
    /// Reads `topics`, `since` and `limit`; notes what is wrong with them.
    pub(super) fn read(query: &mut Query) -> Self {
        let names = query.parsed("topics", |text| {
            let names: Result<Vec<_>, _> =
                text.split(',').map(|name| TopicName::parse(name.trim())).collect();
            names.map_err(|error| match text.contains('*') {
                true => "wildcards are for the WebSocket; name each topic".to_owned(),
                false => error.to_string(),
            })
        });
        if query.text("topics").is_none() {
            query.refuse("topics", "must name one or more topics, apart by commas");
        }
        let mut topics: Vec<TopicName> = Vec::new();
        for name in names.unwrap_or_default() {
            if !topics.contains(&name) {
                topics.push(name);
            }
        }
        if topics.len() > TOPICS_MAX {
            query.refuse("topics", format!("may name at most {TOPICS_MAX} topics, not {}", topics.len()));
        }
        let cursor = query.parsed("since", Cursor::parse);
        let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
        Self { topics, cursor, limit }
    }

    /// A place that is better known than that of the query.
    pub(super) fn from(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
    }

    /// A reader of these topics, when the caller may read them all.
    pub(super) fn reader(
        self,
        state: &State,
        claims: &Arc<Claims>,
        cause: &Cause,
    ) -> Result<Reader, Problem> {
        let Self { topics, cursor, limit } = self;
        let forbidden = topics.iter().find(|topic| !permission::may_subscribe(claims, None, topic.as_str()));
        if let Some(topic) = forbidden {
            return Err(Problem::new(Code::Forbidden, format!("not allowed to read {topic}")));
        }
        let cursor = cursor.unwrap_or_default();
        Ok(Reader::new(state.services.clone(), topics, &cursor, limit, cause.clone()))
    }
}
