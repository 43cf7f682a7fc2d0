//! The same to many rules.

use actix_web::web;
use serde::Serialize;

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::protocol::codes::Code;
use crate::rule::RuleError;

/// Things of one request, and bytes of an id: the most.
pub(in crate::http) const IDS_MAX: usize = 500;
pub(in crate::http) const ID_BYTES_MAX: usize = 128;

/// What is to be done to rules.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct RulesBulk {
    /// Which; at most 500.
    ids: Vec<String>,
    /// `enable`, `disable` or `delete`.
    action: String,
}

/// What became of each.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkOutcome)]
pub struct Outcome {
    /// Those to which it was done.
    pub done: Vec<String>,
    /// The others.
    pub failed: Vec<Failed>,
}

/// One to which it was not done.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkFailure)]
pub struct Failed {
    /// Which.
    pub id: String,
    /// Name from the table of codes.
    pub code: &'static str,
    /// Why.
    pub detail: String,
    /// The state that it is in, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<crate::alert::State>,
}

/// Reads `ids` and `action`.
pub(in crate::http) fn read<'w>(
    body: &Body,
    actions: &[&'w str],
) -> Result<(Vec<String>, &'w str, Option<String>), Problem> {
    const COMMENT_BYTES_MAX: usize = 1_024;
    let mut fields = body.fields(false)?;
    let mut ids = fields.optional_list("ids", IDS_MAX, ID_BYTES_MAX);
    if fields.raw("ids").is_none() {
        fields.refuse("ids", "is missing; it must be a list of ids");
    }
    let action = fields.word("action", actions);
    let comment = fields.optional_text("comment", 0..=COMMENT_BYTES_MAX);
    fields.check()?;
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    Ok((ids, action.unwrap_or_default(), comment.filter(|comment| !comment.is_empty())))
}

/// Enables, disables or deletes rules: all that there are, or, when the store fails, none.
#[utoipa::path(post, path = "/api/v1/rules/bulk", tag = "rules", request_body = RulesBulk,
    responses((status = 200, body = Outcome, description = "What became of each"), crate::http::openapi::Refused))]
pub async fn bulk(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
) -> Result<web::Json<Outcome>, Problem> {
    let (ids, action, _) = read(&body, &["enable", "disable", "delete"])?;
    let (rules, by) = (&state.services.rules, &caller.0.sub);
    let done = match action {
        "delete" => rules.delete(ids.clone(), by).await?,
        action => rules.enable(&ids, action == "enable", by).await?,
    };
    let missing = ids.into_iter().filter(|id| !done.contains(id)).map(|id| Failed {
        id,
        code: Code::NotFound.row().name,
        detail: RuleError::NotFound.to_string(),
        state: None,
    });
    let failed = missing.collect();
    Ok(web::Json(Outcome { done, failed }))
}
