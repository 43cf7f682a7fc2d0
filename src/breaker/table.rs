//! *The* table of subsystems: what each breaker guards, and what happens while it is open.

use serde::Serialize;

/// A part of the hub with a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subsystem {
    /// What clients publish over their sockets.
    Streaming,
    /// Broadcast of alerts.
    Alerts,
    /// Events over HTTP.
    Events,
    /// Durable state.
    Store,
}

/// What becomes of a call while the breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhileOpen {
    /// It gets an error that says when to come back.
    Refuse,
    /// It waits in the store, bounded, and is done in order at recovery.
    Queue,
    /// It waits in memory, bounded, and is not acknowledged before it is done.
    Spill,
}

/// One subsystem.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which.
    pub subsystem: Subsystem,
    /// Its name on the wire.
    pub name: &'static str,
    /// What is guarded.
    pub guards: &'static str,
    /// What becomes of it.
    pub while_open: WhileOpen,
    /// The same in words, with what goes on all the same.
    pub detail: &'static str,
    /// Which failures are counted.
    pub failures: &'static str,
    /// Where the check is made.
    pub checked_in: &'static str,
}

/// All subsystems.
pub const TABLE: [Row; 4] = [
    Row {
        subsystem: Subsystem::Streaming,
        name: "streaming",
        guards: "publish and room_message of clients to application topics",
        while_open: WhileOpen::Refuse,
        detail: "error breaker_open with retry_after_ms, and flow; critical messages and the hub's own topics go",
        failures: "publishes refused as overloaded, topics that crash",
        checked_in: "connection/actor/guarded.rs",
    },
    Row {
        subsystem: Subsystem::Alerts,
        name: "alerts",
        guards: "alerts that are posted",
        while_open: WhileOpen::Queue,
        detail: "202 and kept in the store, published in order at recovery; 503 when the queue is full",
        failures: "broadcasts that the topic did not take",
        checked_in: "alert/announcing.rs",
    },
    Row {
        subsystem: Subsystem::Events,
        name: "events",
        guards: "POST /api/v1/events/publish",
        while_open: WhileOpen::Refuse,
        detail: "503 breaker_open with Retry-After",
        failures: "events that the topic did not take",
        checked_in: "http/events.rs",
    },
    Row {
        subsystem: Subsystem::Store,
        name: "store",
        guards: "samples, shared state, publishes to topics that are kept in the store",
        while_open: WhileOpen::Spill,
        detail: "samples wait in memory and metrics_ack follows the commit, or on disk (PostgreSQL); the rest gets 503 store_unavailable",
        failures: "writes that failed, were refused as overloaded, or take longer than breaker.call_ms_max",
        checked_in: "ingest/mod.rs",
    },
];

impl Subsystem {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Streaming, Self::Alerts, Self::Events, Self::Store];

    /// Its row of the table.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The subsystem of that name.
    pub fn parse(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.subsystem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_subsystem() {
        for (subsystem, row) in Subsystem::ALL.into_iter().zip(TABLE) {
            assert_eq!((subsystem.row().subsystem, row.subsystem), (subsystem, subsystem));
            assert_eq!(Subsystem::parse(row.name), Some(subsystem));
        }
        assert_eq!(Subsystem::parse("storage"), None);
    }

    #[test]
    fn each_is_checked_where_its_row_says() {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for row in TABLE {
            let code = std::fs::read_to_string(source.join(row.checked_in)).unwrap();
            assert!(code.contains(&format!("Subsystem::{:?}", row.subsystem)), "{}", row.checked_in);
        }
    }

    #[test]
    fn the_architecture_has_the_same_rows() {
        let document = include_str!("../../docs/ARCHITECTURE.md");
        for row in TABLE {
            let line = format!("| `{}` | {} | {} | {} |", row.name, row.guards, row.detail, row.failures);
            assert!(document.contains(&line), "docs/ARCHITECTURE.md has no line {line}");
        }
    }
}
