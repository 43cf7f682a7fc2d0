//! Rules: conditions that are evaluated on samples, and what each says of each series.
//!
//! Pure: no clock, no IO. Samples and ticks go into an [`Evaluator`], [`Step`]s come out. Expressions and hour-of-day
//! baselines are not supported yet.

mod catalogue;
mod cell;
mod check;
mod checked;
mod composite;
mod condition;
pub mod definition;
mod evaluator;
pub mod index;
mod reason;
pub mod series;
mod step;
pub mod template;
#[cfg(test)]
mod tests;
mod timer;

pub use catalogue::{ALIASES, canonical};
pub use checked::{Flap, Rule, Times};
pub use evaluator::{Evaluator, SERIES_MAX};
pub use reason::{Cause, Comparison, RateUnit, Reason};
pub use series::Series;
pub use step::{Explanation, Saved, Step};
pub use timer::{Phase, TOLD_APART_MS};
