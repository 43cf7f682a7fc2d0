//! How the connections of a hub that stops leave: told when to come back, in batches.

use std::time::Duration;

use serde_json::json;

use crate::http::State;
use crate::protocol::codes::Close;
use crate::protocol::server;

/// Batches in which connections leave, and the time between them.
const DRAIN_BATCHES: usize = 10;
const DRAIN_PAUSE_MS: u64 = 50;

/// Clients come back after a drain within this time, spread evenly.
const RECONNECT_SPREAD_MS: u64 = 2_000;

/// Refuses new connections, tells those that are here when to come back, and closes them in batches.
pub(super) async fn drain_connections(state: &State) {
    state.draining.send_replace(true);
    let services = &state.services;
    for part in 0..DRAIN_BATCHES {
        let reconnect_after_ms = RECONNECT_SPREAD_MS * (part as u64 + 1) / DRAIN_BATCHES as u64;
        let payload = json!({ "reconnect_after_ms": reconnect_after_ms });
        let farewell = server::control("draining", services.clock.unix_ms(), None, &payload);
        let closed = state.shards.close_some(part, DRAIN_BATCHES, Close::Restart, Some(&farewell)).await;
        if closed > 0 {
            tokio::time::sleep(Duration::from_millis(DRAIN_PAUSE_MS)).await;
        }
    }
}
