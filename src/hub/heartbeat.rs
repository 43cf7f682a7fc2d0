//! The hub's own sign of life: a request to whoever watches the hub, again and again, while it is well. Whoever misses it
//! knows that the hub is gone, or not well.

use std::time::Duration;

use crate::config::AlertSection;
use crate::http::State;
use crate::http::health::Status;
use crate::telemetry::Counter;

/// How long one request may take, in seconds.
const TIMEOUT_S: u64 = 10;

/// Sends one beat, unless the hub is not well.
pub(super) async fn beat(state: &State) {
    let AlertSection { heartbeat_url, heartbeat_token, .. } = &state.alert_settings;
    if state.desk.health(state).await.status == Status::Unhealthy {
        Counter::HeartbeatsSent.add_for("withheld", 1);
        return;
    }
    let (url, token) = (heartbeat_url.clone(), heartbeat_token.clone());
    // A blocking client: there is one in the program, and one request a minute needs no other.
    let sent = actix_web::web::block(move || send(&url, &token)).await;
    match sent.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(()) => Counter::HeartbeatsSent.add_for("sent", 1),
        Err(error) => {
            Counter::HeartbeatsSent.add_for("failed", 1);
            tracing::warn!(url = heartbeat_url, error, "the hub's heartbeat was not taken");
        }
    }
}

fn send(url: &str, token: &str) -> Result<(), String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(TIMEOUT_S)));
    let mut request = config.build().new_agent().post(url);
    if !token.is_empty() {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    request.send_empty().map(drop).map_err(|error| error.to_string())
}
