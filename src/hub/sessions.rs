//! Sessions from one life of the hub to the next.

use std::sync::Arc;

use super::HubError;
use crate::connection::session::Personal;
use crate::http::State;
use crate::ids::TopicName;
use crate::store::StoreError;

/// Sessions in one read or write.
const SESSIONS_PER_STEP: usize = 1_000;

/// Takes in what the store has of sessions and of personal topics.
pub(super) async fn recall(state: &Arc<State>) -> Result<(), HubError> {
    let services = &state.services;
    // Sessions that hub nodes share are read when a client comes: it may have been anywhere.
    let in_store = if services.broker.shares_store() { Vec::new() } else { recall_all(state).await? };
    let (clients, shards) = (services.clients.clone(), state.shards.clone());
    let owners_of = move |topic: &TopicName| {
        let owners = clients.owners(topic).into_iter();
        owners.filter_map(|(worker, member, taken)| Some((shards.outlet(worker)?, member, taken))).collect()
    };
    services.broker.serve_owners(Box::new(owners_of), in_store);
    Ok(())
}

/// Takes in all sessions; returns the personal topics that have messages.
async fn recall_all(state: &State) -> Result<Vec<TopicName>, HubError> {
    let now_ms = state.services.clock.steady_unix_ms();
    // What was open when the hub ended ended then at the latest.
    state.store.end_sessions(now_ms).await?;
    let mut after: Option<String> = None;
    loop {
        let records = state.store.sessions(after.as_deref(), SESSIONS_PER_STEP).await?;
        let Some(last) = records.last() else { break };
        after = Some(last.client_id.clone());
        state.services.clients.recall(records, now_ms);
    }
    let names = state.store.topics_with_events(&["client:", "user:"]).await?;
    Ok(names.iter().filter_map(|name| TopicName::parse(name).ok()).collect())
}

/// Forgets sessions in the store that ended before `ended_ms`, and the queues of those that hub nodes share.
pub(super) async fn prune(state: &State, ended_ms: u64) -> Result<(), StoreError> {
    let live: Vec<String> = state.services.ownership.live().into_iter().map(|hub| hub.instance).collect();
    if !live.is_empty() {
        // Those of hub nodes that were killed.
        state.store.end_sessions_without(live, state.services.clock.steady_unix_ms()).await?;
    }
    let gone = state.store.prune_sessions(ended_ms).await?;
    if state.services.broker.shares_store() {
        for id in gone {
            // Whoever takes the client id next has nothing to do with it.
            state.store.trim_topic(&Personal::Client.topic(&id, ""), 0).await?;
        }
    }
    Ok(())
}

/// Forgets sessions that ran out, writes those that changed.
pub(super) async fn write(state: &State) {
    let (services, now_ms) = (&state.services, state.services.clock.steady_unix_ms());
    let settings = &services.settings;
    for id in services.clients.forget(now_ms, settings.session_ttl_ms, settings.sessions_max) {
        if services.broker.shares_store() {
            // It may go on elsewhere; whoever keeps house forgets its queue when it does not.
            continue;
        }
        let queue = Personal::Client.topic(id.as_str(), "");
        let Ok(queue) = TopicName::parse(&queue) else { continue };
        if !services.broker.may_have_mail(&queue) {
            continue;
        }
        // Its queue goes with the session: whoever takes the client id next has nothing to do with it.
        let forgotten = services.broker.find(&queue).map_or(Ok(()), |topic| topic.forget());
        let trimmed = state.store.trim_topic(queue.as_str(), 0).await.map_err(|error| error.to_string());
        for error in [forgotten.err().map(|error| error.to_string()), trimmed.err()].into_iter().flatten() {
            tracing::warn!(client = %id, error, "the queue of a forgotten session was not trimmed");
        }
    }
    loop {
        let changed = services.clients.take_changed(SESSIONS_PER_STEP);
        if changed.is_empty() {
            return;
        }
        if let Err(error) = state.store.put_sessions(changed).await {
            tracing::warn!(%error, "sessions not written; tried again with the next ones");
            return services.clients.all_changed();
        }
    }
}
