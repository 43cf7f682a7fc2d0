//! Rules: conditions that are evaluated on samples, and what each says of each series.
//!
//! Samples and ticks go into an [`Evaluator`], [`Step`]s come out; it and what is below it are pure: no clock, no IO.
//! Kinds and the grammar of expressions are in `docs/rules.md`.
//!
//! - [`rules`]: the directory, and the way of samples to the rules that want them (`feed`, [`index`])
//! - `handover`: how samples come from other hub nodes
//! - `actor`: one rule, with its evaluator; `signalling` says what a step means for alerts
//! - `parent`: begins and ends rules, lets time pass, keeps states

mod actor;
mod adoption;
mod catalogue;
mod cell;
mod check;
mod checked;
mod composite;
mod condition;
pub mod definition;
mod error;
mod evaluator;
pub mod expression;
mod feed;
pub mod files;
#[cfg(test)]
mod fuzzed;
mod handover;
pub mod index;
mod parent;
pub mod preview;
mod reason;
pub mod rules;
pub mod series;
mod signalling;
mod step;
pub mod template;
pub mod templates;
#[cfg(test)]
mod tests;
mod timer;
mod view;

pub use adoption::Adopted;
pub use catalogue::{ALIASES, canonical};
pub use checked::{Flap, Rule, Times};
pub use error::RuleError;
pub use evaluator::{Evaluator, SERIES_MAX};
pub use feed::{Feed, Plan, Wanted};
pub use handover::Handover;
pub use parent::RulesActor;
pub use reason::{Cause, Comparison, Parts, RateUnit, Reason};
pub use rules::{DirectoryError, RuleDirectory, Rules, RulesArgs};
pub use series::Series;
pub use signalling::NO_DATA;
pub use step::{Explanation, Saved, Step};
pub use timer::{Phase, TOLD_APART_MS};
pub use view::{Live, RuleView};
