//! Alerts: what they are, what may happen to them, and what holds them back. Everything here is pure: times are Unix
//! milliseconds that the caller gives.

mod entity;
mod escalation;
mod field_error;
pub mod fingerprint;
mod flap;
mod grouping;
mod inhibition;
mod lifecycle;
mod matchers;
mod record;
mod score;
mod severity;
mod subject;
mod suppression;

pub use entity::{Alert, HUB, State, Transition};
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
pub use subject::{METRIC, SERVICE, SEVERITY, Subject};
pub use suppression::{Schedule, Window, WindowDefinition, suppressed_by};
