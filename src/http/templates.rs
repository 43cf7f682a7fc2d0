//! Templates: of rules (ready-made ones, and those that are kept), messages, reports and dashboards. What is in one of the
//! last three is the business of whoever uses it; the hub keeps it as it is.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::Body;
use super::definition::{ADDED, IfMatch, conflict, etag, is_id};
use super::guard::Caller;
use super::page::{Asked as AskedPage, Page};
use super::policies::{self, Kept, Policy, all};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use crate::alert::{FieldError, HUB};
use crate::clock::rfc3339;
use crate::rule::Rule;
use crate::rule::definition::Definition;
use crate::rule::templates::templates as ready_made;
use crate::store::PolicyKind;

/// Longest name, longest template, in bytes.
const NAME_BYTES_MAX: usize = 256;
const TEMPLATE_BYTES_MAX: usize = 32 << 10;

const RULE: &str = "rule";
const DEFINITION: &str = "definition";

/// What a rule can be.
const RULE_KINDS: [&str; 6] = ["threshold", "rate", "anomaly", "absence", "composite", "expression"];

/// The kinds, each with the fields that only it has.
const KINDS: [(&str, &[&str]); 4] = [
    (RULE, &[DEFINITION, "condition", "metric", "comparison", "expression"]),
    ("message", &["subject", "body", "text", "channel"]),
    ("report", &["sections", "schedule", "period"]),
    ("dashboard", &["panels", "widgets", "layout"]),
];

/// A template. Beside these it has whatever its kind needs; one of a rule has the rule in `definition`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Template {
    /// `rule`, `message`, `report` or `dashboard`; told by its fields when left out.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Everything else.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub rest: BTreeMap<String, Value>,
}

/// A template as it is listed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TemplateView {
    /// What it says.
    #[serde(flatten)]
    pub template: Kept<Template>,
    /// Whether it came with the hub, and cannot be changed.
    pub built_in: bool,
}

impl Template {
    fn told_kind(&self) -> Option<&'static str> {
        // A rule that is given field by field has a kind of its own.
        if !(self.kind.is_empty() || RULE_KINDS.contains(&self.kind.as_str())) {
            return KINDS.iter().map(|(kind, _)| *kind).find(|kind| *kind == self.kind);
        }
        let has = |fields: &[&str]| fields.iter().any(|field| self.rest.contains_key(*field));
        KINDS.iter().find(|(_, fields)| has(fields)).map(|(kind, _)| *kind)
    }
}

impl Policy for Template {
    const KIND: PolicyKind = PolicyKind::Template;
    const PATH: &'static str = "/api/v1/templates";
    const NAME: &'static str = "template";
    const VIEWS: &'static [&'static str] = &["built_in"];
    const HOLDS_FOR_ALERTS: bool = false;
    type View = TemplateView;

    fn completed(mut self) -> Self {
        let Some(told) = self.told_kind() else { return self };
        let given = std::mem::replace(&mut self.kind, told.to_owned());
        if told == RULE {
            if RULE_KINDS.contains(&given.as_str()) {
                self.rest.insert("kind".to_owned(), given.into());
            }
            self.rest = with_definition(&self.name, std::mem::take(&mut self.rest));
        }
        self
    }

    fn checked(&self, _id: &str) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.told_kind().is_none() {
            let names = KINDS.map(|(kind, _)| kind).join(", ");
            errors.push(FieldError::new("/kind", format!("must be of {names}, or told by the other fields")));
        }
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            errors.push(FieldError::new("/name", format!("must have 1 to {NAME_BYTES_MAX} bytes")));
        }
        let bytes = serde_json::to_string(self).map_or(usize::MAX, |text| text.len());
        if bytes > TEMPLATE_BYTES_MAX {
            errors.push(FieldError::new(
                "",
                format!("may have at most {TEMPLATE_BYTES_MAX} bytes, not {bytes}"),
            ));
        }
        if self.told_kind() == Some(RULE) {
            errors.extend(bad_definition(self.rest.get(DEFINITION)));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn view(template: Kept<Self>, _now_ms: u64) -> TemplateView {
        TemplateView { template, built_in: false }
    }
}

/// The rule may also be given field by field.
fn with_definition(name: &str, mut rest: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    if !rest.contains_key(DEFINITION) {
        let of_template = |field: &str| ["description", "parameters"].contains(&field);
        let (own, of_rule): (BTreeMap<_, _>, BTreeMap<_, _>) =
            rest.into_iter().partition(|(field, _)| of_template(field));
        let definition = of_rule.into_iter().collect();
        rest = own;
        rest.insert(DEFINITION.to_owned(), Value::Object(definition));
    }
    if let Some(Value::Object(definition)) = rest.get_mut(DEFINITION) {
        ADDED.iter().for_each(|added| drop(definition.remove(*added)));
        definition.entry("name").or_insert_with(|| name.into());
    }
    rest
}

/// What is wrong with the rule of a template.
fn bad_definition(definition: Option<&Value>) -> Vec<FieldError> {
    let Some(definition) = definition.filter(|definition| definition.is_object()) else {
        return vec![FieldError::new("/definition", "must be the object of a rule")];
    };
    let under = |error: FieldError| FieldError::new(format!("/definition{}", error.pointer), error.message);
    match serde_json::from_value::<Definition>(definition.clone()) {
        Err(error) => vec![FieldError::new("/definition", error.to_string())],
        Ok(definition) => Rule::check(definition).err().unwrap_or_default().into_iter().map(under).collect(),
    }
}

/// What came with the hub.
fn built_in(state: &State) -> impl Iterator<Item = TemplateView> {
    let at = rfc3339(state.started_ms);
    ready_made().into_iter().map(move |template| {
        let rest = [
            ("description", json!(template.description)),
            ("parameters", json!(template.parameters)),
            (DEFINITION, json!(template.definition)),
        ];
        let rest = rest.map(|(name, value)| (name.to_owned(), value)).into();
        let definition = Template { kind: RULE.to_owned(), name: template.name.to_owned(), rest };
        let (by, at) = (|| HUB.to_owned(), || at.clone());
        let kept = Kept {
            id: template.id.to_owned(),
            definition,
            version: 1,
            created_at: at(),
            created_by: by(),
            updated_at: at(),
            updated_by: by(),
        };
        TemplateView { template: kept, built_in: true }
    })
}

/// Templates by id: those that came with the hub, and those that are kept.
#[utoipa::path(get, path = "/api/v1/templates", tag = "templates",
    params(super::openapi::PageParams,
        ("kind" = Option<String>, Query, description = "rule, message, report or dashboard; all when left out")),
    responses((status = 200, body = Page<TemplateView>, description = "Templates"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    mut query: Query,
) -> Result<web::Json<Page<TemplateView>>, Problem> {
    let page = AskedPage::read(&mut query, is_id);
    let kind = query.parsed("kind", |text| {
        let known = KINDS.iter().map(|(kind, _)| *kind).find(|kind| *kind == text);
        known.ok_or_else(|| format!("must be of {}", KINDS.map(|(kind, _)| kind).join(", ")))
    });
    query.check()?;
    let mut found: Vec<TemplateView> = built_in(&state).collect();
    found.extend(all::<Template>(&state).await?);
    found.retain(|view| {
        kind.is_none_or(|kind| view.template.definition.kind == kind)
            && page.after.as_ref().is_none_or(|after| view.template.id > *after)
    });
    found.sort_by(|a, b| a.template.id.cmp(&b.template.id));
    found.truncate(page.limit + 1);
    Ok(web::Json(page.page(found, |view| view.template.id.clone())))
}

/// Keeps a template; the hub gives the id, unless the body has one. Its kind is told by its fields when it is left out.
#[utoipa::path(post, path = "/api/v1/templates", tag = "templates", request_body = Template,
    responses((status = 201, body = TemplateView, description = "Kept"), super::openapi::Refused))]
pub async fn create(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    let id = body.object()?.get("id").and_then(Value::as_str).map(str::to_owned);
    if id.is_some_and(|id| built_in(&state).any(|view| view.template.id == id)) {
        return Err(conflict(1, "there is a template of this id already"));
    }
    policies::create::<Template>(&state, &caller, &body).await
}

/// One template.
#[utoipa::path(get, path = "/api/v1/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = TemplateView, description = "As it stands"), super::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    match built_in(&state).find(|view| view.template.id == *id) {
        Some(view) => Ok(HttpResponse::Ok().insert_header(etag(view.template.version)).json(view)),
        None => policies::one::<Template>(&state, &id).await,
    }
}

/// Replaces a template, with `If-Match` or `version` only the one that was read.
#[utoipa::path(put, path = "/api/v1/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "Its id")), request_body = Template,
    responses((status = 200, body = TemplateView, description = "Replaced"), super::openapi::Refused))]
pub async fn replace(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    policies::replace::<Template>(&state, &caller, &id, &body, version).await
}

/// Forgets a template.
#[utoipa::path(delete, path = "/api/v1/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Forgotten"), super::openapi::Refused))]
pub async fn delete(
    state: web::Data<State>,
    id: web::Path<String>,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    policies::delete::<Template>(&state, &id, version).await
}
