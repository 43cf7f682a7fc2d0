//! The hub's memory over time.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::stage::{Phase, Stage};
use crate::hub::Hub;

/// What may come on top of a seventh: the way to the journal, which an outage fills (16 MiB).
const MORE_BYTES: u64 = 16 << 20;

/// Memory of one phase.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Memory {
    /// The greatest until the end of its warm-up, in earlier phases too: queues are full at one moment and empty at the next.
    warm: u64,
    /// The greatest after that.
    greatest: u64,
}

impl Memory {
    fn note(&mut self, is_warm: bool, bytes: u64) {
        let greatest = if is_warm { &mut self.greatest } else { &mut self.warm };
        *greatest = bytes.max(*greatest);
    }

    /// Whether nothing grows with what is sent: by the end of the warm-up every queue was as full as it will be.
    pub(super) fn is_level(self) -> bool {
        self.greatest > 0 && self.greatest <= self.warm + self.warm / 7 + MORE_BYTES
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} MiB at most until it was warm, {} MiB after that",
            self.warm >> 20,
            self.greatest >> 20
        )
    }
}

/// Looks at the hub's memory until the stage is over; by phase.
pub(super) async fn watch(hub: &Hub, stage: &Stage, warm_up: Duration) -> [Memory; Phase::COUNT] {
    let (mut seen, mut pace) = ([Memory::default(); Phase::COUNT], interval(Duration::from_millis(250)));
    let mut phase = (stage.phase(), Instant::now());
    while phase.0 != Phase::Over {
        pace.tick().await;
        if stage.phase() != phase.0 {
            let before = seen[phase.0 as usize];
            phase = (stage.phase(), Instant::now());
            seen[phase.0 as usize].note(false, before.warm.max(before.greatest));
        }
        seen[phase.0 as usize].note(phase.1.elapsed() > warm_up, hub.resident_bytes());
    }
    seen
}
