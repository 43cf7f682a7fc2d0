//! The live supervision tree.

use actix_web::web;
use serde::Serialize;

use super::state::State;
use crate::clock::rfc3339;
use crate::ownership::Unit;
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
    /// What only one hub node does at a time, and which does.
    pub units: Vec<OwnedUnit>,
}

/// What only one hub node does at a time.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnedUnit {
    /// Its name.
    pub unit: &'static str,
    /// Whether this hub owns it.
    pub owned_here: bool,
    /// The node that owns it; null: nobody does at the moment.
    pub owner: Option<String>,
    /// Where others reach that node; null for a hub alone.
    pub address: Option<String>,
    /// Since when, RFC 3339; null for a hub alone, which owns everything from its start on.
    pub since: Option<String>,
    /// The number of the tenure; null for a hub alone.
    pub fence: Option<u64>,
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
        units: Unit::ALL.map(|unit| owned(&state, unit)).into(),
    })
}

fn owned(state: &State, unit: Unit) -> OwnedUnit {
    let ownership = &state.services.ownership;
    let owned_here = ownership.held(unit).is_some();
    let tenure = ownership.tenure(unit);
    let own = owned_here.then(|| state.services.hub.node.clone());
    OwnedUnit {
        unit: unit.as_str(),
        owned_here,
        owner: tenure.as_ref().map(|tenure| tenure.owner.node.clone()).or(own),
        address: tenure.as_ref().map(|tenure| tenure.owner.address.clone()),
        since: tenure.as_ref().map(|tenure| rfc3339(tenure.since_ms)),
        fence: tenure.map(|tenure| tenure.fence),
    }
}
