//! The directory of rooms as several hub nodes share it: what of it is this node's, and what others have.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::actor::TellUntold;
use super::ledger::Found;
use super::membership::Membership;
use super::presence::Presence;
use super::rooms::{ROOMS_MAX, Room, Rooms};
use super::word::Entry;
use crate::ids::{RoomName, TopicName};
use crate::telemetry::{Cause, Counter};

/// Members by other nodes that are kept in memory; further ones are not shown.
const OTHERS_MAX: usize = 500_000;

/// By which node which client is in.
type Seats = HashSet<(Arc<str>, Arc<str>)>;

impl Rooms {
    /// Somebody who is in by this node, as others are told.
    pub(super) fn own_of(&self, room: &RoomName, client_id: &str) -> Option<Entry> {
        let rooms = self.0.rooms.read();
        let membership = rooms.get(room)?.membership.lock();
        membership.own_of(client_id).map(|(member, at_ms)| Entry::of(member, at_ms))
    }

    /// All who are in a room by this node.
    pub(super) fn own_in(&self, room: &RoomName) -> Vec<(Arc<str>, Entry)> {
        let rooms = self.0.rooms.read();
        let Some(room) = rooms.get(room) else { return Vec::new() };
        let membership = room.membership.lock();
        membership.own().map(|(member, at_ms)| (member.client_id.clone(), Entry::of(member, at_ms))).collect()
    }

    /// Rooms in which somebody is by this node.
    pub(super) fn own_rooms(&self) -> Vec<RoomName> {
        let rooms = self.0.rooms.read();
        let occupied = rooms.iter().filter(|(_, room)| room.membership.lock().own().next().is_some());
        occupied.map(|(name, _)| name.clone()).collect()
    }

    /// Whether somebody is in by another node.
    pub(super) fn has_others(&self, room: &RoomName) -> bool {
        self.0.rooms.read().get(room).is_some_and(|room| room.membership.lock().has_others())
    }

    /// Whether no more members by other nodes are taken in: `room`, or any that is not known.
    pub(super) fn turns_away(&self, presence: &Presence, room: Option<&RoomName>) -> bool {
        let members = presence.peers().members();
        let rooms = self.0.rooms.read();
        let is_known = room.is_some_and(|room| rooms.contains_key(room));
        members >= OTHERS_MAX || (!is_known && rooms.len() >= ROOMS_MAX)
    }

    /// Somebody is in by another node, or not any more.
    pub(super) fn take_in(
        &self,
        presence: &Presence,
        room: &RoomName,
        instance: &Arc<str>,
        client_id: &Arc<str>,
        entry: Option<Entry>,
    ) {
        match entry {
            Some(_) if self.turns_away(presence, Some(room)) => {
                Counter::Dropped.add_for("presence", 1);
            }
            Some(entry) => {
                let at_ms = entry.at_ms;
                let member = entry.member(client_id.clone());
                self.change(room, |membership| {
                    if membership.set_other(instance, member, at_ms) {
                        presence.peers().add(instance);
                    }
                });
            }
            None if self.0.rooms.read().contains_key(room) => self.change(room, |membership| {
                if membership.drop_other(instance, client_id) {
                    presence.peers().take(instance, 1);
                }
            }),
            None => {}
        }
    }

    /// What Redis has of other nodes is taken in. `exactly`: who is not in there is out.
    pub(super) fn reconcile(&self, presence: &Presence, found: Vec<(RoomName, Vec<Found>)>, exactly: bool) {
        let mut known: BTreeMap<RoomName, Seats> = BTreeMap::new();
        for (room, members) in found {
            let known = known.entry(room.clone()).or_default();
            for Found { instance, client_id, entry, left_ms: _ } in members {
                self.take_in(presence, &room, &instance, &client_id, Some(entry));
                known.insert((instance, client_id));
            }
        }
        if exactly {
            let nobody = Seats::new();
            self.drop_nodes(
                presence,
                |_| true,
                |room, instance, client_id| {
                    let known = known.get(room).unwrap_or(&nobody);
                    known.contains(&(Arc::from(instance), Arc::from(client_id)))
                },
            );
        }
    }

    /// These nodes are not believed any more.
    pub(super) fn nodes_are_gone(&self, presence: &Presence, gone: &[Arc<str>]) {
        self.drop_nodes(presence, |instance| gone.iter().any(|known| **known == *instance), |_, _, _| false);
        gone.iter().for_each(|instance| presence.peers().forget(instance));
    }

    fn drop_nodes(
        &self,
        presence: &Presence,
        is_over: impl Fn(&str) -> bool,
        kept: impl Fn(&RoomName, &str, &str) -> bool,
    ) {
        let names: Vec<RoomName> = self.0.rooms.read().keys().cloned().collect();
        for room in names.iter().filter(|room| self.has_others(room)) {
            self.change(room, |membership| {
                for (instance, count) in
                    membership.drop_nodes(&is_over, |instance, client_id| kept(room, instance, client_id))
                {
                    presence.peers().take(&instance, count);
                }
            });
        }
    }

    /// Changes who is in a room by other nodes, and has the members told.
    fn change(&self, name: &RoomName, change: impl FnOnce(&mut Membership)) {
        let mut rooms = self.0.rooms.write();
        let room = rooms.entry(name.clone()).or_insert_with(Room::quiet);
        change(&mut room.membership.lock());
        if !room.membership.lock().owes() {
            return;
        }
        let is_heard = room.inbox.is_some() || self.0.broker.find(&TopicName::of_room(name)).is_some();
        if !is_heard {
            // Nobody is here to be told.
            return room.membership.lock().told();
        }
        let inbox = self.open(&mut rooms, name);
        // A room that is overloaded tells with the next change.
        if inbox.is_ok_and(|inbox| inbox.try_send(TellUntold, &Cause::own()).is_err()) {
            tracing::debug!(room = %name, "members are told later");
        }
    }
}
