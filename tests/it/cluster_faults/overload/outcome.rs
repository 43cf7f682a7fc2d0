//! What became of the frames of all senders.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::memory::Memory;
use super::sender::{Sender, Tally};
use super::stage::Phase;

/// Everything that is judged.
pub(super) struct Outcome {
    overload: (Tally, Memory),
    stopped: (Tally, Memory),
    /// Answers to what was under way when the senders ended.
    late: Tally,
    /// Frames acknowledged as durable, those of them that are not in PostgreSQL, and all that are there.
    durable: u64,
    lost: Vec<(String, u64)>,
    stored: usize,
}

impl Outcome {
    pub(super) fn of(
        senders: &[Sender<'_>],
        there: &BTreeMap<String, HashSet<u64>>,
        begun_ms: u64,
        memory: [Memory; Phase::COUNT],
    ) -> Self {
        let (mut durable, mut lost, mut stored) = (0, Vec::new(), 0);
        for Sender { node, ledger, .. } in senders {
            let moments = &there[node];
            stored += moments.len();
            durable += ledger.count();
            let is_lost = |n: &u64| ledger.has(*n) && !moments.contains(&(begun_ms + n));
            lost.extend((0..ledger.end()).filter(is_lost).map(|n| (node.clone(), n)));
        }
        let of = |phase: Phase| {
            let mut all = Tally::default();
            senders.iter().for_each(|sender| all.add(&sender.tallies[phase as usize]));
            (all, memory[phase as usize])
        };
        let (overload, stopped, (late, _)) = (of(Phase::Overload), of(Phase::Stopped), of(Phase::Over));
        Self { overload, stopped, late, durable, lost, stored }
    }

    pub(super) fn check(&self) {
        let Self { overload, stopped, late, durable, lost, .. } = self;
        assert!(
            lost.is_empty(),
            "{} of {durable} acknowledged frames are lost: {:?}",
            lost.len(),
            lost.iter().take(10).collect::<Vec<_>>()
        );
        assert!(overload.1.is_level(), "PostgreSQL at work: {}", overload.1);
        assert!(stopped.1.is_level(), "PostgreSQL stopped: {}", stopped.1);
        assert!(overload.0.durable > 0, "work goes on: {}", overload.0);
        assert!(overload.0.is_turned_away() && stopped.0.is_turned_away(), "it was too much: {self}");
        assert!(stopped.0.durable > 0, "what is in the journal is durable: {}", stopped.0);
        let not_durable = |tally: &Tally| tally.refused.contains_key("not durable");
        assert!(not_durable(&stopped.0) || not_durable(late), "what the full journal does not take: {self}");
        assert!(stopped.0.flows > 0, "they are told to slow down: {}", stopped.0);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { overload, stopped, late, durable, lost, stored } = self;
        writeln!(to, "PostgreSQL at work: {}; memory {}", overload.0, overload.1)?;
        writeln!(to, "PostgreSQL stopped: {}; memory {}", stopped.0, stopped.1)?;
        writeln!(to, "after it: {late}")?;
        write!(
            to,
            "{durable} frames acknowledged as durable, {} of them lost; {stored} stored, each once",
            lost.len()
        )
    }
}
