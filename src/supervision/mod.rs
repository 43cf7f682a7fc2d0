//! Supervision: every actor of the hub is a child of one tree that restarts it after a crash.
//!
//! The address of a child is made before the child and outlives its crashes: messages that wait in its inbox
//! are answered by the rebuilt actor. A panic is caught at the edge of the actor's own task; the actor is
//! rebuilt from its arguments ([`Restart::fresh`]), never continued with torn state. A child that crashes
//! too often is given up: its inbox closes, its owner is told, and its parent is restarted in its turn
//! ("escalated"), unless its row says that it is contained; when nothing is left above, the root failure
//! callback runs. Siblings are never touched.
//!
//! Reading order: [`spec`] (a row of the table), [`policy`] (the decision), [`child`] (what an actor must be
//! able to do), [`inbox`] (bounded sending), `supervisor` (the task around one actor), `recovery` (what follows a failure), [`tree`] (all of them).
//!
//! A restart loses: the actor's state, its timers and spawned futures, the message that crashed it, and
//! answers it owed (who asked gets [`AskError::Closed`]).

pub mod child;
mod current;
pub mod fault;
pub mod inbox;
mod kind;
pub mod panic_hook;
pub mod placement;
pub mod policy;
mod recovery;
pub mod snapshot;
pub mod spec;
mod supervisor;
#[cfg(test)]
mod tests;
pub mod tree;
#[cfg(test)]
pub mod universe;

pub use child::{Child, Restart};
pub use inbox::{AskError, Inbox, Queued, Recipient, Refused, WeakInbox};
pub use placement::Places;
pub use snapshot::{FailurePhase, KindSnapshot, KindState, LastFailure, Totals};
pub use spec::{
    Backoff, ChildSpec, Ended, Intensity, OnGiveUp, Placement, RestartPolicy, WhenFull, check_table,
};
pub use tree::{RootFailure, Tree};

pub use crate::supervised;
