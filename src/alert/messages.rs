//! What the owner of alerts can be told and asked.

use std::collections::HashSet;
use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;

use super::AlertError;
use super::entity::Alert;
use super::lifecycle::Event;
use super::signal::{Origin, Posted, Signal};
use crate::ownership::Fence;
use crate::supervision::Recipient;
use crate::topic::Published;

/// Where series of one rule are. When the mailbox is full the rule tells where it stands later.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Signals {
    /// The tenure in which the rule is evaluated; those of another are ignored.
    pub fence: Fence,
    /// In order.
    pub signals: Vec<Signal>,
    /// When the sample came that made them, in microseconds of the hub's monotonic clock; `None` for what no sample made.
    pub arrived_us: Option<u64>,
}

/// A rule begins: which alerts of it are open?
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stand {
    /// The tenure in which the rule is evaluated; of another it is not answered.
    pub fence: Fence,
    /// The rule.
    pub origin: Arc<Origin>,
    /// Told when the owner of alerts begins anew.
    pub resume: Recipient<Resume>,
    /// Gets them.
    pub reply: oneshot::Sender<Vec<Alert>>,
}

/// To a rule: the owner of alerts began anew; tell where you stand.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resume;

/// A rule is deleted or not evaluated any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RuleGone {
    /// Which.
    pub rule_id: String,
    /// Why its alerts end.
    pub reason: String,
}

/// The rules that are evaluated: the alerts of others end.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OnlyRules {
    /// The tenure in which they are evaluated; those of another are ignored.
    pub fence: Fence,
    /// Their ids.
    pub rules: HashSet<String>,
}

/// Somebody does something to an alert. Answered after the commit.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ByHand {
    /// Which.
    pub id: String,
    /// What.
    pub event: Event,
    /// Gets the alert as it is then; `None`: it is not open.
    pub reply: oneshot::Sender<Result<Option<Alert>, AlertError>>,
}

/// An alert from outside. Answered after the commit.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Post {
    /// The alert.
    pub posted: Posted,
    /// Who posts it.
    pub by: String,
    /// Gets what became of it.
    pub reply: oneshot::Sender<Result<Kept, AlertError>>,
}

/// A posted alert that is kept.
pub struct Kept {
    /// The alert.
    pub alert: Alert,
    /// Whether it was not open before.
    pub is_new: bool,
    /// Resolves when subscribers can see it; `None`: it waits for the breaker of alerts, or its topic is overloaded.
    pub told: Option<oneshot::Receiver<Option<Published>>>,
}

/// Operators laid down something else. Answered when it is in force.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PoliciesChanged {
    /// Told then.
    pub reply: oneshot::Sender<Result<(), AlertError>>,
}
