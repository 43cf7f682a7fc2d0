//! The actor of one machine.
//!
//! Takes reports from ingest, publishes `metrics_update`, `metrics:{node}` and `nodes`, and keeps what a
//! restarted hub must know in the store. A crash loses the newest snapshot until the next report.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::fleet::{Census, Directory};
use super::liveness::{Liveness, State, Transition};
use super::passing::is_passing;
use super::report::{Batch, Report, SYNTHETIC, Source};
use super::view::{NodeSnapshot, NodeView, Snapshot};
use crate::broker::{Broker, Draft};
use crate::clock::{Clock, rfc3339};
use crate::ids::{NodeName, TopicName};
use crate::rule::{Feed, Rules};
use crate::store::{NodeRecord, Store};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::Reply;

/// Transitions that are remembered in the node's view.
const TRANSITIONS_MAX: usize = 20;

/// Time between writes of `last_seen` to the store, in milliseconds.
pub(super) const TOUCH_INTERVAL_MS: u64 = 5_000;

/// What a node is made of, again after each crash.
#[derive(Clone)]
pub struct NodeArgs {
    /// Its name.
    pub name: NodeName,
    /// Publishes.
    pub broker: Broker,
    /// Remembers.
    pub store: Store,
    /// Are evaluated on its samples.
    pub rules: Rules,
    /// Counts nodes by state.
    pub census: Arc<Census>,
    /// Where it is known, to be taken out of when it is gone.
    pub directory: Weak<Directory>,
    /// Silence after which a node that says nothing else is offline.
    pub ttl_ms: u64,
    /// This life of this hub, where it is one of several; each node is held by the one that hears it.
    pub hub: Option<Arc<str>>,
    /// Time.
    pub clock: Clock,
}

/// One machine.
pub struct NodeActor {
    pub(super) liveness: Liveness,
    source: Source,
    pub(super) labels: BTreeMap<String, String>,
    inventory: Option<serde_json::Value>,
    pub(super) last_seen_ms: Option<u64>,
    first_seen_ms: u64,
    newest: Option<Batch>,
    /// What rules want of its samples.
    feed: Feed,
    pub(super) transitions: VecDeque<serde_json::Value>,
    /// A check is on its way.
    watched: bool,
    touched_ms: u64,
    /// It was of a load test, and is gone: nothing that comes is taken any more.
    pub(super) has_passed: bool,
    /// This hub hears it; always so where there is no other.
    pub(super) is_held: bool,
    pub(super) args: NodeArgs,
}

impl NodeActor {
    /// A node that nothing is known of yet.
    pub fn new(args: NodeArgs) -> Self {
        Self {
            liveness: Liveness::new(State::Enrolling, 1_000, args.ttl_ms),
            source: Source::Agent,
            labels: BTreeMap::new(),
            inventory: None,
            last_seen_ms: None,
            first_seen_ms: args.clock.unix_ms(),
            newest: None,
            feed: Feed::default(),
            transitions: VecDeque::new(),
            watched: false,
            touched_ms: 0,
            has_passed: false,
            is_held: args.hub.is_none(),
            args,
        }
    }

    fn recall(&mut self, record: NodeRecord) {
        // Whatever it was when the hub last wrote: since then nobody heard it.
        let state = match record.state.as_str() {
            "retired" => State::Retired,
            "enrolling" => State::Enrolling,
            _ => State::Offline,
        };
        self.recall_as(state, record);
    }

    pub(super) fn recall_as(&mut self, state: State, record: NodeRecord) {
        self.liveness = Liveness::new(state, record.interval_ms, record.ttl_ms);
        self.source = Source::of(&record.source);
        self.transitions = record.transitions.into();
        self.labels = record.labels;
        self.inventory = record.inventory;
        self.last_seen_ms = Some(record.last_seen_ms);
        self.first_seen_ms = record.first_seen_ms;
        if is_passing(&self.labels) {
            // It crashed: as long as it may be silent it is waited for, not for ever.
            self.liveness.heard(self.args.clock.monotonic_ms());
        }
        self.args.census.note(&self.args.name, self.liveness.state());
    }

    fn record(&self) -> NodeRecord {
        NodeRecord {
            name: self.args.name.to_string(),
            state: self.liveness.state().as_str().to_owned(),
            source: self.source.as_str().to_owned(),
            labels: self.labels.clone(),
            inventory: self.inventory.clone(),
            interval_ms: self.liveness.interval_ms(),
            ttl_ms: self.liveness.ttl_ms(),
            first_seen_ms: self.first_seen_ms,
            last_seen_ms: self.last_seen_ms.unwrap_or(self.first_seen_ms),
            hub: self.args.hub.as_deref().unwrap_or_default().to_owned(),
            transitions: self.transitions.iter().cloned().collect(),
        }
    }

    /// Writes what a restarted hub must know. The node is not acknowledged by it, so nobody waits.
    pub(super) fn remember(&mut self, ctx: &mut Context<Self>) {
        self.touched_ms = self.args.clock.unix_ms();
        let written = self.args.store.put_node(self.record());
        let name = self.args.name.clone();
        ctx.spawn(written.into_actor(self).map(move |written, _actor, _ctx| {
            if let Err(error) = written {
                tracing::warn!(node = %name, %error, "node not written to the store");
            }
        }));
    }

    fn describe(&mut self, report: &mut Report) -> bool {
        let mut changed = false;
        if let Some(labels) = report.labels.take().filter(|labels| *labels != self.labels) {
            self.labels = labels;
            changed = true;
        }
        if let Some(inventory) = report.inventory.take().filter(|i| Some(i) != self.inventory.as_ref()) {
            self.inventory = Some(inventory);
            changed = true;
        }
        let interval_ms = report.interval_ms.unwrap_or(self.liveness.interval_ms());
        let ttl_ms = report.ttl_ms.unwrap_or(self.liveness.ttl_ms());
        if (interval_ms, ttl_ms) != (self.liveness.interval_ms(), self.liveness.ttl_ms()) {
            self.liveness.promise(interval_ms, ttl_ms);
            changed = true;
        }
        self.source = report.source;
        changed
    }

    /// Sends the check for silence on its way, unless one is.
    pub(super) fn watch(&mut self, ctx: &mut Context<Self>) {
        let Some(due_ms) = self.liveness.due_ms().filter(|_| !self.watched) else { return };
        self.watched = true;
        let pause_ms = due_ms.saturating_sub(self.args.clock.monotonic_ms()).max(1);
        ctx.run_later(Duration::from_millis(pause_ms), |actor, ctx| {
            actor.watched = false;
            if let Some(transition) = actor.liveness.check(actor.args.clock.monotonic_ms()) {
                if transition.to == State::Offline && is_passing(&actor.labels) {
                    return actor.pass("nothing is heard of its load test", &Cause::own());
                }
                if actor.args.hub.is_some() {
                    return actor.conclude(transition, ctx);
                }
                actor.changed(transition, "no report", &Cause::own());
                actor.remember(ctx);
            }
            actor.watch(ctx);
        });
    }

    pub(super) fn changed(&mut self, transition: Transition, reason: &str, cause: &Cause) {
        let at = rfc3339(self.args.clock.unix_ms());
        self.changed_at(transition, reason, &at, cause);
    }

    pub(super) fn changed_at(&mut self, transition: Transition, reason: &str, at: &str, cause: &Cause) {
        let Transition { from, to } = transition;
        Counter::NodeTransitions.add_for(to.as_str(), 1);
        self.args.census.note(&self.args.name, to);
        tracing::info!(node = %self.args.name, from = from.as_str(), to = to.as_str(), reason, cause = %cause, "node changed");
        note(&mut self.transitions, transition, reason, at);
        self.tell(to.as_str(), Some(transition), reason, at, cause);
    }

    fn tell(&self, event: &str, transition: Option<Transition>, reason: &str, at: &str, cause: &Cause) {
        let inventory = self.inventory.as_ref().filter(|_| transition.is_none());
        let payload =
            event_of(self.args.name.as_str(), event, transition, (reason, at), &self.labels, inventory);
        self.publish(&TopicName::well_known("nodes"), &payload, cause);
    }

    fn publish<T: Serialize>(&self, topic: &TopicName, payload: &T, cause: &Cause) {
        let drafted = Draft::of(payload).map(|draft| draft.keyed(self.args.name.shared()));
        match drafted.map(|draft| self.args.broker.publish(topic, draft, Reply::Nobody, cause)) {
            Ok(Ok(())) => {}
            // Counted as a refusal by whoever refused; the next report brings newer values.
            Ok(Err(error)) => tracing::debug!(node = %self.args.name, %topic, %error, "not published"),
            Err(error) => tracing::error!(node = %self.args.name, %error, "payload does not serialize"),
        }
    }

    fn publish_samples(&self, batch: &Batch, cause: &Cause) {
        let timestamp = rfc3339(batch.unix_ms);
        let update = json!({
            "node": self.args.name,
            "timestamp": timestamp,
            "metrics": batch.flat(),
            "gpus": [],
        });
        self.publish(&TopicName::well_known("metrics_update"), &update, cause);
        let samples: Vec<_> = batch
            .columns
            .iter()
            .zip(&batch.values)
            .filter(|(_, value)| value.is_finite())
            .map(|(column, value)| json!({ "name": column.name, "labels": column.labels, "value": value }))
            .collect();
        let all = json!({ "node": self.args.name, "timestamp": timestamp, "samples": samples });
        self.publish(&TopicName::of_node(&self.args.name), &all, cause);
    }
}

/// What topic `nodes` tells.
pub(super) fn event_of(
    node: &str,
    event: &str,
    transition: Option<Transition>,
    (reason, at): (&str, &str),
    labels: &BTreeMap<String, String>,
    inventory: Option<&serde_json::Value>,
) -> serde_json::Value {
    json!({
        "node": node,
        "event": event,
        "from": transition.map(|t| t.from),
        "to": transition.map(|t| t.to),
        "reason": reason,
        "at": at,
        "labels": labels,
        "inventory": inventory,
    })
}

/// Adds a change to those that are remembered.
pub(super) fn note(
    transitions: &mut VecDeque<serde_json::Value>,
    transition: Transition,
    reason: &str,
    at: &str,
) {
    let Transition { from, to } = transition;
    transitions.push_back(json!({ "at": at, "from": from, "to": to, "reason": reason }));
    while transitions.len() > TRANSITIONS_MAX {
        transitions.pop_front();
    }
}

impl Restart for NodeActor {
    const KIND: &'static str = "node";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(NodeActor);

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.args.census.note(&self.args.name, self.liveness.state());
        let (store, name) = (self.args.store.clone(), self.args.name.clone());
        let read = async move { store.node(name.as_str()).await };
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| match read {
            Ok(Some(record)) if actor.args.hub.is_some() => actor.recall_held(record, ctx),
            Ok(Some(record)) => {
                actor.recall(record);
                actor.watch(ctx);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(node = %actor.args.name, %error, "node not read from the store"),
        }));
    }
}

impl Handler<Queued<Report>> for NodeActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Report>, ctx: &mut Self::Context) {
        if self.has_passed {
            return;
        }
        if !self.is_held {
            return self.take_over(queued, ctx);
        }
        self.take_in(queued.msg, &queued.cause, ctx);
    }
}

impl NodeActor {
    pub(super) fn take_in(&mut self, mut report: Report, cause: &Cause, ctx: &mut Context<Self>) {
        let now_ms = self.args.clock.unix_ms();
        let described = self.describe(&mut report);
        self.last_seen_ms = Some(now_ms);
        let transition = self.liveness.heard(self.args.clock.monotonic_ms());
        if let Some(transition) = transition {
            self.changed(transition, "report", cause);
        }
        if described {
            self.tell("inventory", None, "described", &rfc3339(now_ms), cause);
        }
        for Batch { unix_ms, columns, values } in &report.batches {
            let (node, moment) = ((&self.args.name, &self.labels), (*unix_ms, columns, &values[..]));
            self.args.rules.offer(&mut self.feed, node, moment, cause);
        }
        let newest = report.batches.into_iter().max_by_key(|batch| batch.unix_ms);
        // What an agent replays from its spool is history, not news.
        if let Some(batch) = newest.filter(|b| self.newest.as_ref().is_none_or(|n| n.unix_ms <= b.unix_ms)) {
            self.publish_samples(&batch, cause);
            self.newest = Some(batch);
        }
        let is_due = now_ms.saturating_sub(self.touched_ms) >= TOUCH_INTERVAL_MS;
        if described || transition.is_some() || (is_due && self.args.hub.is_none()) {
            self.remember(ctx);
        } else if is_due {
            self.touched_ms = now_ms;
            self.touch(now_ms, ctx);
        }
        self.watch(ctx);
    }
}

impl Handler<Queued<NodeSnapshot>> for NodeActor {
    type Result = Snapshot;

    fn handle(&mut self, _question: Queued<NodeSnapshot>, _ctx: &mut Self::Context) -> Snapshot {
        let now_ms = self.args.clock.unix_ms();
        let view = NodeView {
            id: self.args.name.to_string(),
            state: self.liveness.state(),
            source: self.source,
            last_seen: self.last_seen_ms.map(rfc3339),
            age_ms: self.last_seen_ms.map(|seen_ms| now_ms.saturating_sub(seen_ms)),
            interval_ms: self.liveness.interval_ms(),
            ttl_ms: self.liveness.ttl_ms(),
            labels: self.labels.clone(),
            synthetic: self.labels.get(SYNTHETIC).is_some_and(|value| value == "true"),
            inventory: self.inventory.clone(),
            sampled_at: self.newest.as_ref().map(|batch| rfc3339(batch.unix_ms)),
            metrics: self.newest.as_ref().map(Batch::flat).unwrap_or_default(),
            transitions: self.transitions.iter().cloned().collect(),
        };
        Snapshot { view, is_held: self.is_held }
    }
}
