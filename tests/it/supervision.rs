//! Every actor of the hub comes back after a crash, and nobody else notices more than is declared.

/// A topic that is kept in the store crashes while commits are under way.
#[cfg(feature = "fault")]
mod commits;
/// The table in code is the drawing in the documents.
mod drawing;
/// Too many crashes go up: to the parent, or to the end of the hub with its reason.
#[cfg(feature = "fault")]
mod escalation;
/// A whole hub in this process, so that its actors can be made to crash.
#[cfg(feature = "fault")]
mod inside;
/// Each row of the table, crashed at each point of its life.
#[cfg(feature = "fault")]
mod rows;
