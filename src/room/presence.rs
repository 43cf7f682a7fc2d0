//! Who is in rooms over all hub nodes: tells the others who is in by this one, and hears who is in by them.
//!
//! What changes here goes to Redis (`ledger`), then to the other nodes as a notice. Each node has the members of all in
//! memory, so that nobody who asks waits. What could be missed is found again: a node says how many members it has
//! whenever it refreshes them, and whoever counts differently reads them all. While Redis is gone, others are shown as long
//! as they are believed, then this node's own alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::ledger::{Ledger, MEMBERS_PER_CALL, Say, Tell, Times};
use super::peers::Peers;
use super::rooms::Rooms;
use super::word::{Change, Entry, Word};
use crate::clock::Clock;
use crate::engine::{Carrier, EngineError, Notice};
use crate::ids::RoomName;
use crate::webhook::{Event, Webhooks};

/// The kind of notices.
const NOTICES: &str = "rooms";

/// Words of other nodes that wait; when there are more, all is read again.
const HEARD_MAX: usize = 4_096;

/// Changes that wait to be told; when there are more, all members are gone through.
const DIRTY_MAX: usize = 65_536;

/// Changes in one notice.
const CHANGES_PER_NOTICE: usize = 200;

/// Rooms that are settled at once, and lapsed ones that are looked at.
const ROOMS_AT_ONCE: usize = 16;

/// A node that lost its line to Redis is given so long to tell again who is in by it, in milliseconds.
const TELL_AGAIN_MS: u64 = 5_000;

/// What other nodes were told of this one.
#[derive(Default)]
struct Told {
    members: BTreeMap<RoomName, BTreeSet<Arc<str>>>,
    count: usize,
    refreshed_ms: Option<u64>,
}

impl Told {
    fn note(&mut self, room: &RoomName, say: &Say) {
        let members = self.members.entry(room.clone()).or_default();
        for (client_id, _) in &say.put {
            self.count += usize::from(members.insert(client_id.clone()));
        }
        for client_id in &say.out {
            self.count -= usize::from(members.remove(client_id));
        }
        if members.is_empty() {
            self.members.remove(room);
        }
    }
}

/// The way to the other nodes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Presence(Arc<Shared>);

struct Shared {
    carrier: Carrier,
    ledger: Ledger,
    instance: Arc<str>,
    webhooks: Webhooks,
    clock: Clock,
    ttl_ms: u64,
    /// Not told yet.
    dirty: Mutex<BTreeSet<(RoomName, Arc<str>)>>,
    /// All members are to be gone through.
    all_dirty: AtomicBool,
    wake: Notify,
    heard: tokio::sync::Mutex<mpsc::Receiver<Word>>,
    told: tokio::sync::Mutex<Told>,
    peers: Mutex<Peers>,
    /// Words may not have come.
    missed: Arc<AtomicBool>,
}

impl Presence {
    /// The way through that carrier.
    pub(super) fn new(carrier: Carrier, webhooks: Webhooks, clock: Clock, ttl_ms: u64) -> Self {
        let (hear, heard) = mpsc::channel(HEARD_MAX);
        let missed = Arc::new(AtomicBool::new(true));
        let may_miss = missed.clone();
        carrier.hear(
            NOTICES,
            Box::new(move |notice| match notice {
                Notice::Said(text) => {
                    if Word::parse(text).is_some_and(|word| hear.try_send(word).is_err()) {
                        may_miss.store(true, Ordering::Relaxed);
                    }
                }
                Notice::Missed => may_miss.store(true, Ordering::Relaxed),
            }),
        );
        let instance: Arc<str> = carrier.instance().into();
        Self(Arc::new(Shared {
            ledger: Ledger::new(carrier.redis().clone(), instance.clone()),
            carrier,
            instance,
            webhooks,
            clock,
            ttl_ms,
            dirty: Mutex::default(),
            all_dirty: AtomicBool::new(false),
            wake: Notify::new(),
            heard: tokio::sync::Mutex::new(heard),
            told: tokio::sync::Mutex::default(),
            peers: Mutex::default(),
            missed,
        }))
    }

    /// Somebody came or went by this node, or shows something else.
    pub(super) fn changed(&self, room: &RoomName, client_id: &Arc<str>) {
        let mut dirty = self.0.dirty.lock();
        if dirty.len() < DIRTY_MAX {
            dirty.insert((room.clone(), client_id.clone()));
        } else {
            self.tell_all();
        }
        drop(dirty);
        self.0.wake.notify_one();
    }

    fn tell_all(&self) {
        self.0.all_dirty.store(true, Ordering::Relaxed);
    }

    pub(super) fn peers(&self) -> parking_lot::MutexGuard<'_, Peers> {
        self.0.peers.lock()
    }

    /// Until when who is heard now is believed, monotonic milliseconds.
    fn believed_until_ms(&self) -> u64 {
        self.0.clock.monotonic_ms() + self.believed_ms()
    }

    /// A little less than Redis keeps anything: what is gone everywhere is gone here too.
    fn believed_ms(&self) -> u64 {
        self.0.ttl_ms * 55 / 60
    }

    fn refresh_ms(&self) -> u64 {
        self.0.ttl_ms * 25 / 60
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(self.0.ttl_ms / 60)
    }

    fn times(&self) -> Times {
        Times { believed_ms: self.believed_ms(), kept_ms: self.0.ttl_ms }
    }

    /// Tells and hears, for ever. One caller at a time.
    pub(super) async fn run(&self, rooms: &Rooms) {
        tokio::join!(self.keep_telling(rooms), self.keep_hearing(rooms));
    }

    async fn keep_telling(&self, rooms: &Rooms) {
        let mut ways = self.0.carrier.ways();
        loop {
            let is_look = tokio::select! {
                () = self.0.wake.notified() => false,
                () = tokio::time::sleep(self.pause()) => true,
            };
            if !ways.borrow_and_update().is_up {
                // What changes meanwhile is found when all members are gone through.
                self.tell_all();
                self.0.dirty.lock().clear();
                continue;
            }
            if let Err(error) = self.tell(rooms, is_look).await {
                tracing::debug!(%error, "other nodes are not told who is in rooms");
                self.tell_all();
                tokio::time::sleep(self.pause()).await;
            }
        }
    }

    /// Tells what is not told. `is_look`: and looks at what other nodes left behind.
    async fn tell(&self, rooms: &Rooms, is_look: bool) -> Result<(), EngineError> {
        let mut told = self.0.told.lock().await;
        let now_ms = self.0.clock.monotonic_ms();
        let is_due = told.refreshed_ms.is_none_or(|ms| now_ms >= ms.saturating_add(self.refresh_ms()));
        if self.0.all_dirty.swap(false, Ordering::Relaxed) || is_due {
            self.refresh(rooms, &mut told, self.times()).await?;
            told.refreshed_ms = Some(now_ms);
            let members = Some(told.count);
            self.say(Word { members, ..Word::default() });
        }
        if is_look {
            self.look_after_lapsed(rooms, &told).await?;
        }
        let dirty = std::mem::take(&mut *self.0.dirty.lock());
        let mut says: BTreeMap<RoomName, Say> = BTreeMap::new();
        for (room, client_id) in dirty {
            let entry = rooms.own_of(&room, &client_id);
            let say = says.entry(room).or_default();
            match entry {
                Some(entry) => say.put.push((client_id, entry)),
                None => say.out.push(client_id),
            }
        }
        self.settle(rooms, &mut told, says, self.times(), |_, _| true).await
    }

    /// Tells again who is in by this node, and of those who were told and are not any more. Other nodes are told of what is
    /// new to them.
    async fn refresh(&self, rooms: &Rooms, told: &mut Told, times: Times) -> Result<(), EngineError> {
        self.0.dirty.lock().clear();
        let known: BTreeMap<RoomName, BTreeSet<Arc<str>>> = told.members.clone();
        let names: BTreeSet<RoomName> = rooms.own_rooms().into_iter().chain(known.keys().cloned()).collect();
        let mut says: BTreeMap<RoomName, Say> = BTreeMap::new();
        for room in names {
            let put = rooms.own_in(&room);
            let out: Vec<Arc<str>> = {
                let is_in: HashSet<&Arc<str>> = put.iter().map(|(client_id, _)| client_id).collect();
                let known = known.get(&room).into_iter().flatten();
                known.filter(|client_id| !is_in.contains(client_id)).cloned().collect()
            };
            says.insert(room, Say { put, out, purge: true, ..Say::default() });
        }
        let is_new = |room: &RoomName, client_id: &Arc<str>| {
            known.get(room).is_none_or(|members| !members.contains(client_id))
        };
        self.settle(rooms, told, says, times, is_new).await
    }

    /// Takes what is to be said to Redis, then says what is new to the other nodes.
    async fn settle(
        &self,
        rooms: &Rooms,
        told: &mut Told,
        says: BTreeMap<RoomName, Say>,
        times: Times,
        is_new: impl Fn(&RoomName, &Arc<str>) -> bool,
    ) -> Result<(), EngineError> {
        let mut calls: Vec<(RoomName, Say)> = Vec::new();
        for (room, mut say) in says {
            say.is_alone = !rooms.has_others(&room);
            say.was_occupied = told.members.contains_key(&room) || !say.is_alone;
            while say.put.len() > MEMBERS_PER_CALL {
                let put = say.put.split_off(say.put.len() - MEMBERS_PER_CALL);
                let Say { was_occupied, is_alone, .. } = say;
                calls.push((room.clone(), Say { put, was_occupied, is_alone, ..Say::default() }));
            }
            calls.push((room, say));
        }
        let mut changes = Vec::new();
        for some in calls.chunks(ROOMS_AT_ONCE) {
            let settled = some.iter().map(|(room, say)| self.0.ledger.settle(room, say, times));
            for ((room, say), settled) in some.iter().zip(join_all(settled).await) {
                let (tell, _) = settled?;
                told.note(room, say);
                self.tell_occupancy(room, tell, say);
                let put = say.put.iter().filter(|(client_id, _)| is_new(room, client_id));
                changes.extend(put.map(|(client_id, entry)| change(room, client_id, Some(entry.clone()))));
                changes.extend(say.out.iter().map(|client_id| change(room, client_id, None)));
            }
        }
        while !changes.is_empty() {
            let rest = changes.split_off(changes.len().min(CHANGES_PER_NOTICE));
            self.say(Word { changes, ..Word::default() });
            changes = rest;
        }
        Ok(())
    }

    fn tell_occupancy(&self, room: &RoomName, tell: Tell, say: &Say) {
        let client_id = say.put.first().map(|(client_id, _)| client_id).or(say.out.first());
        let (room, client_id) = (room.as_str(), client_id.map_or("", |client_id| client_id));
        match tell {
            Tell::Occupied => self.0.webhooks.tell(&Event::RoomOccupied { room, client_id }),
            Tell::Vacated => self.0.webhooks.tell(&Event::RoomVacated { room, client_id }),
            Tell::Nothing => {}
        }
    }

    fn say(&self, word: Word) {
        let word = Word { from: self.0.instance.to_string(), ..word };
        self.0.carrier.say(NOTICES, word.text());
    }

    /// Rooms whose last members are gone with their nodes.
    async fn look_after_lapsed(&self, rooms: &Rooms, told: &Told) -> Result<(), EngineError> {
        for (room, until) in self.0.ledger.lapsed(ROOMS_AT_ONCE).await? {
            let was_occupied = told.members.contains_key(&room) || rooms.has_others(&room);
            let say = Say { was_occupied, purge: true, ..Say::default() };
            let (tell, members) = self.0.ledger.settle(&room, &say, self.times()).await?;
            self.tell_occupancy(&room, tell, &say);
            if members == 0 {
                self.0.ledger.forget(&room, &until).await?;
            }
        }
        Ok(())
    }

    async fn keep_hearing(&self, rooms: &Rooms) {
        let mut heard = self.0.heard.lock().await;
        let mut read_again_ms = None;
        loop {
            let now_ms = self.0.clock.monotonic_ms();
            if self.0.missed.swap(false, Ordering::Relaxed) {
                // At once for who came; who is not there may only not have told it again yet.
                self.tell_all();
                self.0.wake.notify_one();
                self.read(rooms, false).await;
                read_again_ms = Some(now_ms + TELL_AGAIN_MS);
            }
            if read_again_ms.is_some_and(|ms| ms <= now_ms) {
                read_again_ms = None;
                self.read(rooms, true).await;
            }
            let over = self.peers().look(now_ms);
            if !over.is_empty() {
                rooms.nodes_are_gone(self, &over);
            }
            tokio::select! {
                Some(word) = heard.recv() => {
                    if self.hear(rooms, word) {
                        read_again_ms = read_again_ms.or(Some(now_ms));
                    }
                }
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// Takes in what another node says. True when it has other members than are known here.
    fn hear(&self, rooms: &Rooms, word: Word) -> bool {
        let from: Arc<str> = word.from.into();
        self.peers().believe(&from, self.believed_until_ms());
        for change in word.changes {
            if let Some(room) = change.room() {
                rooms.take_in(self, &room, &from, &change.client_id, change.member);
            }
        }
        if let Some(ends_in_ms) = word.ends_in_ms {
            self.peers().end(&from, self.0.clock.monotonic_ms() + ends_in_ms);
        }
        let known = self.peers().members_of(&from);
        word.members.is_some_and(|members| members != known) && !rooms.turns_away(self, None)
    }

    /// Reads who is in by other nodes. `exactly`: who is not found is out.
    async fn read(&self, rooms: &Rooms, exactly: bool) {
        match self.0.ledger.read().await {
            Ok(found) => {
                let now_ms = self.0.clock.monotonic_ms();
                for one in found.iter().flat_map(|(_, members)| members) {
                    self.peers().believe(&one.instance, now_ms + one.left_ms);
                }
                rooms.reconcile(self, found, exactly);
            }
            Err(error) => {
                tracing::debug!(%error, "who is in rooms by other nodes is not read");
                // The line will be made again, or the next count differs.
                self.0.missed.store(!error.is_outage(), Ordering::Relaxed);
            }
        }
    }

    /// This node ends: who is in by it has so long to come elsewhere, in milliseconds.
    pub(super) async fn end(&self, rooms: &Rooms, grace_ms: u64) -> Result<(), EngineError> {
        let mut told = self.0.told.lock().await;
        if !self.0.carrier.way().is_up {
            return Ok(());
        }
        let times = Times { believed_ms: grace_ms, ..self.times() };
        self.refresh(rooms, &mut told, times).await?;
        told.refreshed_ms = Some(u64::MAX);
        let from = self.0.instance.to_string();
        let word = Word { from, ends_in_ms: Some(grace_ms), ..Word::default() }.text();
        let others = self.peers().instances();
        for other in others {
            // At once: what is said otherwise may not go out any more.
            self.0.carrier.notify_node(&other, NOTICES, &word).await?;
        }
        Ok(())
    }
}

fn change(room: &RoomName, client_id: &Arc<str>, member: Option<Entry>) -> Change {
    Change { room: room.to_string(), client_id: client_id.clone(), member }
}
