//! The core in memory against a model that does everything in the plainest way: one list, looked through each time.

use proptest::prelude::*;

use crate::mailbox::core::{Core, New};
use crate::mailbox::{Bounds, Lease, Nacked, Put, SILENT, STARVED_TAKES};
use crate::protocol::priority::Priority;

const BOUNDS: Bounds = Bounds { items_max: 12, bytes_max: 60, deliveries_max: 3, dead_max: 4 };

#[derive(Debug, Clone, Copy)]
enum Step {
    Put { priority: usize, id: u8, delay_ms: u64, ttl_ms: Option<u64>, bytes: usize },
    Take { limit: usize, visibility_ms: u64 },
    Ack(usize),
    Nack { at: usize, delay_ms: u64 },
    Bury(usize),
    Extend { at: usize, visibility_ms: u64 },
    Requeue(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let delay = || prop_oneof![2 => Just(0), 1 => 1u64..60];
    prop_oneof![
        6 => (0usize..3, 0u8..20, delay(), prop::option::weighted(0.2, 1u64..80), 1usize..12).prop_map(
            |(priority, id, delay_ms, ttl_ms, bytes)| Step::Put { priority, id, delay_ms, ttl_ms, bytes }
        ),
        5 => (0usize..4, 1u64..50).prop_map(|(limit, visibility_ms)| Step::Take { limit, visibility_ms }),
        3 => (0usize..8).prop_map(Step::Ack),
        2 => (0usize..8, delay()).prop_map(|(at, delay_ms)| Step::Nack { at, delay_ms }),
        1 => (0usize..8).prop_map(Step::Bury),
        1 => (0usize..8, 1u64..50).prop_map(|(at, visibility_ms)| Step::Extend { at, visibility_ms }),
        1 => (0u8..20).prop_map(Step::Requeue),
        3 => (1u64..40).prop_map(Step::Wait),
    ]
}

/// Where an item of the model is.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// Its rank among the ready ones of its priority.
    Ready(i64),
    Delayed(u64, i64),
    Leased(u64, u64),
    Dead(i64),
}

#[derive(Debug, Clone)]
struct Thing {
    id: u8,
    priority: usize,
    expires_ms: u64,
    bytes: usize,
    deliveries: u32,
    reason: String,
    place: Place,
}

#[derive(Default)]
struct Model {
    things: Vec<Thing>,
    rank: i64,
    passed: [u32; 3],
}

impl Model {
    fn next(&mut self) -> i64 {
        self.rank += 1;
        self.rank
    }

    fn living(&self) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(|thing| !matches!(thing.place, Place::Dead(_)))
    }

    fn fits(&self, bytes: usize) -> bool {
        let held: usize = self.living().map(|thing| thing.bytes).sum();
        self.living().count() < BOUNDS.items_max && held + bytes <= BOUNDS.bytes_max
    }

    fn at(&mut self, id: u8) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.id == id)
    }

    /// A delivery failed.
    fn again(&mut self, id: u8, now_ms: u64, delay_ms: u64, reason: &str) -> Nacked {
        let rank = self.next();
        let Some(thing) = self.at(id) else { return Nacked::NotHeld };
        if thing.deliveries >= BOUNDS.deliveries_max {
            self.kill(id, reason);
            return Nacked::Dead;
        }
        thing.place =
            if delay_ms > 0 { Place::Delayed(now_ms + delay_ms, rank) } else { Place::Ready(-rank) };
        Nacked::Again
    }

    fn kill(&mut self, id: u8, reason: &str) {
        let rank = self.next();
        if let Some(thing) = self.at(id) {
            (thing.place, thing.reason) = (Place::Dead(rank), reason.to_owned());
        }
        while self.dead().len() > BOUNDS.dead_max {
            let oldest = self.dead()[0];
            self.things.retain(|thing| thing.id != oldest);
        }
    }

    fn dead(&self) -> Vec<u8> {
        let ranked = |thing: &Thing| match thing.place {
            Place::Dead(rank) => Some((rank, thing.id)),
            _ => None,
        };
        let mut dead: Vec<_> = self.things.iter().filter_map(ranked).collect();
        dead.sort_unstable();
        dead.into_iter().map(|(_, id)| id).collect()
    }

    fn ready(&self, lane: usize) -> Vec<u8> {
        let ranked = |thing: &Thing| match thing.place {
            Place::Ready(rank) if thing.priority == lane => Some((rank, thing.id)),
            _ => None,
        };
        let mut ready: Vec<_> = self.things.iter().filter_map(ranked).collect();
        ready.sort_unstable();
        ready.into_iter().map(|(_, id)| id).collect()
    }

    /// Lets time pass: leases run out, delays are over.
    fn pass(&mut self, now_ms: u64) {
        let over = |thing: &Thing| match thing.place {
            Place::Leased(until_ms, token) if until_ms <= now_ms => Some((until_ms, token, thing.id)),
            _ => None,
        };
        let mut over: Vec<_> = self.things.iter().filter_map(over).collect();
        over.sort_unstable();
        for (_, _, id) in over.into_iter().rev() {
            self.again(id, now_ms, 0, SILENT);
        }
        let due = |thing: &Thing| match thing.place {
            Place::Delayed(due_ms, rank) if due_ms <= now_ms => Some((due_ms, rank, thing.id)),
            _ => None,
        };
        let mut due: Vec<_> = self.things.iter().filter_map(due).collect();
        due.sort_unstable();
        for (_, _, id) in due {
            let rank = self.next();
            self.at(id).unwrap().place = Place::Ready(rank);
        }
    }

    /// Which ids a take hands out.
    fn take(&mut self, now_ms: u64, limit: usize) -> Vec<u8> {
        self.pass(now_ms);
        let overdue = |lane: usize| self.passed[lane] + 1 >= STARVED_TAKES && !self.ready(lane).is_empty();
        let low = usize::from(overdue(2) && limit > 0);
        let normal = usize::from(overdue(1) && limit > low);
        let mut taken = Vec::new();
        for (lane, kept) in [(0, low + normal), (1, low), (2, 0)] {
            let mut handed = 0;
            for id in self.ready(lane) {
                if taken.len() + kept >= limit {
                    break;
                }
                if self.at(id).unwrap().expires_ms <= now_ms {
                    self.things.retain(|thing| thing.id != id);
                    continue;
                }
                self.at(id).unwrap().place = Place::Leased(u64::MAX, 0);
                taken.push(id);
                handed += 1;
            }
            let passed_over = handed == 0 && limit > 0 && !self.ready(lane).is_empty();
            self.passed[lane] = if passed_over { self.passed[lane] + 1 } else { 0 };
        }
        taken
    }
}

/// Both side by side.
struct Pair {
    core: Core<u8, usize>,
    model: Model,
    now_ms: u64,
    /// Everything that was ever handed out; old leases too.
    held: Vec<Lease<u8>>,
}

impl Pair {
    fn lease(&self, at: usize) -> Option<Lease<u8>> {
        let newest = self.held.len().checked_sub(at + 1)?;
        self.held.get(newest).cloned()
    }

    fn holds(&self, lease: &Lease<u8>) -> bool {
        let held = |thing: &&Thing| matches!(thing.place, Place::Leased(_, token) if token == lease.token);
        self.model.things.iter().find(|thing| thing.id == lease.id).as_ref().is_some_and(held)
    }

    fn put(&mut self, priority: usize, id: u8, delay_ms: u64, ttl_ms: Option<u64>, bytes: usize) {
        let expires_ms = ttl_ms.map(|ttl_ms| self.now_ms + ttl_ms);
        let new = New {
            priority: Priority::ALL[priority],
            id,
            not_before_ms: self.now_ms + delay_ms,
            expires_ms,
            bytes,
            payload: bytes,
        };
        let expected = if self.model.at(id).is_some() {
            Put::Duplicate
        } else if !self.model.fits(bytes) {
            Put::Full
        } else {
            let rank = self.model.next();
            let place =
                if delay_ms > 0 { Place::Delayed(self.now_ms + delay_ms, rank) } else { Place::Ready(rank) };
            let expires_ms = expires_ms.unwrap_or(u64::MAX);
            let (deliveries, reason) = (0, String::new());
            self.model.things.push(Thing { id, priority, expires_ms, bytes, deliveries, reason, place });
            Put::Accepted
        };
        assert_eq!(self.core.put(self.now_ms, new), expected);
    }

    fn take(&mut self, limit: usize, visibility_ms: u64) {
        let expected = self.model.take(self.now_ms, limit);
        let taken = self.core.take(self.now_ms, limit, visibility_ms);
        assert_eq!(taken.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), expected);
        for leased in taken {
            let until_ms = self.now_ms + visibility_ms;
            let thing = self.model.at(leased.lease.id).unwrap();
            thing.deliveries += 1;
            thing.place = Place::Leased(until_ms, leased.lease.token);
            assert_eq!((leased.deliveries, leased.payload), (thing.deliveries, thing.bytes));
            assert_eq!(leased.priority.index(), thing.priority);
            self.held.push(leased.lease);
        }
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Put { priority, id, delay_ms, ttl_ms, bytes } => {
                self.put(priority, id, delay_ms, ttl_ms, bytes);
            }
            Step::Take { limit, visibility_ms } => self.take(limit, visibility_ms),
            Step::Wait(ms) => self.now_ms += ms,
            Step::Ack(at) => {
                let Some(lease) = self.lease(at) else { return };
                let holds = self.holds(&lease);
                assert_eq!(self.core.ack(&lease).is_some(), holds);
                self.model.things.retain(|thing| !(holds && thing.id == lease.id));
            }
            Step::Nack { at, delay_ms } => {
                let Some(lease) = self.lease(at) else { return };
                let expected = match self.holds(&lease) {
                    true => self.model.again(lease.id, self.now_ms, delay_ms, "no"),
                    false => Nacked::NotHeld,
                };
                assert_eq!(self.core.nack(self.now_ms, &[lease], delay_ms, "no"), [expected]);
            }
            Step::Bury(at) => {
                let Some(lease) = self.lease(at) else { return };
                let holds = self.holds(&lease);
                assert_eq!(self.core.bury(self.now_ms, &lease, "never"), holds);
                if holds {
                    self.model.kill(lease.id, "never");
                }
            }
            Step::Extend { at, visibility_ms } => {
                let Some(lease) = self.lease(at) else { return };
                let holds = self.holds(&lease);
                assert_eq!(self.core.extend(self.now_ms, &lease, visibility_ms), holds);
                if holds {
                    let place = Place::Leased(self.now_ms + visibility_ms, lease.token);
                    self.model.at(lease.id).unwrap().place = place;
                }
            }
            Step::Requeue(id) => self.requeue(id),
        }
    }

    fn requeue(&mut self, id: u8) {
        let is_dead = self.model.dead().contains(&id);
        let bytes = self.model.at(id).map_or(0, |thing| thing.bytes);
        let expected = is_dead && self.model.fits(bytes);
        assert_eq!(self.core.requeue(self.now_ms, &[id], |bytes| *bytes), usize::from(expected));
        if expected {
            let rank = self.model.next();
            let thing = self.model.at(id).unwrap();
            (thing.place, thing.deliveries, thing.expires_ms) = (Place::Ready(rank), 0, u64::MAX);
        }
    }

    fn compare(&self) {
        let depth = self.core.depth();
        let waits = |thing: &&Thing| matches!(thing.place, Place::Ready(_) | Place::Delayed(..));
        for lane in 0..3 {
            let waiting = self.model.things.iter().filter(waits).filter(|thing| thing.priority == lane);
            assert_eq!(depth.waiting[lane], waiting.count());
        }
        assert_eq!(depth.bytes, self.model.living().map(|thing| thing.bytes).sum::<usize>());
        assert_eq!(depth.items(), self.model.living().count());
        assert!(depth.items() <= BOUNDS.items_max && depth.bytes <= BOUNDS.bytes_max);
        let dead: Vec<(u8, String)> = self.core.dead().map(|dead| (dead.id, dead.reason.clone())).collect();
        let reason = |id: &u8| self.model.things.iter().find(|thing| thing.id == *id).unwrap().reason.clone();
        let expected: Vec<(u8, String)> = self.model.dead().iter().map(|id| (*id, reason(id))).collect();
        assert_eq!(dead, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_core_does_what_the_model_does(steps in prop::collection::vec(step(), 0..150)) {
        let mut pair = Pair { core: Core::new(BOUNDS), model: Model::default(), now_ms: 1_000, held: Vec::new() };
        for step in steps {
            pair.carry_out(step);
            pair.compare();
        }
    }

    /// Whatever is put besides, the first low item is out by its take, the first normal one by one later.
    #[test]
    fn nothing_that_is_due_is_starved(
        limit in 1usize..4, urgent in prop::collection::vec((0usize..3, 0usize..4), 40)
    ) {
        let bounds = Bounds { items_max: 1_000, bytes_max: 1_000, ..BOUNDS };
        let mut core: Core<usize, ()> = Core::new(bounds);
        let put = |core: &mut Core<usize, ()>, lane: usize, id: usize| {
            let priority = Priority::ALL[lane];
            let new = New { priority, id, not_before_ms: 0, expires_ms: None, bytes: 0, payload: () };
            prop_assert_eq!(core.put(1, new), Put::Accepted);
            Ok(())
        };
        put(&mut core, 2, 0)?;
        put(&mut core, 1, 1)?;
        let (mut next, mut taken, mut takes) = (2, Vec::new(), 0);
        for (lane, count) in urgent {
            for _ in 0..count.max(limit) {
                put(&mut core, if count == 0 { 0 } else { lane }, next)?;
                next += 1;
            }
            taken.extend(core.take(1, limit, 1_000).into_iter().map(|leased| leased.lease.id));
            takes += 1;
            prop_assert!(takes < STARVED_TAKES || taken.contains(&0), "low after {} takes", takes);
            prop_assert!(takes <= STARVED_TAKES || taken.contains(&1), "normal after {} takes", takes);
        }
    }
}
