//! Shared state over HTTP: which documents there are, and one of them as it is.

use std::sync::Arc;

use actix_web::web;
use serde::Serialize;

use crate::auth::permission;
use crate::clock::rfc3339;
use crate::http::guard::Caller;
use crate::http::page::{Asked as AskedPage, Page};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::rooms::position;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::ids::{DocName, TopicName};
use crate::protocol::codes::Code;
use crate::store::DocumentRow;
use crate::sync::messages::KeyView;

/// Documents read at once, in search of those that the caller may read.
const SCAN_ROWS: usize = 500;

/// Writes that found somebody else's in between.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConflictCounts {
    /// All of them.
    pub total: u64,
    /// They won all the same.
    pub won: u64,
    /// They were turned down.
    pub lost: u64,
}

impl ConflictCounts {
    fn of(won: u64, lost: u64) -> Self {
        Self { total: won + lost, won, lost }
    }
}

/// One document in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DocumentSummary {
    /// Its name.
    pub doc: String,
    /// The topic of its updates.
    pub topic: String,
    /// Writes applied to it.
    pub version: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Writes that found somebody else's in between.
    pub conflicts: ConflictCounts,
    /// The newest change, RFC 3339.
    pub updated_at: String,
}

impl DocumentSummary {
    fn of(row: DocumentRow) -> Self {
        let DocumentRow { name, head, keys, bytes } = row;
        Self {
            topic: format!("sync:{name}"),
            doc: name,
            version: head.version,
            keys,
            bytes,
            conflicts: ConflictCounts::of(head.conflicts_won, head.conflicts_lost),
            updated_at: rfc3339(head.updated_at_ms),
        }
    }
}

/// One document.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Document {
    /// Its name.
    pub doc: String,
    /// The topic of its updates.
    pub topic: String,
    /// The topic's epoch; null before the first update.
    #[schema(value_type = Option<String>)]
    pub epoch: Option<Arc<str>>,
    /// A position of the topic that the entries are not behind: follow from here.
    pub offset: u64,
    /// Writes applied to the document.
    pub version: u64,
    /// Keys that have a value.
    pub keys: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
    /// Writes that found somebody else's in between.
    pub conflicts: ConflictCounts,
    /// The newest change, RFC 3339.
    pub updated_at: String,
    /// By key; deleted ones with a null.
    pub entries: Vec<KeyView>,
    /// Pass it as `cursor` to get further entries; null after the last.
    pub next_cursor: Option<String>,
}

/// Documents that the caller may read, by name.
#[utoipa::path(get, path = "/api/v1/events/sync", tag = "events",
    params(super::super::openapi::PageParams),
    responses((status = 200, body = Page<DocumentSummary>, description = "Documents"),
        super::super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
) -> Result<web::Json<Page<DocumentSummary>>, Problem> {
    let page = AskedPage::read(&mut query, |key| DocName::parse(key).is_ok());
    query.check()?;
    let (mut found, mut after) = (Vec::new(), page.after.clone());
    loop {
        let rows = state.store.documents(after.as_deref(), SCAN_ROWS).await?;
        let is_last = rows.len() < SCAN_ROWS;
        after = rows.last().map(|row| row.name.clone()).or(after);
        let may_read =
            |row: &DocumentRow| permission::may_subscribe(&caller.0, None, &format!("sync:{}", row.name));
        found.extend(rows.into_iter().filter(may_read).map(DocumentSummary::of));
        if is_last || found.len() > page.limit {
            return Ok(web::Json(page.page(found, |document| document.doc.clone())));
        }
    }
}

/// One document: its entries by key, its conflicts, and where its topic stands.
#[utoipa::path(get, path = "/api/v1/events/sync/{doc}", tag = "events",
    params(super::super::openapi::PageParams, ("doc" = String, Path, description = "The document's name")),
    responses((status = 200, body = Document, description = "The document"), super::super::openapi::Refused))]
pub async fn one(
    state: web::Data<State>,
    caller: Caller,
    doc: web::Path<String>,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Document>, Problem> {
    let doc = DocName::parse(&doc)?;
    let page = AskedPage::read(&mut query, |_key| true);
    query.check()?;
    let topic = TopicName::of_document(&doc);
    if !permission::may_subscribe(&caller.0, None, topic.as_str()) {
        return Err(Problem::new(Code::Forbidden, format!("not allowed to read the document {doc}")));
    }
    // Before the entries: an update that comes in between is in them, and comes again to who follows.
    let (epoch, offset) = position(&state, &topic, &asked.0).await?;
    let view = state.services.documents.get(&doc, None, &asked.0).await?;
    if view.updated_at_ms == 0 {
        return Err(Problem::new(Code::NotFound, format!("there is no document {doc}")));
    }
    let behind = |entry: &KeyView| page.after.as_deref().is_none_or(|after| &*entry.key > after);
    let entries = view.entries.into_iter().filter(behind).collect();
    let Page { items, next_cursor } = page.page(entries, |entry| entry.key.to_string());
    Ok(web::Json(Document {
        doc: doc.to_string(),
        topic: topic.to_string(),
        epoch,
        offset,
        version: view.version,
        keys: view.keys,
        bytes: view.bytes,
        conflicts: ConflictCounts::of(view.conflicts.won, view.conflicts.lost),
        updated_at: rfc3339(view.updated_at_ms),
        entries: items,
        next_cursor,
    }))
}
