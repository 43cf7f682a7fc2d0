//! Nodes of a load test, which are gone when it is over.
//!
//! They say so by the label [`LOAD_TEST`]. Whoever carries the test out tells the fleet of its end; one that does not,
//! because it crashed or was never asked by this hub, leaves nodes that go when their time to live is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Context, Handler, Message};

use super::actor::NodeActor;
use super::liveness::{State, Transition};
use crate::ids::TopicName;
use crate::supervision::Queued;
use crate::telemetry::Cause;

/// The label of nodes that exist for a load test alone, with the topic of its messages for a value.
pub const LOAD_TEST: &str = "load_test";

/// How the names of such nodes begin.
pub(super) const NAMES: &str = "load-test-";

/// A load test is over. Of no effect on nodes that are not its own.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TestOver {
    /// The value of their label.
    pub(super) test: Arc<str>,
}

/// Whether a node with these labels is of a load test.
pub(super) fn is_passing(labels: &BTreeMap<String, String>) -> bool {
    labels.contains_key(LOAD_TEST)
}

impl NodeActor {
    /// Goes for good: out of the fleet, out of the store, and out of the newest values.
    pub(super) fn pass(&mut self, reason: &str, cause: &Cause) {
        if std::mem::replace(&mut self.has_passed, true) {
            return;
        }
        let name = self.args.name.clone();
        self.changed(Transition { from: self.liveness.state(), to: State::Retired }, reason, cause);
        self.args.census.forget(&name);
        let forgotten = self.args.broker.open(&TopicName::well_known("metrics_update"));
        if let Err(error) = forgotten.and_then(|topic| topic.forget_key(name.shared())) {
            tracing::debug!(node = %name, %error, "newest samples not forgotten");
        }
        // Behind whatever was written before; the answer changes nothing.
        drop(self.args.store.delete_node(name.as_str()));
        if let Some(directory) = self.args.directory.upgrade() {
            directory.write().remove(&name);
        }
    }
}

impl Handler<Queued<TestOver>> for NodeActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<TestOver>, _ctx: &mut Context<Self>) {
        if self.labels.get(LOAD_TEST).map(String::as_str) == Some(&*queued.msg.test) {
            self.pass("its load test is over", &queued.cause);
        }
    }
}
