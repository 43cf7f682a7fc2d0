//! What a hub node owns, and what it is to do after each beat. Pure: the time is the database's, and comes with its answer.

use super::rendezvous::winner;
use super::{Fence, Peer, Tenure, Unit};
use crate::store::{Beat, HubNodeRecord};

/// A unit that is free for so long may be taken by anybody, milliseconds: the one it is for does not take it.
const ANYBODY_AFTER_MS: u64 = 2_000;

/// What one hub node owns, as far as it knows.
///
/// An answer of the database is all that changes it. While there is none it stays: nobody else can take a unit then
/// either, or somebody has, and the store refuses what is written under the older fence.
#[derive(Debug)]
pub struct Tenures {
    instance: String,
    held: [Option<u64>; Unit::ALL.len()],
}

impl Tenures {
    /// Those of a hub node that begins.
    pub fn new(instance: String) -> Self {
        Self { instance, held: [None; Unit::ALL.len()] }
    }

    /// The fence under which it owns the unit.
    pub fn held(&self, unit: Unit) -> Option<Fence> {
        self.held[unit as usize].map(Fence::Number)
    }

    /// After a beat: takes note of what it owns by now, and says which units it should take.
    pub fn answered(&mut self, beat: &Beat) -> Vec<Unit> {
        for unit in Unit::ALL {
            let lease = beat.leases.iter().find(|lease| lease.unit == unit.as_str());
            let own = lease.filter(|lease| lease.instance == self.instance && lease.free_for_ms.is_none());
            self.held[unit as usize] = own.map(|lease| lease.fence);
        }
        Unit::ALL.into_iter().filter(|unit| self.should_take(*unit, beat)).collect()
    }

    fn should_take(&self, unit: Unit, beat: &Beat) -> bool {
        let free_for_ms = match beat.leases.iter().find(|lease| lease.unit == unit.as_str()) {
            Some(lease) => match lease.free_for_ms {
                Some(free_for_ms) => free_for_ms,
                None => return false,
            },
            // Nobody ever had it: whoever comes first.
            None => ANYBODY_AFTER_MS,
        };
        let live = beat.live.iter().map(|hub| hub.instance.as_str());
        free_for_ms >= ANYBODY_AFTER_MS || winner(unit.as_str(), live) == Some(self.instance.as_str())
    }

    /// After it took a unit: with this fence, or not (`None`), because somebody was quicker.
    pub fn took(&mut self, unit: Unit, fence: Option<u64>) {
        self.held[unit as usize] = fence;
    }

    /// After it gave everything back.
    pub fn left(&mut self) {
        self.held = [None; Unit::ALL.len()];
    }
}

/// Who owns the unit, by the answer to a beat. `None`: nobody.
pub(super) fn tenure(unit: Unit, beat: &Beat) -> Option<Tenure> {
    let lease = beat.leases.iter().find(|lease| lease.unit == unit.as_str())?;
    if lease.free_for_ms.is_some() {
        return None;
    }
    let owner = beat.live.iter().find(|hub| hub.instance == lease.instance)?;
    Some(Tenure { owner: peer(owner), fence: lease.fence, since_ms: lease.taken_at_ms })
}

pub(super) fn peer(hub: &HubNodeRecord) -> Peer {
    Peer { node: hub.node.clone(), instance: hub.instance.clone(), address: hub.address.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LeaseRecord;

    const UNIT: Unit = Unit::Alerts;

    fn hub(instance: &str) -> HubNodeRecord {
        HubNodeRecord { instance: instance.into(), node: instance.into(), address: format!("{instance}:1") }
    }

    fn lease(instance: &str, fence: u64, free_for_ms: Option<u64>) -> LeaseRecord {
        let (unit, instance) = (UNIT.as_str().to_owned(), instance.to_owned());
        LeaseRecord { unit, instance, fence, taken_at_ms: 7, free_for_ms }
    }

    fn beat(lease: LeaseRecord) -> Beat {
        let housekeeping = LeaseRecord { unit: Unit::Housekeeping.as_str().into(), ..lease.clone() };
        Beat { live: ["a", "b", "c"].map(hub).to_vec(), leases: vec![lease, housekeeping] }
    }

    /// Who of a, b, c the unit is for, and somebody else.
    fn first_and_second() -> (&'static str, &'static str) {
        let first = winner(UNIT.as_str(), ["a", "b", "c"]).unwrap();
        (first, if first == "a" { "b" } else { "a" })
    }

    fn takes(instance: &str, lease: LeaseRecord) -> bool {
        Tenures::new(instance.into()).answered(&beat(lease)).contains(&UNIT)
    }

    #[test]
    fn a_free_unit_is_taken_by_who_it_is_for_and_after_a_while_by_anybody() {
        let (first, second) = first_and_second();
        assert!(!takes(first, lease("x", 3, None)), "it is held, by whoever that is");
        assert!(takes(first, lease("x", 3, Some(0))));
        assert!(!takes(second, lease("x", 3, Some(1_999))));
        assert!(takes(second, lease("x", 3, Some(2_000))));
        let nobody_yet = Beat { leases: Vec::new(), ..beat(lease("x", 1, None)) };
        assert_eq!(Tenures::new(second.into()).answered(&nobody_yet), Unit::ALL);
    }

    #[test]
    fn it_owns_what_the_database_says_and_keeps_it_while_there_is_no_answer() {
        let mut tenures = Tenures::new("a".into());
        assert_eq!(tenures.held(UNIT), None);
        tenures.took(UNIT, Some(4));
        assert_eq!(tenures.held(UNIT), Some(Fence::Number(4)));
        assert!(tenures.answered(&beat(lease("a", 4, None))).is_empty());
        assert_eq!(tenures.held(UNIT), Some(Fence::Number(4)));
        // It slept, and somebody took it.
        assert!(tenures.answered(&beat(lease("b", 5, None))).is_empty());
        assert_eq!(tenures.held(UNIT), None);
        // The answer to its own taking did not come; the next one says so.
        tenures.answered(&beat(lease("a", 6, None)));
        assert_eq!(tenures.held(UNIT), Some(Fence::Number(6)));
        tenures.took(UNIT, None);
        assert_eq!(tenures.held(UNIT), None, "somebody was quicker");
        tenures.took(UNIT, Some(8));
        tenures.left();
        assert_eq!(tenures.held(UNIT), None);
    }

    #[test]
    fn others_are_told_of_an_owner_that_lives() {
        let held = tenure(UNIT, &beat(lease("b", 5, None))).unwrap();
        assert_eq!((held.owner.address.as_str(), held.fence, held.since_ms), ("b:1", 5, 7));
        assert_eq!(tenure(UNIT, &beat(lease("b", 5, Some(1)))), None, "it ran out");
        assert_eq!(tenure(UNIT, &beat(lease("gone", 5, None))), None, "nobody knows where it is");
    }
}
