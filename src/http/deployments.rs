//! Deployments: a change of status, published for everybody who watches.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::body::Body;
use super::guard::Caller;
use super::problem::Problem;
use super::state::State;
use super::trace::Asked;
use crate::auth::permission;
use crate::broker::{Draft, Guarded};
use crate::clock::rfc3339;
use crate::ids::TopicName;
use crate::protocol::codes::Code;

const TOPIC: &str = "deployments";

/// What a deployment can be.
const STATUSES: [&str; 5] = ["started", "in_progress", "succeeded", "failed", "rolled_back"];

/// Longest name and version, longest message, in bytes.
const NAME_BYTES_MAX: usize = 128;
const MESSAGE_BYTES_MAX: usize = 4_096;

/// A change of status to publish.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewDeployment {
    /// What is deployed.
    service: String,
    /// Which version.
    version: String,
    /// `started`, `in_progress`, `succeeded`, `failed` or `rolled_back`.
    status: String,
    /// Where to.
    environment: Option<String>,
    /// Anything else worth knowing.
    message: Option<String>,
}

/// A deployment as it is published.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Deployment {
    /// Identity of this change.
    pub id: String,
    /// What is deployed.
    pub service: String,
    /// Which version.
    pub version: String,
    /// What it is now.
    pub status: &'static str,
    /// Where to.
    pub environment: Option<String>,
    /// Anything else worth knowing.
    pub message: Option<String>,
    /// Who told.
    pub actor: String,
    /// When the hub took it, RFC 3339.
    pub created_at: String,
}

/// Where a deployment ended up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PublishedDeployment {
    /// The deployment.
    pub deployment: Deployment,
    /// Its topic.
    pub topic: &'static str,
    /// The topic's epoch.
    #[schema(value_type = String)]
    pub epoch: Arc<str>,
    /// Position in the epoch.
    pub offset: u64,
}

/// Publishes a change of a deployment's status. Answered when it is in the store.
#[utoipa::path(post, path = "/api/v1/streaming/deployments", tag = "events", request_body = NewDeployment,
    responses((status = 201, body = PublishedDeployment, description = "Published"), super::openapi::Refused))]
pub async fn create(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    let deployment = read(&body, &caller.0.sub, services.clock.unix_ms())?;
    if !permission::may_publish(&caller.0, TOPIC) {
        return Err(Problem::new(Code::Forbidden, format!("not allowed to publish to {TOPIC}")));
    }
    let topic = TopicName::well_known(TOPIC);
    let draft = Draft::of(&json!({ "deployment": deployment }))
        .map_err(|error| Problem::internal(&error, &asked.0))?
        .keyed(deployment.service.as_str().into());
    let guarded = Guarded::enter(&services.breakers, None, services.broker.kind(&topic))?;
    let published = services.broker.publish_and_wait(&topic, draft, &asked.0).await;
    guarded.told(&published);
    let published = published?;
    let (epoch, offset) = (published.epoch, published.offset);
    Ok(HttpResponse::Created().json(PublishedDeployment { deployment, topic: TOPIC, epoch, offset }))
}

fn read(body: &Body, actor: &str, now_ms: u64) -> Result<Deployment, Problem> {
    let mut fields = body.fields(false)?;
    let service = fields.text("service", 1..=NAME_BYTES_MAX);
    let version = fields.text("version", 1..=NAME_BYTES_MAX);
    let status = fields.word("status", &STATUSES);
    let environment = fields.optional_text("environment", 1..=NAME_BYTES_MAX);
    let message = fields.optional_text("message", 1..=MESSAGE_BYTES_MAX);
    fields.check()?;
    Ok(Deployment {
        id: uuid::Uuid::now_v7().to_string(),
        service: service.unwrap_or_default(),
        version: version.unwrap_or_default(),
        status: status.unwrap_or_default(),
        environment,
        message,
        actor: actor.to_owned(),
        created_at: rfc3339(now_ms),
    })
}
