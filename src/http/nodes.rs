//! The fleet.

use actix_web::web;

use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::ids::NodeName;
use crate::node::NodeView;
use crate::protocol::codes::Code;

/// Nodes by name.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes",
    params(super::openapi::PageParams),
    responses((status = 200, body = Page<NodeView>, description = "Nodes"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Page<NodeView>>, Problem> {
    let page = AskedPage::read(&mut query, |key| NodeName::parse(key).is_ok());
    query.check()?;
    let nodes = state.fleet.page(page.after.as_deref(), page.limit + 1, &asked.0).await?;
    Ok(web::Json(page.page(nodes, |node| node.id.clone())))
}

/// One node.
#[utoipa::path(get, path = "/api/v1/nodes/{id}", tag = "nodes",
    params(("id" = String, Path, description = "The node's name")),
    responses((status = 200, body = NodeView, description = "The node"), super::openapi::Refused))]
pub async fn one(
    state: web::Data<State>,
    id: web::Path<String>,
    asked: Asked,
) -> Result<web::Json<NodeView>, Problem> {
    let node = NodeName::parse(&id)?;
    let view = state.fleet.view(&node, &asked.0).await?;
    view.map(web::Json).ok_or_else(|| Problem::new(Code::NotFound, format!("no node {node} is known")))
}
