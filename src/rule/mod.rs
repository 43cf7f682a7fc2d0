//! Rules: conditions that are evaluated on samples, and what each says of each series.
//!
//! Pure: no clock, no IO. Samples and ticks go into an [`Evaluator`], [`Step`]s come out. Kinds and the grammar of
//! expressions are in `docs/rules.md`.

mod catalogue;
mod cell;
mod check;
mod checked;
mod composite;
mod condition;
pub mod definition;
mod evaluator;
pub mod expression;
pub mod files;
#[cfg(test)]
mod fuzzed;
pub mod index;
pub mod preview;
mod reason;
pub mod series;
mod step;
pub mod template;
pub mod templates;
#[cfg(test)]
mod tests;
mod timer;

pub use catalogue::{ALIASES, canonical};
pub use checked::{Flap, Rule, Times};
pub use evaluator::{Evaluator, SERIES_MAX};
pub use reason::{Cause, Comparison, Parts, RateUnit, Reason};
pub use series::Series;
pub use step::{Explanation, Saved, Step};
pub use timer::{Phase, TOLD_APART_MS};
