//! All machines: a name to an actor, made on first sight or remembered from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::{Mutex, RwLock};

use super::actor::{NodeActor, NodeArgs};
use super::elsewhere::Newest;
use super::liveness::State;
use super::passing::{self, TestOver, is_passing};
use super::report::Report;
use super::view::{NodeSnapshot, NodeView, Snapshot};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::IngestSection;
use crate::ids::NodeName;
use crate::ownership::Ownership;
use crate::protocol::codes::Code;
use crate::rule::Rules;
use crate::store::{Store, StoreError};
use crate::supervision::{Inbox, Restart, Tree, supervised};
use crate::telemetry::{Cause, Gauge};

/// How long a question to a node may take, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 2_000;

/// Nodes read from the store at once when the hub starts.
const RECALL_PAGE: usize = 500;

/// Time before the store is asked again for the fleet, in milliseconds.
const RECALL_RETRY_MS: u64 = 1_000;

/// Time between two looks at the nodes of all hub nodes, in milliseconds.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// Why a report was not taken, or a question not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// The hub knows as many nodes as it may.
    #[error("the hub knows {nodes_max} nodes, which is its limit")]
    TooManyNodes {
        /// The bound.
        nodes_max: usize,
    },
    /// The node's mailbox is full.
    #[error("the node is overloaded; try again")]
    Overloaded,
    /// Nodes that other hub nodes hear are in the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node's actor is there and gives no answer in time.
    #[error("{node} does not answer; try again")]
    Silent {
        /// Its name.
        node: NodeName,
    },
}

impl FleetError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            _ => Code::Overloaded,
        }
    }
}

/// How many nodes are in which state. Nodes note their own changes.
#[derive(Debug, Default)]
pub struct Census {
    states: Mutex<HashMap<NodeName, State>>,
    /// Where there are several hub nodes: as the store has them.
    shared: Mutex<Option<BTreeMap<&'static str, usize>>>,
}

impl Census {
    /// That of all hub nodes.
    fn read(&self, counts: &[(String, u64)]) {
        let count =
            |state: State| counts.iter().find(|(name, _)| name == state.as_str()).map_or(0, |(_, n)| *n);
        for state in State::ALL {
            Gauge::Nodes.set_for(state.as_str(), count(state));
        }
        let counts = State::ALL.iter().map(|state| (state.as_str(), count(*state) as usize)).collect();
        *self.shared.lock() = Some(counts);
    }

    pub(super) fn note(&self, node: &NodeName, state: State) {
        if self.shared.lock().is_some() {
            return;
        }
        let mut states = self.states.lock();
        states.insert(node.clone(), state);
        for each in State::ALL {
            let count = states.values().filter(|s| **s == each).count();
            Gauge::Nodes.set_for(each.as_str(), count as u64);
        }
    }

    pub(super) fn forget(&self, node: &NodeName) {
        let mut states = self.states.lock();
        let Some(state) = states.remove(node) else { return };
        let count = states.values().filter(|s| **s == state).count();
        Gauge::Nodes.set_for(state.as_str(), count as u64);
    }

    /// Nodes by state.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        if let Some(counts) = &*self.shared.lock() {
            return counts.clone();
        }
        let states = self.states.lock();
        State::ALL.iter().map(|s| (s.as_str(), states.values().filter(|v| *v == s).count())).collect()
    }
}

/// Every node by its name.
pub type Directory = RwLock<BTreeMap<NodeName, Inbox<NodeActor>>>;

/// What nodes are made of.
pub struct FleetArgs {
    /// Starts them.
    pub tree: Tree,
    /// Publishes what they report.
    pub broker: Broker,
    /// Remembers them.
    pub store: Store,
    /// Are evaluated on their samples.
    pub rules: Rules,
    /// Bounds.
    pub settings: IngestSection,
    /// This life of this hub, where it is one of several.
    pub hub: Option<Arc<str>>,
    /// Which hub nodes live, and who keeps house.
    pub ownership: Ownership,
    /// Time.
    pub clock: Clock,
}

/// The directory of nodes. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<Shared>);

struct Shared {
    nodes: Arc<Directory>,
    census: Arc<Census>,
    args: FleetArgs,
}

impl Fleet {
    /// A directory without nodes.
    pub fn new(args: FleetArgs) -> Self {
        Self(Arc::new(Shared { nodes: Arc::default(), census: Arc::default(), args }))
    }

    /// Hands a report to its node.
    pub fn report(&self, node: &NodeName, report: Report, cause: &Cause) -> Result<(), FleetError> {
        self.open(node)?.try_send(report, cause).map_err(|_refused| FleetError::Overloaded)
    }

    fn open(&self, name: &NodeName) -> Result<Inbox<NodeActor>, FleetError> {
        if let Some(node) = self.0.nodes.read().get(name).filter(|n| !n.is_closed()) {
            return Ok(node.clone());
        }
        let mut nodes = self.0.nodes.write();
        if let Some(node) = nodes.get(name).filter(|n| !n.is_closed()) {
            return Ok(node.clone());
        }
        let nodes_max = self.0.args.settings.nodes_max;
        if nodes.len() >= nodes_max && !nodes.contains_key(name) {
            return Err(FleetError::TooManyNodes { nodes_max });
        }
        let args = &self.0.args;
        let node = NodeArgs {
            name: name.clone(),
            broker: args.broker.clone(),
            store: args.store.clone(),
            rules: args.rules.clone(),
            census: self.0.census.clone(),
            directory: Arc::downgrade(&self.0.nodes),
            ttl_ms: args.settings.node_ttl_ms,
            hub: args.hub.clone(),
            clock: args.clock.clone(),
        };
        let inbox = args.tree.start(name.shared(), NodeActor::new(node), None);
        nodes.insert(name.clone(), inbox.clone());
        Ok(inbox)
    }

    fn knows(&self, name: &str) -> bool {
        NodeName::parse(name).is_ok_and(|name| self.0.nodes.read().contains_key(&name))
    }

    pub(super) fn args(&self) -> &FleetArgs {
        &self.0.args
    }

    /// A node as its actor here knows it; `None` when there is none, or another hub hears it.
    async fn held(&self, node: &NodeName, cause: &Cause) -> Result<Option<NodeView>, FleetError> {
        let Some(inbox) = self.0.nodes.read().get(node).cloned() else { return Ok(None) };
        let asked = inbox.ask(NodeSnapshot, cause, Duration::from_millis(ASK_TIMEOUT_MS)).await;
        let Snapshot { view, is_held } =
            asked.map_err(|_silent| FleetError::Silent { node: node.clone() })?;
        Ok(is_held.then_some(view))
    }

    /// One node; `None` when it is not known.
    pub async fn view(&self, node: &NodeName, cause: &Cause) -> Result<Option<NodeView>, FleetError> {
        let held = self.held(node, cause).await?;
        if held.is_some() || self.0.args.hub.is_none() {
            return Ok(held);
        }
        let Some(record) = self.0.args.store.node(node.as_str()).await? else { return Ok(None) };
        let mut newest = Newest::read(&self.0.args.broker, |known| known == node.as_str(), cause).await;
        Ok(Some(newest.view(record, self.0.args.clock.unix_ms())))
    }

    /// At most `limit` nodes by name, after `after`. One that does not answer is left out.
    pub async fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        cause: &Cause,
    ) -> Result<Vec<NodeView>, FleetError> {
        if self.0.args.hub.is_some() {
            return self.page_of_all(after, limit, cause).await;
        }
        let names: Vec<NodeName> = {
            let nodes = self.0.nodes.read();
            let names = nodes.keys().filter(|name| after.is_none_or(|after| name.as_str() > after));
            names.take(limit).cloned().collect()
        };
        let mut views = Vec::with_capacity(names.len());
        for name in names {
            views.extend(self.held(&name, cause).await.ok().flatten());
        }
        Ok(views)
    }

    /// The same of the nodes of all hub nodes.
    async fn page_of_all(
        &self,
        after: Option<&str>,
        limit: usize,
        cause: &Cause,
    ) -> Result<Vec<NodeView>, FleetError> {
        let records = self.0.args.store.nodes(after, limit).await?;
        let is_wanted = |node: &str| records.iter().any(|record| record.name == node);
        let mut newest = Newest::read(&self.0.args.broker, is_wanted, cause).await;
        let mut views = Vec::with_capacity(records.len());
        for record in records {
            let held = match NodeName::parse(&record.name) {
                Ok(name) => self.held(&name, cause).await.ok().flatten(),
                Err(_) => None,
            };
            views.push(held.unwrap_or_else(|| newest.view(record, self.0.args.clock.unix_ms())));
        }
        Ok(views)
    }

    /// A load test is over, whose nodes had this value of the label [`LOAD_TEST`](super::LOAD_TEST): they are gone
    /// soon after. What is still on its way from one makes it known again, until its time to live is over.
    pub fn test_over(&self, test: &str, cause: &Cause) {
        let test: Arc<str> = test.into();
        // Not under the lock, which a node takes when it goes.
        let nodes: Vec<_> = {
            let nodes = self.0.nodes.read();
            nodes
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(passing::NAMES))
                .map(|(_, n)| n.clone())
                .collect()
        };
        for node in nodes {
            if let Err(error) = node.try_send(TestOver { test: test.clone() }, cause) {
                tracing::debug!(?node, %error, "end of a load test not told");
            }
        }
    }

    /// Nodes by state.
    pub fn census(&self) -> BTreeMap<&'static str, usize> {
        self.0.census.counts()
    }
}

/// The parent of the nodes: brings back the fleet that the store remembers.
///
/// Owns nothing that a restart could lose: the directory is shared.
pub struct FleetActor {
    fleet: Fleet,
    /// A look at the store is on its way.
    is_looking: bool,
}

impl FleetActor {
    /// The parent of the nodes of `fleet`.
    pub fn new(fleet: Fleet) -> Self {
        Self { fleet, is_looking: false }
    }

    /// Of several hub nodes each opens the nodes that it hears, and looks how many there are. One look at a time.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let fleet = self.fleet.clone();
        let looked = async move {
            fleet.0.census.read(&fleet.0.args.store.node_states().await?);
            fleet.look_after_orphans().await
        };
        ctx.spawn(looked.into_actor(self).map(|looked: Result<(), StoreError>, actor, _ctx| {
            actor.is_looking = false;
            if let Err(error) = looked {
                tracing::debug!(%error, "fleet not read from the store");
            }
        }));
    }

    fn recall(&mut self, ctx: &mut Context<Self>, after: Option<String>) {
        let store = self.fleet.0.args.store.clone();
        let page = async move { store.nodes(after.as_deref(), RECALL_PAGE).await };
        ctx.spawn(page.into_actor(self).map(|page, actor, ctx| match page {
            Ok(records) => {
                // Nothing of a load test outlives the hub that it was for.
                let (passed, known): (Vec<_>, Vec<_>) =
                    records.iter().partition(|record| is_passing(&record.labels));
                for record in passed.iter().filter(|record| !actor.fleet.knows(&record.name)) {
                    drop(actor.fleet.0.args.store.delete_node(&record.name));
                }
                for name in known.iter().filter_map(|record| NodeName::parse(&record.name).ok()) {
                    if let Err(error) = actor.fleet.open(&name) {
                        tracing::warn!(node = %name, %error, "remembered node not opened");
                    }
                }
                if let Some(last) = records.last().filter(|_| records.len() == RECALL_PAGE) {
                    actor.recall(ctx, Some(last.name.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "fleet not read from the store");
                ctx.run_later(Duration::from_millis(RECALL_RETRY_MS), |actor, ctx| actor.recall(ctx, None));
            }
        }));
    }
}

impl Restart for FleetActor {
    const KIND: &'static str = "fleet";

    fn fresh(&self) -> Self {
        Self::new(self.fleet.clone())
    }
}

supervised!(FleetActor);

impl Actor for FleetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.fleet.0.args.hub.is_none() {
            return self.recall(ctx, None);
        }
        self.look(ctx);
        ctx.run_interval(Duration::from_millis(LOOK_INTERVAL_MS), |actor, ctx| actor.look(ctx));
    }
}
