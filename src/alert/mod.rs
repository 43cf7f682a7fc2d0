//! Alerts: entities with a life cycle, born from rules or posted from outside.

mod severity;

pub use severity::Severity;
