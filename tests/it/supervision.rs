//! Every actor of the hub comes back after a crash, and nobody else notices more than is declared.

mod commits;
mod documents;
mod drawing;
mod escalation;
mod rows;
