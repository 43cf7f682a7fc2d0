//! What operators lay down about alerts: [`suppression`] windows, [`inhibitions`], [`escalation`] policies. All are
//! read, written and versioned alike (and templates are, by [`super::templates`]); what they say is checked by `alert`.

pub mod escalation;
pub mod inhibitions;
pub mod suppression;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::Body;
use super::definition::{IfMatch, Written as Given, bad_fields, conflict, etag, is_id, read};
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use crate::alert::policies::POLICIES_MAX;
use crate::alert::{FieldError, WindowDefinition};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::protocol::codes::Code;
use crate::store::{PolicyKind, PolicyRecord, PolicyWrite, StoreError, Written};

/// A definition that is kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Kept<T> {
    /// Its identity within its kind.
    pub id: String,
    /// What it says.
    #[serde(flatten)]
    pub definition: T,
    /// How often it was written; the `ETag`.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// When it was written last, RFC 3339.
    pub updated_at: String,
    /// Who wrote it last.
    pub updated_by: String,
}

/// A kind of definition.
pub(super) trait Policy: Serialize + DeserializeOwned {
    /// As the store knows it.
    const KIND: PolicyKind;
    /// Where it is.
    const PATH: &'static str;
    /// One, in words.
    const NAME: &'static str;
    /// Members of an answer that are no part of the definition.
    const VIEWS: &'static [&'static str] = &[];
    /// Whether alerts are to be told when it changed.
    const HOLDS_FOR_ALERTS: bool = true;
    /// How it is answered.
    type View: Serialize;

    /// With what was left out and can be told.
    #[must_use]
    fn completed(self) -> Self {
        self
    }

    /// Every bad field.
    fn checked(&self, id: &str) -> Result<(), Vec<FieldError>>;
    /// As it is answered.
    fn view(kept: Kept<Self>, now_ms: u64) -> Self::View;
}

fn kept<T: Policy>(record: PolicyRecord) -> Result<Kept<T>, Problem> {
    Ok(Kept {
        definition: serde_json::from_str(&record.body).map_err(StoreError::from)?,
        id: record.id,
        version: record.version,
        created_at: rfc3339(record.created_at_ms),
        created_by: record.created_by,
        updated_at: rfc3339(record.updated_at_ms),
        updated_by: record.updated_by,
    })
}

async fn page<T: Policy>(state: &State, mut query: Query) -> Result<web::Json<Page<T::View>>, Problem> {
    let page = AskedPage::read(&mut query, is_id);
    query.check()?;
    let records = state.store.policies(T::KIND, page.after.as_deref(), page.limit + 1).await?;
    let page = page.page(records, |record| record.id.clone());
    let now_ms = state.services.clock.unix_ms();
    let items = page.items.into_iter().map(|record| Ok(T::view(kept(record)?, now_ms)));
    let items = items.collect::<Result<_, Problem>>()?;
    Ok(web::Json(Page { items, next_cursor: page.next_cursor }))
}

async fn find<T: Policy>(state: &State, id: &str) -> Result<PolicyRecord, Problem> {
    let found = state.store.policy(T::KIND, id).await?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no {} of this id", T::NAME)))
}

/// All of a kind.
pub(super) async fn all<T: Policy>(state: &State) -> Result<Vec<T::View>, Problem> {
    let records = state.store.policies(T::KIND, None, POLICIES_MAX).await?;
    let now_ms = state.services.clock.unix_ms();
    records.into_iter().map(|record| Ok(T::view(kept(record)?, now_ms))).collect()
}

pub(super) async fn one<T: Policy>(state: &State, id: &str) -> Result<HttpResponse, Problem> {
    answered::<T>(state, HttpResponse::Ok(), find::<T>(state, id).await?)
}

pub(super) async fn create<T: Policy>(
    state: &State,
    caller: &Caller,
    body: &Body,
) -> Result<HttpResponse, Problem> {
    let Given { definition, id, version: _ } = read::<T>(body, T::VIEWS)?;
    let id = id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let record = put(state, caller, definition, id, Some(0)).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("{}/{}", T::PATH, record.id)));
    answered::<T>(state, answer, record)
}

pub(super) async fn replace<T: Policy>(
    state: &State,
    caller: &Caller,
    id: &str,
    body: &Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    let given = read::<T>(body, T::VIEWS)?;
    if given.id.as_ref().is_some_and(|given| given != id) {
        let error = FieldError::new("/id", "must be that of the path, or left out");
        return Err(bad_fields(vec![error]));
    }
    let there = find::<T>(state, id).await?;
    let record = put(state, caller, given.definition, there.id, version.0.or(given.version)).await?;
    answered::<T>(state, HttpResponse::Ok(), record)
}

pub(super) async fn delete<T: Policy>(
    state: &State,
    id: &str,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    let current = find::<T>(state, id).await?.version;
    if version.0.is_some_and(|expected| expected != current) {
        return Err(stale::<T>(current));
    }
    state.services.alerts.store()?.delete_policy(T::KIND, id).await?;
    in_force::<T>(state).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Keeps a definition. Ready when it is in force.
pub(super) async fn put<T: Policy>(
    state: &State,
    caller: &Caller,
    definition: T,
    id: String,
    expected: Option<u64>,
) -> Result<PolicyRecord, Problem> {
    let definition = definition.completed();
    definition.checked(&id).map_err(bad_fields)?;
    let body = serde_json::to_string(&definition).map_err(StoreError::from)?;
    let now_ms = state.services.clock.unix_ms();
    let write = PolicyWrite { id, body, expected };
    match state
        .services
        .alerts
        .store()?
        .put_policy(T::KIND, write, &caller.0.sub, now_ms, POLICIES_MAX)
        .await?
    {
        Written::Kept(record) => {
            in_force::<T>(state).await?;
            Ok(record)
        }
        Written::Stale { current, .. } if expected == Some(0) => {
            Err(conflict(current, format!("there is a {} of this id already", T::NAME)))
        }
        Written::Stale { current, .. } => Err(stale::<T>(current)),
        Written::Full => {
            let detail = format!("there are {POLICIES_MAX} already, which is the limit");
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// Ready when what was written holds for alerts.
async fn in_force<T: Policy>(state: &State) -> Result<(), Problem> {
    if T::HOLDS_FOR_ALERTS {
        state.services.alerts.policies_changed().await?;
    }
    Ok(())
}

/// Forgets the windows of `which` that ended before.
pub(super) async fn forget_over(
    state: &State,
    before_ms: u64,
    which: impl Fn(&WindowDefinition) -> bool,
) -> Result<(), Problem> {
    let records = state.store.policies(PolicyKind::Suppression, None, POLICIES_MAX).await?;
    for record in records {
        let window: WindowDefinition = serde_json::from_str(&record.body).map_err(StoreError::from)?;
        let until_ms = window.end.as_deref().and_then(parse_rfc3339);
        if which(&window) && until_ms.is_some_and(|until_ms| until_ms < before_ms) {
            state.services.alerts.store()?.delete_policy(PolicyKind::Suppression, &record.id).await?;
        }
    }
    Ok(())
}

fn stale<T: Policy>(current: u64) -> Problem {
    conflict(current, format!("this {} was changed meanwhile: it is at version {current}", T::NAME))
}

fn answered<T: Policy>(
    state: &State,
    mut answer: actix_web::HttpResponseBuilder,
    record: PolicyRecord,
) -> Result<HttpResponse, Problem> {
    answer.insert_header(etag(record.version));
    let view = T::view(kept::<T>(record)?, state.services.clock.unix_ms());
    Ok(answer.json(view))
}
