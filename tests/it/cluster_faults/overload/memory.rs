//! The hub's memory over time.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::stage::{Phase, Stage};
use crate::hub::Hub;

/// What may come on top of a quarter: the way to the journal, which an outage fills (16 MiB).
const MORE_BYTES: u64 = 16 << 20;

/// Memory of one phase.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Memory {
    /// At the end of its warm-up, and the greatest after it.
    warm: u64,
    greatest: u64,
}

impl Memory {
    fn note(&mut self, is_warm: bool, bytes: u64) {
        if is_warm {
            self.greatest = self.greatest.max(bytes);
        } else {
            self.warm = bytes;
        }
    }

    /// Whether nothing grows with what is sent: by the end of the warm-up every queue is as full as it will be.
    pub(super) fn is_level(self) -> bool {
        self.greatest > 0 && self.greatest <= self.warm + self.warm / 4 + MORE_BYTES
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} MiB after the warm-up, {} MiB at most after that",
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
            phase = (stage.phase(), Instant::now());
        }
        seen[phase.0 as usize].note(phase.1.elapsed() > warm_up, hub.resident_bytes());
    }
    seen
}
