//! The live supervision tree.

use actix_web::web;
use serde::Serialize;

use super::state::State;
use crate::supervision::KindSnapshot;

/// The tree, row by row.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Supervision {
    /// Actors alive.
    pub actors: usize,
    /// Restarts since the hub started.
    pub restarts: u64,
    /// The kinds in the order in which they start, parents above children.
    pub kinds: Vec<KindSnapshot>,
}

/// Every kind of actor: how it is run, and how it does.
#[utoipa::path(get, path = "/api/v1/supervision", tag = "operations",
    responses((status = 200, body = Supervision, description = "The tree"), super::openapi::Refused))]
pub async fn tree(state: web::Data<State>) -> web::Json<Supervision> {
    let kinds = state.services.tree.snapshot();
    web::Json(Supervision {
        actors: kinds.iter().map(|kind| kind.instances).sum(),
        restarts: kinds.iter().map(|kind| kind.restarts).sum(),
        kinds,
    })
}
