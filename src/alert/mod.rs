//! Alerts: what they are, what may happen to them, and what holds them back.
//!
//! - `lifecycle`: what may happen to one alert, and what becomes of it; `entity`: the alert itself
//! - `matchers`, `suppression`, `inhibition`, `flap`: what holds alerts back; `grouping`, `escalation`: who is told when
//! - [`book`]: all open alerts, and what becomes of them
//! - `actor`: the one owner: commits, then publishes (`announcing`)
//! - [`alerts`]: what other modules see of it; [`heartbeats`]: those whose absence is an alert
//!
//! All but the last three are pure: times are Unix milliseconds that the caller gives.

mod actor;
pub mod alerts;
mod announcing;
pub mod book;
mod entity;
mod error;
mod escalation;
mod field_error;
pub mod fingerprint;
mod flap;
mod grouping;
pub mod heartbeats;
mod inhibition;
mod lifecycle;
mod matchers;
pub mod messages;
pub mod policies;
mod recalling;
mod record;
mod score;
mod severity;
mod signal;
mod subject;
mod suppression;

pub use alerts::{Alerts, AlertsArgs, Taken};
pub use entity::{Alert, HUB, State, Transition};
pub use error::AlertError;
pub use escalation::{Level, Policy};
pub use field_error::FieldError;
pub use fingerprint::Labels;
pub use flap::{Flap, FlapLimit, Flapping, TRANSITIONS_MAX};
pub use grouping::{Due, GroupKey, Groups, Timing};
pub use inhibition::{Inhibition, InhibitionDefinition, Inhibitions};
pub use lifecycle::{Event, NewAlert, Opening, Refused, Replayed, apply, may_step, open, reopens, replay};
pub use matchers::{MATCHERS_MAX, Matcher, MatcherError, Operator};
pub use score::{WEIGHT_DEFAULT, WEIGHT_MAX, score};
pub use severity::{NotASeverity, SEVERITIES, Severity};
pub use signal::{News, Origin, Posted, Signal, Text};
pub use subject::{METRIC, SERVICE, SEVERITY, Subject};
pub use suppression::{Schedule, Window, WindowDefinition, suppressed_by};
