//! Silences: suppression windows with a begin and an end, as Alertmanager has them. Those that are over are shown for five
//! days, and go when another is made.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{Filter, answered};
use crate::alert::{Labels, METRIC, Matcher, Operator, SERVICE, WindowDefinition};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::http::body::Body;
use crate::http::definition::is_id;
use crate::http::guard::Caller;
use crate::http::policies::{forget_over, put};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::protocol::codes::Code;
use crate::store::{PolicyKind, PolicyRecord, StoreError};

/// How long a silence is shown that is over, in milliseconds.
const SHOWN_MS: u64 = 120 * 3_600_000;

/// Windows that are read at once.
const PAGE: usize = 500;

/// What the name of a window begins with that somebody made as a silence.
const MADE_BY: &str = "silence by ";

/// A silence to make, or to replace.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostableSilence {
    /// Which one is replaced; a fresh one when left out.
    id: Option<String>,
    /// Which alerts: `{name, value, isRegex, isEqual}`.
    #[schema(value_type = Vec<SilenceMatcher>)]
    matchers: Vec<Matcher>,
    /// From when, RFC 3339; what is past is now.
    starts_at: String,
    /// Until when.
    ends_at: String,
    /// Who says so.
    #[serde(default)]
    created_by: String,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// A condition on a label.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMatcher {
    name: String,
    value: String,
    is_regex: bool,
    is_equal: bool,
}

/// A silence.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    id: String,
    status: SilenceStatus,
    updated_at: String,
    comment: String,
    created_by: String,
    ends_at: String,
    matchers: Vec<SilenceMatcher>,
    starts_at: String,
}

/// Where a silence is in its life.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SilenceStatus {
    /// `pending`, `active` or `expired`.
    state: &'static str,
}

/// The silence that was made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SilenceId {
    /// Its id.
    #[serde(rename = "silenceID")]
    silence_id: String,
}

impl From<&Matcher> for SilenceMatcher {
    fn from(matcher: &Matcher) -> Self {
        let operator = matcher.operator();
        Self {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matches!(operator, Operator::Matches | Operator::MatchesNot),
            is_equal: matches!(operator, Operator::Is | Operator::Matches),
        }
    }
}

/// A window as a silence; `None`: it comes again and again, which silences do not.
fn silence(record: PolicyRecord, now_ms: u64) -> Result<Option<GettableSilence>, StoreError> {
    let window: WindowDefinition = serde_json::from_str(&record.body)?;
    let moment = |text: &Option<String>| text.as_deref().and_then(parse_rfc3339);
    let (Some(from_ms), Some(until_ms)) = (moment(&window.start), moment(&window.end)) else {
        return Ok(None);
    };
    let mut matchers: Vec<Matcher> =
        window.matchers.iter().filter_map(|text| Matcher::parse(text).ok()).collect();
    let parts =
        [(METRIC, Operator::Matches, &window.metric_pattern), (SERVICE, Operator::Is, &window.service)];
    for (name, operator, value) in parts {
        matchers.extend(value.as_ref().and_then(|value| Matcher::new(name, operator, value).ok()));
    }
    let state = match now_ms {
        now_ms if now_ms >= until_ms => "expired",
        now_ms if now_ms < from_ms => "pending",
        _ => "active",
    };
    let created_by = window.name.strip_prefix(MADE_BY).map_or(record.created_by, str::to_owned);
    Ok(Some(GettableSilence {
        id: record.id,
        status: SilenceStatus { state },
        updated_at: rfc3339(record.updated_at_ms),
        comment: window.comment.unwrap_or_default(),
        created_by,
        ends_at: rfc3339(until_ms),
        matchers: matchers.iter().map(SilenceMatcher::from).collect(),
        starts_at: rfc3339(from_ms),
    }))
}

/// Silences; those that are over for five days.
#[utoipa::path(get, path = "/api/v2/silences", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers of labels that the silence is about, each a parameter of its own")),
    responses((status = 200, body = Vec<GettableSilence>, description = "Silences"), crate::http::openapi::Refused))]
pub async fn list(state: web::Data<State>, query: Query) -> HttpResponse {
    answered(all(&state, query).await.map(|silences| HttpResponse::Ok().json(silences)))
}

async fn all(state: &State, mut query: Query) -> Result<Vec<GettableSilence>, Problem> {
    let filter = Filter::read(&mut query);
    query.check()?;
    let now_ms = state.services.clock.unix_ms();
    let (mut silences, mut after) = (Vec::new(), None);
    loop {
        let page = state.store.policies(PolicyKind::Suppression, after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|record| record.id.clone());
        for record in page {
            silences.extend(silence(record, now_ms)?);
        }
        if is_last {
            break;
        }
    }
    // As Alertmanager: a filter is compared with the values that the matchers name.
    silences.retain(|silence: &GettableSilence| {
        let labels = silence.matchers.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone()));
        filter.lets_through(&labels.collect::<Labels>())
    });
    let rank =
        |silence: &GettableSilence| ["active", "pending"].iter().position(|s| *s == silence.status.state);
    silences.sort_by_key(|silence| (rank(silence).unwrap_or(2), silence.ends_at.clone()));
    Ok(silences)
}

/// One silence.
#[utoipa::path(get, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = GettableSilence, description = "The silence"), crate::http::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> HttpResponse {
    answered(find(&state, &id).await.map(|(_, silence)| HttpResponse::Ok().json(silence)))
}

async fn find(state: &State, id: &str) -> Result<(PolicyRecord, GettableSilence), Problem> {
    let record = state.store.policy(PolicyKind::Suppression, id).await?;
    let now_ms = state.services.clock.unix_ms();
    let found =
        record.map(|record| silence(record.clone(), now_ms).map(|silence| (record, silence))).transpose()?;
    match found {
        Some((record, Some(silence))) => Ok((record, silence)),
        _ => Err(Problem::new(Code::NotFound, "there is no silence of this id")),
    }
}

/// Makes a silence, or replaces one. Answered when it is in force.
#[utoipa::path(post, path = "/api/v2/silences", tag = "alertmanager", request_body = PostableSilence,
    responses((status = 200, body = SilenceId, description = "Its id"), crate::http::openapi::Refused))]
pub async fn post(state: web::Data<State>, caller: Caller, body: Body) -> HttpResponse {
    answered(make(&state, &caller, &body).await)
}

async fn make(state: &State, caller: &Caller, body: &Body) -> Result<HttpResponse, Problem> {
    let posted: PostableSilence = crate::http::definition::of_members(body.object()?)?;
    let now_ms = state.services.clock.unix_ms();
    let refused = |detail: &str| Problem::new(Code::InvalidField, detail);
    let from_ms =
        parse_rfc3339(&posted.starts_at).ok_or_else(|| refused("startsAt must be a time of RFC 3339"))?;
    let until_ms =
        parse_rfc3339(&posted.ends_at).ok_or_else(|| refused("endsAt must be a time of RFC 3339"))?;
    if until_ms <= from_ms || until_ms <= now_ms {
        return Err(refused("endsAt must be after startsAt, and after now"));
    }
    if posted.matchers.iter().all(|matcher| matcher.matches(None)) {
        return Err(refused("at least one matcher must not match what is empty"));
    }
    let id = match posted.id.filter(|id| !id.is_empty()) {
        Some(id) if !is_id(&id) => return Err(refused("id must be that of a silence")),
        Some(id) => find(state, &id).await?.0.id,
        None => uuid::Uuid::now_v7().to_string(),
    };
    let by = if posted.created_by.is_empty() { &caller.0.sub } else { &posted.created_by };
    let window = WindowDefinition {
        name: format!("{MADE_BY}{by}"),
        matchers: posted.matchers.iter().map(ToString::to_string).collect(),
        start: Some(rfc3339(from_ms.max(now_ms))),
        end: Some(rfc3339(until_ms)),
        comment: Some(posted.comment).filter(|comment| !comment.is_empty()),
        ..WindowDefinition::default()
    };
    forget_over(state, now_ms.saturating_sub(SHOWN_MS), |window| window.name.starts_with(MADE_BY)).await?;
    let record = put(state, caller, window, id, None).await?;
    Ok(HttpResponse::Ok().json(SilenceId { silence_id: record.id }))
}

/// Ends a silence now.
#[utoipa::path(delete, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "It is over"), crate::http::openapi::Refused))]
pub async fn expire(state: web::Data<State>, caller: Caller, id: web::Path<String>) -> HttpResponse {
    answered(end(&state, &caller, &id).await)
}

async fn end(state: &State, caller: &Caller, id: &str) -> Result<HttpResponse, Problem> {
    let (record, silence) = find(state, id).await?;
    if silence.status.state == "expired" {
        return Ok(HttpResponse::Ok().finish());
    }
    let mut window: WindowDefinition = serde_json::from_str(&record.body).map_err(StoreError::from)?;
    let now_ms = state.services.clock.unix_ms();
    // It has a begin before its end, however short it was.
    let before_ms = now_ms.saturating_sub(1);
    if window.start.as_deref().and_then(parse_rfc3339).is_none_or(|from_ms| from_ms > before_ms) {
        window.start = Some(rfc3339(before_ms));
    }
    window.end = Some(rfc3339(now_ms));
    put(state, caller, window, record.id, Some(record.version)).await?;
    Ok(HttpResponse::Ok().finish())
}
