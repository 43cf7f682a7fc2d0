//! All machines: a name to an actor, made on first sight or remembered from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::{Mutex, RwLock};

use super::actor::{NodeActor, NodeArgs, NodeSnapshot, NodeView};
use super::liveness::State;
use super::passing::{self, TestOver, is_passing};
use super::report::Report;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::IngestSection;
use crate::ids::NodeName;
use crate::protocol::codes::Code;
use crate::rule::Rules;
use crate::store::Store;
use crate::supervision::{Inbox, Restart, Tree, supervised};
use crate::telemetry::{Cause, Gauge};

/// How long a question to a node may take, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 2_000;

/// Nodes read from the store at once when the hub starts.
const RECALL_PAGE: usize = 500;

/// Time before the store is asked again for the fleet, in milliseconds.
const RECALL_RETRY_MS: u64 = 1_000;

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
        Code::Overloaded
    }
}

/// How many nodes are in which state. Nodes note their own changes.
#[derive(Debug, Default)]
pub struct Census(Mutex<HashMap<NodeName, State>>);

impl Census {
    pub(super) fn note(&self, node: &NodeName, state: State) {
        let mut states = self.0.lock();
        states.insert(node.clone(), state);
        for each in State::ALL {
            let count = states.values().filter(|s| **s == each).count();
            Gauge::Nodes.set_for(each.as_str(), count as u64);
        }
    }

    pub(super) fn forget(&self, node: &NodeName) {
        let mut states = self.0.lock();
        let Some(state) = states.remove(node) else { return };
        let count = states.values().filter(|s| **s == state).count();
        Gauge::Nodes.set_for(state.as_str(), count as u64);
    }

    /// Nodes by state.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let states = self.0.lock();
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
            clock: args.clock.clone(),
        };
        let inbox = args.tree.start(name.shared(), NodeActor::new(node), None);
        nodes.insert(name.clone(), inbox.clone());
        Ok(inbox)
    }

    fn knows(&self, name: &str) -> bool {
        NodeName::parse(name).is_ok_and(|name| self.0.nodes.read().contains_key(&name))
    }

    /// One node; `None` when it is not known.
    pub async fn view(&self, node: &NodeName, cause: &Cause) -> Result<Option<NodeView>, FleetError> {
        let Some(inbox) = self.0.nodes.read().get(node).cloned() else { return Ok(None) };
        let asked = inbox.ask(NodeSnapshot, cause, Duration::from_millis(ASK_TIMEOUT_MS)).await;
        asked.map(Some).map_err(|_silent| FleetError::Silent { node: node.clone() })
    }

    /// At most `limit` nodes by name, after `after`. One that does not answer is left out.
    pub async fn page(&self, after: Option<&str>, limit: usize, cause: &Cause) -> Vec<NodeView> {
        let names: Vec<NodeName> = {
            let nodes = self.0.nodes.read();
            let names = nodes.keys().filter(|name| after.is_none_or(|after| name.as_str() > after));
            names.take(limit).cloned().collect()
        };
        let mut views = Vec::with_capacity(names.len());
        for name in names {
            views.extend(self.view(&name, cause).await.ok().flatten());
        }
        views
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
}

impl FleetActor {
    /// The parent of the nodes of `fleet`.
    pub fn new(fleet: Fleet) -> Self {
        Self { fleet }
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
        self.recall(ctx, None);
    }
}
