//! The actor that forgets what ran out: sessions, tokens, samples, messages of kept topics.
//!
//! Owns nothing that a restart could lose.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;

use crate::clock::Clock;
use crate::connection::clients::Client;
use crate::http::State;
use crate::ids::ClientId;
use crate::store::SessionRecord;
use crate::supervision::{Restart, supervised};
use crate::topic::Kept;

/// Time between writes of sessions, in milliseconds.
const SESSIONS_INTERVAL_MS: u64 = 5_000;

/// Time between sweeps of the store, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 60_000;

/// Sessions in one write.
const SESSIONS_PER_WRITE: usize = 1_000;

/// What the keeper is made of, again after each crash.
#[derive(Clone)]
pub(super) struct KeeperArgs {
    /// Weak, so that the hub can end.
    pub(super) state: Weak<State>,
}

pub(super) struct KeeperActor {
    /// What was written of each session: (since, left).
    written: HashMap<ClientId, (u64, Option<u64>)>,
    args: KeeperArgs,
}

impl KeeperActor {
    pub(super) fn new(args: KeeperArgs) -> Self {
        Self { written: HashMap::new(), args }
    }

    /// Writes the sessions that changed since the last time.
    fn write_sessions(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        let settings = &state.services.settings;
        let now_ms = state.services.clock.unix_ms();
        state.services.clients.forget(now_ms, settings.session_ttl_ms, settings.sessions_max);
        let known = state.services.clients.all();
        let mut changed: Vec<(ClientId, Client)> = Vec::new();
        let mut still: HashMap<ClientId, (u64, Option<u64>)> = HashMap::with_capacity(known.len());
        for (id, client) in known {
            let stamp = (client.since_ms, client.left_ms);
            if self.written.get(&id) != Some(&stamp) {
                changed.push((id.clone(), client));
            }
            still.insert(id, stamp);
        }
        self.written = still;
        for part in changed.chunks(SESSIONS_PER_WRITE) {
            let write = state.store.put_sessions(part.iter().map(record).collect());
            ctx.spawn(write.into_actor(self).map(|written, actor, _ctx| {
                if let Err(error) = written {
                    tracing::warn!(%error, "sessions not written; tried again with the next ones");
                    actor.written.clear();
                }
            }));
        }
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        ctx.spawn(sweep_store(state).into_actor(self));
    }
}

fn record((id, client): &(ClientId, Client)) -> SessionRecord {
    SessionRecord {
        client_id: id.to_string(),
        subject: client.subject.to_string(),
        role: client.role.to_owned(),
        remote_address: Some(client.address.to_string()),
        connected_at_ms: client.since_ms,
        disconnected_at_ms: client.left_ms,
        reconnects: u64::from(client.reconnects),
    }
}

async fn sweep_store(state: Arc<State>) {
    let clock: &Clock = &state.services.clock;
    let now_ms = clock.unix_ms();
    let oldest_ms = now_ms.saturating_sub(state.store_settings.samples_keep_ms);
    let mut failures = Vec::new();
    failures.extend(state.store.prune_samples(oldest_ms).await.err().map(|e| e.to_string()));
    let ended_ms = now_ms.saturating_sub(state.services.settings.session_ttl_ms);
    failures.extend(state.store.prune_sessions(ended_ms).await.err().map(|e| e.to_string()));
    failures.extend(state.services.auth.maintain(now_ms).await.err().map(|e| e.to_string()));
    for (name, keep) in state.services.broker.kept_topics(Kept::Store) {
        failures.extend(state.store.trim_topic(name.as_str(), keep).await.err().map(|e| e.to_string()));
    }
    for error in failures {
        tracing::warn!(error, "the store was not swept; tried again in a minute");
    }
}

impl Restart for KeeperActor {
    const KIND: &'static str = "keeper";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(KeeperActor);

impl Actor for KeeperActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(SESSIONS_INTERVAL_MS), Self::write_sessions);
        ctx.run_interval(Duration::from_millis(SWEEP_INTERVAL_MS), Self::sweep);
    }
}
