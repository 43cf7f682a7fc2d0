//! Every actor of the hub comes back after a crash, and nobody else notices more than is declared.

#[cfg(feature = "fault")]
mod commits;
mod documents;
mod drawing;
#[cfg(feature = "fault")]
mod escalation;
#[cfg(feature = "fault")]
mod rows;
