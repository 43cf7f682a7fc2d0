//! Rules: read, written by version, switched and forgotten in bulk ([`bulk`]), explained ([`explain`]) and tried out
//! ([`preview`]).

pub mod bulk;
pub mod explain;
pub mod preview;

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use super::body::Body;
use super::definition::{IfMatch, bad_fields, conflict, etag, is_id, read};
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use crate::alert::FieldError;
use crate::protocol::codes::Code;
use crate::rule::definition::Definition;
use crate::rule::{RuleError, RuleView};
use crate::telemetry::Cause;

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        let text = error.to_string();
        match error {
            RuleError::Invalid(errors) => bad_fields(errors),
            RuleError::Conflict { current } => conflict(current, text),
            RuleError::Alerts(error) => error.into(),
            error => match error.code() {
                Code::Internal => Self::internal(&error, &Cause::own()),
                code => Self::new(code, text),
            },
        }
    }
}

/// Rules by id.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules",
    params(super::openapi::PageParams,
        ("text" = Option<String>, Query, description = "A part of id, name or metric"),
        ("enabled" = Option<bool>, Query, description = "Only those that are, or are not")),
    responses((status = 200, body = Page<RuleView>, description = "Rules"), super::openapi::Refused))]
pub async fn list(state: web::Data<State>, mut query: Query) -> Result<web::Json<Page<RuleView>>, Problem> {
    let page = AskedPage::read(&mut query, is_id);
    let text = query.text("text").map(str::to_lowercase);
    let enabled =
        query.parsed("enabled", |text| text.parse::<bool>().map_err(|_other| "must be true or false"));
    query.check()?;
    let is_wanted = |definition: &Definition| {
        let texts = [definition.id.as_ref(), Some(&definition.name), definition.condition.metric.as_ref()];
        let has = |part: &String| texts.iter().flatten().any(|text| text.to_lowercase().contains(part));
        text.as_ref().is_none_or(has) && enabled.is_none_or(|enabled| definition.enabled == enabled)
    };
    let rules = state.services.rules.page(page.after.as_deref(), page.limit + 1, is_wanted)?;
    Ok(web::Json(page.page(rules, |rule| id_of(rule).to_owned())))
}

fn id_of(rule: &RuleView) -> &str {
    rule.definition.id.as_deref().unwrap_or_default()
}

fn answered(mut answer: actix_web::HttpResponseBuilder, rule: &RuleView) -> HttpResponse {
    answer.insert_header(etag(rule.version)).json(rule)
}

/// Makes a rule; the hub gives the id, unless the body has one. It is evaluated from the next sample on.
#[utoipa::path(post, path = "/api/v1/rules", tag = "rules", request_body = Definition,
    responses((status = 201, body = RuleView, description = "Made"), super::openapi::Refused))]
pub async fn create(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    let given = read::<Definition>(&body, &[])?;
    let definition = Definition { id: given.id, ..given.definition };
    let rules = &state.services.rules;
    let id = definition.id.clone();
    let made = rules.create(definition, &caller.0.sub).await.map_err(|error| match error {
        // Whoever made it is told which version there is.
        RuleError::Exists => {
            let current = id.and_then(|id| rules.one(&id)).map_or(0, |rule| rule.version);
            conflict(current, error.to_string())
        }
        error => error.into(),
    })?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("/api/v1/rules/{}", id_of(&made))));
    Ok(answered(answer, &made))
}

/// One rule, and how its evaluation goes.
#[utoipa::path(get, path = "/api/v1/rules/{id}", tag = "rules",
    params(("id" = String, Path, description = "The rule's id")),
    responses((status = 200, body = RuleView, description = "The rule"), super::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let rule = state.services.rules.find(&id)?;
    Ok(answered(HttpResponse::Ok(), &rule))
}

/// Replaces a rule, with `If-Match` or `version` only the one that was read. The state of its series goes on.
#[utoipa::path(put, path = "/api/v1/rules/{id}", tag = "rules",
    params(("id" = String, Path, description = "The rule's id")), request_body = Definition,
    responses((status = 200, body = RuleView, description = "Replaced"), super::openapi::Refused))]
pub async fn replace(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    let given = read::<Definition>(&body, &[])?;
    if given.id.as_ref().is_some_and(|given| *given != *id) {
        return Err(bad_fields(vec![FieldError::new("/id", "must be that of the path, or left out")]));
    }
    let expected = version.0.or(given.version);
    let rules = &state.services.rules;
    let rule = rules.replace(&id, given.definition, expected, &caller.0.sub).await?;
    Ok(answered(HttpResponse::Ok(), &rule))
}

/// Forgets a rule; its alerts end.
#[utoipa::path(delete, path = "/api/v1/rules/{id}", tag = "rules",
    params(("id" = String, Path, description = "The rule's id")),
    responses((status = 204, description = "Forgotten"), super::openapi::Refused))]
pub async fn delete(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    let rules = &state.services.rules;
    let current = rules.find(&id)?.version;
    if version.0.is_some_and(|expected| expected != current) {
        return Err(RuleError::Conflict { current }.into());
    }
    match rules.delete(vec![id.into_inner()], &caller.0.sub).await?.is_empty() {
        true => Err(RuleError::NotFound.into()),
        false => Ok(HttpResponse::NoContent().finish()),
    }
}
