//! The rules of a mailbox in memory. Pure: time comes in as unix milliseconds, nothing is copied.
//!
//! Ready items of a priority stand in a row; what is delayed stands in order of time beside it, and so do leases.
//! `redis` has the same rules as scripts; the tests run one suite on both.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use indexmap::IndexMap;

use super::{Bounds, DeadLetter, Depth, Lease, Leased, Nacked, Put, SILENT, STARVED_TAKES};
use crate::protocol::priority::Priority;

/// What is put.
#[derive(Debug, Clone)]
pub struct New<K, T> {
    /// How urgent.
    pub priority: Priority,
    /// Its id.
    pub id: K,
    /// Not handed out before, unix milliseconds.
    pub not_before_ms: u64,
    /// Not handed out from then on, unix milliseconds.
    pub expires_ms: Option<u64>,
    /// How much of the bound on bytes it takes.
    pub bytes: usize,
    /// What it says.
    pub payload: T,
}

#[derive(Debug)]
struct Entry<T> {
    priority: Priority,
    expires_ms: Option<u64>,
    put_ms: u64,
    deliveries: u32,
    bytes: usize,
    /// Token and end of the lease; `None` while it waits.
    lease: Option<(u64, u64)>,
    payload: T,
}

/// A mailbox. Ids are cheap to clone, payloads too: both are shared with whoever takes them.
#[derive(Debug)]
pub struct Core<K, T> {
    bounds: Bounds,
    items: HashMap<K, Entry<T>>,
    ready: [VecDeque<K>; 3],
    /// By time, then in the order in which they came.
    delayed: [BTreeMap<(u64, u64), K>; 3],
    /// By end, then by token.
    leases: BTreeMap<(u64, u64), K>,
    dead: IndexMap<K, DeadLetter<K, T>>,
    /// Takes in a row that passed over a priority that was due.
    passed: [u32; 3],
    bytes: usize,
    next: u64,
    died: u64,
    expired: u64,
}

impl<K: Clone + Eq + Hash, T: Clone> Core<K, T> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            items: HashMap::new(),
            ready: Default::default(),
            delayed: Default::default(),
            leases: BTreeMap::new(),
            dead: IndexMap::new(),
            passed: [0; 3],
            bytes: 0,
            next: 1,
            died: 0,
            expired: 0,
        }
    }

    /// Puts an item.
    pub fn put(&mut self, now_ms: u64, new: New<K, T>) -> Put {
        if self.dead.contains_key(&new.id) {
            return Put::Duplicate;
        }
        let has_room = self.has_room(new.bytes);
        let MapEntry::Vacant(place) = self.items.entry(new.id.clone()) else { return Put::Duplicate };
        if !has_room {
            return Put::Full;
        }
        place.insert(Entry {
            priority: new.priority,
            expires_ms: new.expires_ms,
            put_ms: now_ms,
            deliveries: 0,
            bytes: new.bytes,
            lease: None,
            payload: new.payload,
        });
        self.bytes += new.bytes;
        if new.not_before_ms > now_ms {
            self.delay(new.priority, new.not_before_ms, new.id);
        } else {
            self.ready[new.priority.index()].push_back(new.id);
        }
        Put::Accepted
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.items.len() < self.bounds.items_max && self.bytes.saturating_add(bytes) <= self.bounds.bytes_max
    }

    fn delay(&mut self, priority: Priority, due_ms: u64, id: K) {
        let number = self.number();
        self.delayed[priority.index()].insert((due_ms, number), id);
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Hands out at most `limit` items until `now_ms + visibility_ms`.
    pub fn take(&mut self, now_ms: u64, limit: usize, visibility_ms: u64) -> Vec<Leased<K, T>> {
        self.reclaim(now_ms);
        self.promote(now_ms);
        let until_ms = now_ms.saturating_add(visibility_ms);
        let overdue = self.passed.map(|passed| usize::from(passed + 1 >= STARVED_TAKES));
        let low = overdue[2].min(limit).min(self.ready[2].len());
        let normal = overdue[1].min(limit - low).min(self.ready[1].len());
        let mut taken = Vec::new();
        // What has waited for too long keeps its place behind what is more urgent.
        for (lane, kept_for_others) in [(0, low + normal), (1, low), (2, 0)] {
            let room = limit - taken.len() - kept_for_others.min(limit - taken.len());
            let before = taken.len();
            self.hand_out(lane, now_ms, until_ms, room, &mut taken);
            let passed_over = taken.len() == before && !self.ready[lane].is_empty() && limit > 0;
            self.passed[lane] = if passed_over { self.passed[lane].saturating_add(1) } else { 0 };
        }
        taken
    }

    fn hand_out(
        &mut self,
        lane: usize,
        now_ms: u64,
        until_ms: u64,
        room: usize,
        taken: &mut Vec<Leased<K, T>>,
    ) {
        let begin = taken.len();
        while taken.len() - begin < room {
            let Some(id) = self.ready[lane].pop_front() else { return };
            let token = self.number();
            let Some(entry) = self.items.get_mut(&id) else { continue };
            if entry.expires_ms.is_some_and(|ms| ms <= now_ms) {
                self.bytes -= entry.bytes;
                self.items.remove(&id);
                self.expired += 1;
                continue;
            }
            entry.deliveries += 1;
            entry.lease = Some((token, until_ms));
            let lease = Lease { id: id.clone(), token, bytes: entry.bytes };
            let (priority, deliveries) = (entry.priority, entry.deliveries);
            taken.push(Leased { lease, priority, deliveries, payload: entry.payload.clone() });
            self.leases.insert((until_ms, token), id);
        }
    }

    /// Takes back what nobody acknowledged in time: the oldest lease is handed out first again.
    fn reclaim(&mut self, now_ms: u64) {
        let still_held = self.leases.split_off(&(now_ms.saturating_add(1), 0));
        let over = std::mem::replace(&mut self.leases, still_held);
        for id in over.into_values().rev() {
            self.again(&id, now_ms, 0, SILENT);
        }
    }

    fn promote(&mut self, now_ms: u64) {
        for (delayed, ready) in self.delayed.iter_mut().zip(&mut self.ready) {
            let later = delayed.split_off(&(now_ms.saturating_add(1), 0));
            ready.extend(std::mem::replace(delayed, later).into_values());
        }
    }

    /// The item waits again, or is dead.
    fn again(&mut self, id: &K, now_ms: u64, delay_ms: u64, reason: &str) -> Nacked {
        let Some(entry) = self.items.get_mut(id) else { return Nacked::NotHeld };
        entry.lease = None;
        if entry.deliveries >= self.bounds.deliveries_max {
            self.die(id, now_ms, reason);
            return Nacked::Dead;
        }
        let priority = entry.priority;
        if delay_ms > 0 {
            self.delay(priority, now_ms.saturating_add(delay_ms), id.clone());
        } else {
            self.ready[priority.index()].push_front(id.clone());
        }
        Nacked::Again
    }

    fn die(&mut self, id: &K, now_ms: u64, reason: &str) {
        let Some((id, entry)) = self.items.remove_entry(id) else { return };
        self.bytes -= entry.bytes;
        self.died += 1;
        let Entry { priority, deliveries, payload, .. } = entry;
        let reason = reason.to_owned();
        let letter = DeadLetter { id: id.clone(), priority, deliveries, died_ms: now_ms, reason, payload };
        self.dead.insert(id, letter);
        while self.dead.len() > self.bounds.dead_max {
            self.dead.shift_remove_index(0);
        }
    }

    /// Ends a lease; false when it is not held any more.
    fn give_back(&mut self, lease: &Lease<K>) -> bool {
        let held = self.items.get(&lease.id).and_then(|entry| entry.lease);
        let Some((token, until_ms)) = held.filter(|(token, _)| *token == lease.token) else { return false };
        self.leases.remove(&(until_ms, token));
        true
    }

    /// An item is done; what it said, or `None` when the lease is not held any more.
    pub fn ack(&mut self, lease: &Lease<K>) -> Option<T> {
        if !self.give_back(lease) {
            return None;
        }
        let entry = self.items.remove(&lease.id)?;
        self.bytes -= entry.bytes;
        Some(entry.payload)
    }

    /// Items are not done; what becomes of each.
    pub fn nack(&mut self, now_ms: u64, leases: &[Lease<K>], delay_ms: u64, reason: &str) -> Vec<Nacked> {
        // Those without delay go to the front, so the last one goes first.
        let mut outcomes: Vec<Nacked> = Vec::with_capacity(leases.len());
        for lease in leases.iter().rev() {
            outcomes.push(match self.give_back(lease) {
                true => self.again(&lease.id, now_ms, delay_ms, reason),
                false => Nacked::NotHeld,
            });
        }
        outcomes.reverse();
        outcomes
    }

    /// An item is dead at once; false when the lease is not held any more.
    pub fn bury(&mut self, now_ms: u64, lease: &Lease<K>, reason: &str) -> bool {
        let held = self.give_back(lease);
        if held {
            self.die(&lease.id, now_ms, reason);
        }
        held
    }

    /// A lease lasts until `now_ms + visibility_ms`; false when it is not held any more.
    pub fn extend(&mut self, now_ms: u64, lease: &Lease<K>, visibility_ms: u64) -> bool {
        let held = self.give_back(lease);
        if let Some(entry) = self.items.get_mut(&lease.id).filter(|_| held) {
            let until_ms = now_ms.saturating_add(visibility_ms);
            entry.lease = Some((lease.token, until_ms));
            self.leases.insert((until_ms, lease.token), lease.id.clone());
        }
        held
    }

    /// How much it holds.
    pub fn depth(&self) -> Depth {
        let mut depth = Depth { leased: self.leases.len(), dead: self.dead.len(), ..Depth::default() };
        for (lane, waiting) in depth.waiting.iter_mut().enumerate() {
            *waiting = self.ready[lane].len() + self.delayed[lane].len();
        }
        depth.bytes = self.bytes;
        depth
    }

    /// Dead letters, the oldest first.
    pub fn dead(&self) -> impl Iterator<Item = &DeadLetter<K, T>> {
        self.dead.values()
    }

    /// Dead letters are handed out again; how many. `bytes` says what each takes of the bound.
    pub fn requeue(&mut self, now_ms: u64, ids: &[K], bytes: impl Fn(&T) -> usize) -> usize {
        let mut requeued = 0;
        for id in ids {
            let Some(weight) = self.dead.get(id).map(|dead| bytes(&dead.payload)) else { continue };
            if !self.has_room(weight) {
                break;
            }
            let Some(DeadLetter { id, priority, payload, .. }) = self.dead.shift_remove(id) else { continue };
            let (lease, expires_ms) = (None, None);
            let put_ms = now_ms;
            let entry = Entry { priority, expires_ms, put_ms, deliveries: 0, bytes: weight, lease, payload };
            self.items.insert(id.clone(), entry);
            self.bytes += weight;
            self.ready[priority.index()].push_back(id);
            requeued += 1;
        }
        requeued
    }

    /// When the oldest item was put that waits or is worked on, unix milliseconds. Looks at the first of each row and at
    /// every lease.
    pub fn oldest_ms(&self) -> Option<u64> {
        let rows = self.ready.iter().filter_map(VecDeque::front);
        let delayed = self.delayed.iter().filter_map(|delayed| delayed.values().next());
        let ids = rows.chain(delayed).chain(self.leases.values());
        ids.filter_map(|id| self.items.get(id)).map(|entry| entry.put_ms).min()
    }

    /// Items that died, and items that expired, since the start.
    pub fn losses(&self) -> (u64, u64) {
        (self.died, self.expired)
    }

    /// What it may hold.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }
}
