//! What Alertmanager says of itself.

use actix_web::web;
use serde::Serialize;

use crate::clock::rfc3339;
use crate::http::state::State;

/// The state of the hub in Alertmanager's form.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerStatus {
    cluster: ClusterStatus,
    config: AlertmanagerConfig,
    /// When the hub started.
    uptime: String,
    version_info: VersionInfo,
}

/// There is no cluster.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClusterStatus {
    peers: Vec<String>,
    /// Always `disabled`.
    status: &'static str,
}

/// What stands for a configuration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertmanagerConfig {
    original: &'static str,
}

/// The hub's version.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    branch: &'static str,
    build_date: &'static str,
    build_user: &'static str,
    go_version: &'static str,
    revision: &'static str,
    version: &'static str,
}

const CONFIG: &str =
    "route:\n  receiver: infrawatch\n  group_by: [alertname]\nreceivers:\n- name: infrawatch\n";

/// Version and start of the hub.
#[utoipa::path(get, path = "/api/v2/status", tag = "alertmanager",
    responses((status = 200, body = AlertmanagerStatus, description = "The hub"), crate::http::openapi::Refused))]
pub async fn status(state: web::Data<State>) -> web::Json<AlertmanagerStatus> {
    web::Json(AlertmanagerStatus {
        cluster: ClusterStatus { peers: Vec::new(), status: "disabled" },
        config: AlertmanagerConfig { original: CONFIG },
        uptime: rfc3339(state.started_ms),
        version_info: VersionInfo {
            branch: "",
            build_date: "",
            build_user: "",
            go_version: "",
            revision: "",
            version: state.services.hub.version,
        },
    })
}
