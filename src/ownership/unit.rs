//! What only one hub node may do at a time.

/// A unit of work with one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Rules, alerts and what follows from them: escalation, groups, heartbeats that stay away.
    Alerts,
    /// What keeps the store small: samples, alerts, sessions and messages that are old.
    Housekeeping,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Alerts, Self::Housekeeping];

    /// The unit of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == name)
    }

    /// Its name in the store, in logs and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Housekeeping => "housekeeping",
        }
    }
}
