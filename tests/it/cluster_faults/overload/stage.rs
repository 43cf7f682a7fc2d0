//! What everybody who takes part looks at: which phase it is, and at what rate it sends.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Senders wait for their answers: the rate that the hub can keep.
    Sustained,
    /// They send five times of that, on schedule.
    Overload,
    /// The same, while PostgreSQL is stopped.
    Stopped,
    /// Nobody sends any more; who has every answer leaves.
    Over,
}

impl Phase {
    pub(super) const COUNT: usize = 4;
    const ALL: [Self; Self::COUNT] = [Self::Sustained, Self::Overload, Self::Stopped, Self::Over];
}

/// The stage.
#[derive(Debug, Default)]
pub(super) struct Stage {
    phase: AtomicU8,
    /// Frames in a thousand seconds of one sender.
    pub(super) rate_mhz: AtomicU64,
    /// Frames that all senders were told are durable.
    pub(super) durable: AtomicU64,
    /// Frames that were taken, and found no place in the store or its journal.
    pub(super) refused: AtomicU64,
}

impl Stage {
    pub(super) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }
}
