//! The actor that forgets what ran out: sessions, tokens, samples, messages of kept topics; and notes which heartbeats
//! stay away.
//!
//! Owns nothing that a restart could lose.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;

use super::{elsewhere, heartbeat, sessions};
use crate::http::State;
use crate::http::idempotency::KEEP_MS;
use crate::ownership::Unit;
use crate::supervision::{Restart, supervised};
use crate::topic::Kept;

/// Time between writes of sessions, in milliseconds.
const SESSIONS_INTERVAL_MS: u64 = 5_000;

/// The same where other hub nodes may ask for them at once.
const SHARED_SESSIONS_INTERVAL_MS: u64 = 250;

/// Time between looks into queues while Redis is gone, in milliseconds.
const MAIL_INTERVAL_MS: u64 = 1_000;

/// Time between sweeps of the store, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 60_000;

/// Time between looks for heartbeats that stay away, in milliseconds.
const HEARTBEATS_INTERVAL_MS: u64 = 1_000;

/// Kept answers that are forgotten at once.
const ANSWERS_PART_MAX: usize = 1_000;

/// What the keeper is made of, again after each crash.
#[derive(Clone)]
pub(super) struct KeeperArgs {
    /// Weak, so that the hub can end.
    pub(super) state: Weak<State>,
}

pub(super) struct KeeperActor {
    /// Sessions are being written.
    writing: bool,
    /// Queues are being looked into.
    looking: bool,
    /// Heartbeats are being looked at.
    checking: bool,
    /// The hub's own is being sent.
    beating: bool,
    args: KeeperArgs,
}

impl KeeperActor {
    pub(super) fn new(args: KeeperArgs) -> Self {
        Self { writing: false, looking: false, checking: false, beating: false, args }
    }

    /// Forgets sessions that ran out, writes those that changed. One at a time: a store that hangs collects no more.
    fn write_sessions(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.writing, true) {
            return;
        }
        let Some(state) = self.args.state.upgrade() else { return };
        let written = async move { sessions::write(&state).await };
        ctx.spawn(written.into_actor(self).map(|(), actor, _ctx| actor.writing = false));
    }

    /// Looks for messages in queues while nobody can tell of them. One look at a time.
    fn look_for_mail(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        let is_up = state.services.carrier.as_ref().is_none_or(|carrier| carrier.way().is_up);
        if is_up || std::mem::replace(&mut self.looking, true) {
            return;
        }
        let looked = async move { elsewhere::look_for_mail(&state).await };
        ctx.spawn(looked.into_actor(self).map(|(), actor, _ctx| actor.looking = false));
    }

    /// One at a time: one that takes long is not followed by others.
    fn beat(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.beating, true) {
            return;
        }
        let Some(state) = self.args.state.upgrade() else { return };
        let beaten = async move { heartbeat::beat(&state).await };
        ctx.spawn(beaten.into_actor(self).map(|(), actor, _ctx| actor.beating = false));
    }

    /// One look at a time: a look that takes long is not followed by others.
    fn check_heartbeats(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.checking, true) {
            return;
        }
        let Some(state) = self.args.state.upgrade() else { return };
        let checked = async move { state.heartbeats.check().await };
        ctx.spawn(checked.into_actor(self).map(|(), actor, _ctx| actor.checking = false));
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        ctx.spawn(sweep_store(state).into_actor(self));
    }
}

async fn sweep_store(state: Arc<State>) {
    let now_ms = state.services.clock.unix_ms();
    let mut failures = Vec::new();
    // Each hub node has its own view of what was revoked, and of which topics there are; a second trim does no harm.
    failures.extend(state.services.auth.maintain(now_ms).await.err().map(|e| e.to_string()));
    for (name, keep) in state.services.broker.kept_topics(Kept::Store) {
        failures.extend(state.store.trim_topic(name.as_str(), keep).await.err().map(|e| e.to_string()));
    }
    if state.services.ownership.held(Unit::Housekeeping).is_some() {
        failures.extend(keep_house(&state, now_ms).await);
    }
    for error in failures {
        tracing::warn!(error, "the store was not swept; tried again in a minute");
    }
}

/// Forgets what is old for all hub nodes. Returns what failed.
async fn keep_house(state: &State, now_ms: u64) -> Vec<String> {
    let oldest_ms = now_ms.saturating_sub(state.store_settings.samples_keep_ms);
    let mut failures = Vec::new();
    failures.extend(state.store.prune_samples(oldest_ms).await.err().map(|e| e.to_string()));
    failures.extend(state.services.alerts.prune().await.err().map(|e| e.to_string()));
    let ended_ms =
        state.services.clock.steady_unix_ms().saturating_sub(state.services.settings.session_ttl_ms);
    failures.extend(sessions::prune(state, ended_ms).await.err().map(|e| e.to_string()));
    let kept_ms = now_ms.saturating_sub(KEEP_MS);
    failures.extend(state.store.prune_answers(kept_ms, ANSWERS_PART_MAX).await.err().map(|e| e.to_string()));
    failures
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
        let mut sessions_ms = SESSIONS_INTERVAL_MS;
        if let Some(state) = self.args.state.upgrade() {
            if state.services.broker.shares_store() {
                sessions_ms = SHARED_SESSIONS_INTERVAL_MS;
                ctx.run_interval(Duration::from_millis(MAIL_INTERVAL_MS), Self::look_for_mail);
            }
            // A former life may have taken changes that it did not write.
            state.services.clients.all_changed();
            let settings = &state.alert_settings;
            if !settings.heartbeat_url.is_empty() {
                ctx.run_interval(Duration::from_millis(settings.heartbeat_interval_ms), Self::beat);
            }
        }
        ctx.run_interval(Duration::from_millis(sessions_ms), Self::write_sessions);
        ctx.run_interval(Duration::from_millis(SWEEP_INTERVAL_MS), Self::sweep);
        ctx.run_interval(Duration::from_millis(HEARTBEATS_INTERVAL_MS), Self::check_heartbeats);
    }
}
