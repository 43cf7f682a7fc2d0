//! What is at the WebSocket's path for those who do not ask for an upgrade. Upgrades never come here.

use actix_web::HttpResponse;

use super::problem::Problem;
use crate::protocol::codes::Code;

/// Opens a WebSocket: send `Upgrade: websocket`.
#[utoipa::path(get, path = "/ws/{client_id}", tag = "realtime",
    params(("client_id" = String, Path, description = "Names the session; or `alerts`, `notifications`, `live`")),
    responses((status = 101, description = "The connection speaks WebSocket from here on"), super::openapi::Refused))]
pub async fn upgrade_required() -> Result<HttpResponse, Problem> {
    let problem =
        Problem::new(Code::UpgradeRequired, "this path speaks WebSocket: send `Upgrade: websocket`");
    Err(problem.with_header("Upgrade", "websocket").with_header("Sec-WebSocket-Version", "13"))
}
