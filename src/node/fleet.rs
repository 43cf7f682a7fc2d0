//! All machines: a name to an actor, made on first sight or remembered from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::{Mutex, RwLock};

use super::actor::{NodeActor, NodeArgs};
use super::liveness::State;
use super::passing::{self, TestOver, is_passing};
use super::remembered::Remembered;
use super::report::Report;
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
pub struct Fleet(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) nodes: Arc<Directory>,
    census: Arc<Census>,
    pub(super) remembered: Remembered,
    pub(super) args: FleetArgs,
}

impl Fleet {
    /// A directory without nodes.
    pub fn new(args: FleetArgs) -> Self {
        let remembered = Remembered::default();
        Self(Arc::new(Shared { nodes: Arc::default(), census: Arc::default(), remembered, args }))
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
            fleet.remember().await?;
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
