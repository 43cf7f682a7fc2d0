//! What was published to a topic lately: out of its memory, or the store where the topic is kept there.

use actix_web::web;
use serde::Serialize;
use serde_json::value::RawValue;

use super::TOPIC_DEFAULT;
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::http::guard::Caller;
use crate::http::page::{Asked as AskedPage, Page};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::rooms::json_text;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::ids::TopicName;
use crate::protocol::codes::Code;
use crate::store;
use crate::telemetry::Cause;
use crate::topic::Kept;
use crate::topic::log::Stored;

/// One event in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Event {
    /// Identity of the message.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// Position in the topic's epoch.
    pub offset: u64,
    /// When the hub took it, RFC 3339.
    pub timestamp: String,
    /// What its publisher calls it; `message` when nothing.
    pub r#type: String,
    /// What it is the newest value of.
    pub key: Option<String>,
    /// Its urgency.
    pub priority: String,
    /// What was published.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

impl Event {
    pub(super) fn held(topic: &TopicName, message: &Stored) -> Self {
        Self {
            id: message.id.to_string(),
            topic: topic.to_string(),
            offset: message.offset,
            timestamp: rfc3339(message.unix_ms),
            r#type: message.event_type.as_deref().unwrap_or("message").to_owned(),
            key: message.key.as_ref().map(ToString::to_string),
            priority: message.priority.as_str().to_owned(),
            payload: json_text(message.payload_text().as_bytes()),
        }
    }

    fn kept(topic: &TopicName, event: store::Event) -> Self {
        let store::Event { offset, id, ts_ms, key, priority, kind, payload } = event;
        Self {
            id,
            topic: topic.to_string(),
            offset,
            timestamp: rfc3339(ts_ms),
            r#type: kind,
            key,
            priority,
            payload: json_text(&payload),
        }
    }
}

/// Where a page begins: before an offset of an epoch in memory, or before a row of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Before {
    Offset { epoch: String, offset: u64 },
    Row(u64),
}

impl Before {
    fn parse(key: &str) -> Option<Self> {
        match key.rsplit_once('.') {
            Some((epoch, offset)) => {
                Some(Self::Offset { epoch: epoch.to_owned(), offset: offset.parse().ok()? })
            }
            None => key.parse().ok().map(Self::Row),
        }
    }
}

/// The newest events of a topic, newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(super::super::openapi::PageParams,
        ("topic" = Option<String>, Query, description = "The topic's name; `events` when left out")),
    responses((status = 200, body = Page<Event>, description = "Events"), super::super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Page<Event>>, Problem> {
    let page = AskedPage::read(&mut query, |key| Before::parse(key).is_some());
    let topic = query.parsed("topic", TopicName::parse);
    query.check()?;
    let topic = topic.unwrap_or_else(|| TopicName::well_known(TOPIC_DEFAULT));
    if !permission::may_subscribe(&caller.0, None, topic.as_str()) {
        return Err(Problem::new(Code::Forbidden, format!("not allowed to read {topic}")));
    }
    let before = page.after.as_deref().and_then(Before::parse);
    let found = match (state.services.broker.kind(&topic).kept, before) {
        (Kept::Memory, None) => in_memory(&state, &topic, &page, None, &asked.0).await?,
        (Kept::Memory, Some(Before::Offset { epoch, offset })) => {
            in_memory(&state, &topic, &page, Some((epoch, offset)), &asked.0).await?
        }
        (Kept::Store, None) => in_store(&state, &topic, &page, None).await?,
        (Kept::Store, Some(Before::Row(row))) => in_store(&state, &topic, &page, Some(row)).await?,
        (Kept::Memory, Some(Before::Row(_))) | (Kept::Store, Some(Before::Offset { .. })) => {
            return Err(bad_cursor("is of another topic's list"));
        }
    };
    Ok(web::Json(found))
}

fn bad_cursor(detail: &str) -> Problem {
    let mut query = Query::default();
    query.refuse("cursor", detail);
    query.check().err().unwrap_or_else(|| Problem::new(Code::InvalidField, detail))
}

async fn in_memory(
    state: &State,
    topic: &TopicName,
    page: &AskedPage,
    before: Option<(String, u64)>,
    cause: &Cause,
) -> Result<Page<Event>, Problem> {
    let Some(handle) = state.services.broker.find(topic) else {
        return Ok(Page { items: Vec::new(), next_cursor: None });
    };
    let wanted = if before.is_some() { usize::MAX } else { page.limit + 1 };
    let view = handle.view(wanted, cause).await?;
    let before_offset = match before {
        Some((epoch, _)) if *epoch != *view.epoch => {
            return Err(bad_cursor("is of a former epoch of the topic; start without a cursor"));
        }
        Some((_, offset)) => offset,
        None => u64::MAX,
    };
    let newest_first = view.messages.iter().rev().filter(|message| message.offset < before_offset);
    let items = newest_first.take(page.limit + 1).map(|message| Event::held(topic, message)).collect();
    Ok(page.page(items, |last| format!("{}.{}", view.epoch, last.offset)))
}

async fn in_store(
    state: &State,
    topic: &TopicName,
    page: &AskedPage,
    before: Option<u64>,
) -> Result<Page<Event>, Problem> {
    let found = state.store.list_events(Some(topic.as_str()), before, page.limit, |_topic| true).await?;
    let items = found.items.into_iter().map(|row| Event::kept(topic, row.event)).collect();
    Ok(Page { items, next_cursor: found.next.map(|row| crate::http::page::encode(&row.to_string())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_kind_of_list() {
        let offset = Before::Offset { epoch: "ab12".into(), offset: 7 };
        assert_eq!(Before::parse("ab12.7"), Some(offset));
        assert_eq!(Before::parse("7"), Some(Before::Row(7)));
        for bad in ["", "ab12", "ab12.", "ab12.-1", "-7"] {
            assert_eq!(Before::parse(bad), None, "{bad}");
        }
    }
}
