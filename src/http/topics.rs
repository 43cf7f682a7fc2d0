//! Topics: what exists, who reads it, how much happens on it.

use std::sync::Arc;

use actix_web::web;
use futures_util::future::join_all;
use serde::Serialize;

use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::auth::permission;
use crate::clock::rfc3339;
use crate::ids::TopicName;
use crate::telemetry::Cause;
use crate::topic::{Class, Kept, TopicError, TopicHandle};

/// One topic in the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Topic {
    /// Its name.
    pub topic: String,
    /// `latest` or `log`.
    #[schema(value_type = String)]
    pub class: &'static str,
    /// Urgency of messages that name none.
    #[schema(value_type = String)]
    pub priority: &'static str,
    /// `memory` or `store`.
    #[schema(value_type = String)]
    pub kept: &'static str,
    /// Whether the hub alone publishes to it.
    pub hub_owned: bool,
    /// Subscribed connections.
    pub subscribers: usize,
    /// Its epoch.
    #[schema(value_type = String)]
    pub epoch: Arc<str>,
    /// Offset of the newest message; 0 before the first.
    pub offset: u64,
    /// Messages a second over the last ten seconds.
    pub messages_per_s: f64,
    /// Bytes of frames a second over the last ten seconds.
    pub bytes_per_s: f64,
    /// What it holds in memory.
    pub history: History,
    /// When the newest message that it holds was taken, RFC 3339; null when it holds none.
    pub last_message_at: Option<String>,
}

/// What a topic holds in memory.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TopicHistory)]
pub struct History {
    /// Messages, or newest values.
    pub messages: usize,
    /// Bytes of their frames.
    pub bytes: usize,
}

/// The open topics that the caller may subscribe to, by name.
#[utoipa::path(get, path = "/api/v1/streaming/topics", tag = "events",
    params(super::openapi::PageParams,
        ("prefix" = Option<String>, Query, description = "Only names that begin so")),
    responses((status = 200, body = Page<Topic>, description = "Topics"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Page<Topic>>, Problem> {
    let page = AskedPage::read(&mut query, |key| TopicName::parse(key).is_ok());
    let prefix = query.text("prefix").unwrap_or_default().to_owned();
    query.check()?;
    let may_see = |name: &TopicName| {
        name.as_str().starts_with(&prefix) && permission::may_subscribe(&caller.0, None, name.as_str())
    };
    let handles = state.services.broker.page(page.after.as_deref(), page.limit + 1, may_see);
    let looks = handles.iter().map(|handle| look(handle, &asked.0));
    let mut topics = Vec::with_capacity(handles.len());
    for looked in join_all(looks).await {
        match looked {
            Ok(topic) => topics.push(topic),
            // It was given up or swept while the list was made.
            Err(TopicError::Failed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(web::Json(page.page(topics, |topic| topic.topic.clone())))
}

async fn look(handle: &TopicHandle, cause: &Cause) -> Result<Topic, TopicError> {
    let view = handle.view(0, cause).await?;
    let kind = handle.kind();
    Ok(Topic {
        topic: handle.name().to_string(),
        class: match kind.class {
            Class::Latest => "latest",
            Class::Log => "log",
        },
        priority: kind.priority.as_str(),
        kept: match kind.kept {
            Kept::Memory => "memory",
            Kept::Store => "store",
        },
        hub_owned: kind.hub_owned,
        subscribers: view.subscribers,
        epoch: view.epoch,
        offset: view.offset,
        messages_per_s: view.per_second.messages,
        bytes_per_s: view.per_second.bytes,
        history: History { messages: view.held.0, bytes: view.held.1 },
        last_message_at: view.newest_ms.map(rfc3339),
    })
}
