//! Who is in a room, by this hub node or others, who is away for a moment, and what of it the members have not been told.
//! Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::place::{Own, Place};
use crate::topic::Member;

/// One member.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RoomMember {
    /// The session's name.
    #[schema(value_type = String)]
    pub client_id: Arc<str>,
    /// Who it is.
    #[schema(value_type = String)]
    pub subject: Arc<str>,
    /// What it shows of itself; null when nothing.
    #[schema(value_type = Option<Object>)]
    pub info: Option<Arc<RawValue>>,
    /// Since when, RFC 3339.
    pub since: String,
}

impl RoomMember {
    /// Whether others see the same person that shows the same.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        let shown = |member: &Self| member.info.as_ref().map(|info| info.get().to_owned());
        self.subject == other.subject && shown(self) == shown(other)
    }
}

/// The connection by which somebody is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seated {
    /// Index of its worker.
    pub worker: usize,
    /// Its place there.
    pub member: Member,
}

/// What a join was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// Was not in.
    Newly,
    /// Was in, and shows something else of itself.
    Changed,
    /// Was in.
    Again,
}

/// Members as answers list them.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Members {
    /// By client id; the first ones when there are more than an answer lists.
    pub members: Vec<RoomMember>,
    /// How many are in.
    pub total: usize,
    /// Whether there are more than are listed.
    pub truncated: bool,
}

/// What changed since the members were last told.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// Who came, or shows something else of itself.
    pub joined: Vec<RoomMember>,
    /// Client ids of who went.
    pub left: Vec<Arc<str>>,
    /// How many are in.
    pub total: usize,
    /// Whether more changed than is listed.
    pub truncated: bool,
}

/// What the members are to be told one by one.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// Who came, or shows something else of itself.
    pub(super) joined: Vec<(RoomMember, Joined)>,
    /// Who went.
    pub(super) left: Vec<RoomMember>,
}

/// The members of one room.
#[derive(Debug, Default)]
pub struct Membership {
    places: BTreeMap<Arc<str>, Place>,
    /// Members by other nodes; who is in by two of them counts twice.
    by_others: usize,
    occupied_since: Option<String>,
    /// Other programs were told that somebody is in.
    told_occupied: bool,
    /// Came and were not told of; true when they had been before.
    untold_joins: BTreeMap<Arc<str>, bool>,
    untold_leaves: BTreeMap<Arc<str>, RoomMember>,
}

impl Membership {
    /// Lets somebody in by a connection, now in unix milliseconds; what that was, and the member as it is now. Who is in
    /// already keeps its time, also when it was away, or is in by another node.
    pub fn join(&mut self, member: RoomMember, seated: Seated, now_ms: u64) -> (Joined, RoomMember) {
        let Some(place) = self.places.get_mut(&member.client_id) else {
            self.occupied_since.get_or_insert_with(|| member.since.clone());
            let own = Own { member: member.clone(), at_ms: now_ms, seated, away_since_ms: None };
            self.places.insert(member.client_id.clone(), Place::of_own(own));
            return (Joined::Newly, member);
        };
        let member = RoomMember { since: place.shown().since.clone(), ..member };
        let before = place.own().filter(|own| own.member.shows_the_same(&member));
        // Whoever came last came last, whatever clock the other node has.
        let at_ms = before.map_or(now_ms.max(place.shown_at_ms() + 1), |own| own.at_ms);
        let changed = place.set_own(Some(Own { member, at_ms, seated, away_since_ms: None }));
        (if changed { Joined::Changed } else { Joined::Again }, place.shown().clone())
    }

    /// Lets out who is in by this connection; `None` when nobody is, as after another connection joined, or when it is
    /// still in by another node.
    pub fn leave(&mut self, client_id: &str, seated: Seated) -> Option<RoomMember> {
        self.places.get(client_id)?.own().filter(|own| own.seated == seated)?;
        self.remove_own(client_id)
    }

    fn remove_own(&mut self, client_id: &str) -> Option<RoomMember> {
        let place = self.places.get_mut(client_id)?;
        let changed = place.set_own(None);
        self.settle(client_id, changed)
    }

    /// A place has lost something: is it still one?
    fn settle(&mut self, client_id: &str, changed: bool) -> Option<RoomMember> {
        let place = self.places.get(client_id)?;
        if !place.is_empty() {
            if changed {
                let client_id = place.shown().client_id.clone();
                self.owe_join(&client_id, Joined::Changed);
            }
            return None;
        }
        let place = self.places.remove(client_id)?;
        if self.places.is_empty() {
            self.occupied_since = None;
        }
        Some(place.shown().clone())
    }

    /// The connection is lost: who was in by it stays for the time being. False when nobody was.
    pub fn lose(&mut self, client_id: &str, seated: Seated, now_ms: u64) -> bool {
        let own = self.places.get_mut(client_id).and_then(Place::own_mut).filter(|own| own.seated == seated);
        own.map(|own| own.away_since_ms = Some(now_ms)).is_some()
    }

    /// Lets out who has been away for `grace_ms`: the client ids, with who is in by no other node either.
    pub fn expire(&mut self, now_ms: u64, grace_ms: u64) -> Vec<(Option<RoomMember>, Arc<str>)> {
        let away_since_ms = |place: &Place| place.own()?.away_since_ms;
        let is_over =
            |place: &Place| away_since_ms(place).is_some_and(|ms| ms.saturating_add(grace_ms) <= now_ms);
        let over = self.places.iter().filter(|(_, place)| is_over(place));
        let over: Vec<Arc<str>> = over.map(|(client_id, _)| client_id.clone()).collect();
        over.into_iter().map(|client_id| (self.remove_own(&client_id), client_id)).collect()
    }

    /// Since when who is away longest is away, monotonic milliseconds.
    pub fn away_since_ms(&self) -> Option<u64> {
        self.places.values().filter_map(|place| place.own()?.away_since_ms).min()
    }

    /// Another node has somebody in, in the state of that unix millisecond; the members are owed what changed by it.
    /// True when it was not in by that node.
    pub fn set_other(&mut self, instance: &Arc<str>, member: RoomMember, at_ms: u64) -> bool {
        let client_id = member.client_id.clone();
        let Some(place) = self.places.get_mut(&client_id) else {
            self.occupied_since.get_or_insert_with(|| member.since.clone());
            self.places.insert(client_id.clone(), Place::of_other(instance.clone(), member, at_ms));
            self.by_others += 1;
            self.owe_join(&client_id, Joined::Newly);
            return true;
        };
        let is_new = place.instances().all(|known| known != instance);
        if place.set_other(instance, member, at_ms) {
            self.owe_join(&client_id, Joined::Changed);
        }
        self.by_others += usize::from(is_new);
        is_new
    }

    /// Somebody is not in by another node any more; the members are owed what changed by it. True when it was.
    pub fn drop_other(&mut self, instance: &str, client_id: &str) -> bool {
        self.drop_others(client_id, |known| known == instance) > 0
    }

    /// Nobody is in by these nodes any more, but for those who are `kept`; the members are owed what changed by it.
    /// How many were, by node.
    pub fn drop_nodes(
        &mut self,
        is_over: impl Fn(&str) -> bool,
        kept: impl Fn(&str, &str) -> bool,
    ) -> Vec<(Arc<str>, usize)> {
        let is_out = |instance: &str, client_id: &str| is_over(instance) && !kept(instance, client_id);
        let mut out: Vec<Arc<str>> = Vec::new();
        let mut counts: Vec<(Arc<str>, usize)> = Vec::new();
        for (client_id, place) in &self.places {
            for instance in place.instances().filter(|instance| is_out(instance, client_id)) {
                match counts.iter_mut().find(|(known, _)| known == instance) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((instance.clone(), 1)),
                }
                out.push(client_id.clone());
            }
        }
        out.dedup();
        for client_id in out {
            self.drop_others(&client_id, |instance| is_out(instance, &client_id));
        }
        counts
    }

    fn drop_others(&mut self, client_id: &str, is_over: impl Fn(&str) -> bool) -> usize {
        let Some(place) = self.places.get_mut(client_id) else { return 0 };
        let before = place.instances().count();
        let changed = place.drop_others(is_over);
        let dropped = before - place.instances().count();
        self.by_others -= dropped;
        if dropped > 0
            && let Some(left) = self.settle(client_id, changed)
        {
            self.owe_leave(&left);
        }
        dropped
    }

    /// Who is in by this node, in the state of which unix millisecond.
    pub fn own(&self) -> impl Iterator<Item = (&RoomMember, u64)> {
        self.places.values().filter_map(Place::own).map(|own| (&own.member, own.at_ms))
    }

    /// The same of one client.
    pub fn own_of(&self, client_id: &str) -> Option<(&RoomMember, u64)> {
        self.places.get(client_id)?.own().map(|own| (&own.member, own.at_ms))
    }

    /// Whether somebody is in by another node.
    pub fn has_others(&self) -> bool {
        self.by_others > 0
    }

    /// Notes that the members are not told of a join yet.
    pub fn owe_join(&mut self, client_id: &Arc<str>, joined: Joined) {
        let was_in = self.untold_leaves.remove(client_id).is_some() || joined != Joined::Newly;
        self.untold_joins.entry(client_id.clone()).or_insert(was_in);
    }

    /// Notes that the members are not told of a leave yet.
    pub fn owe_leave(&mut self, member: &RoomMember) {
        // Who came and went in between was never here.
        if self.untold_joins.remove(&member.client_id) != Some(false) {
            self.untold_leaves.insert(member.client_id.clone(), member.clone());
        }
    }

    /// What the members are not told yet, to be told one by one; from now on they are told.
    pub(super) fn take_untold(&mut self) -> Untold {
        let joined = std::mem::take(&mut self.untold_joins).into_iter();
        let joined = joined.filter_map(|(client_id, was_in)| {
            let joined = if was_in { Joined::Changed } else { Joined::Newly };
            Some((self.places.get(&client_id)?.shown().clone(), joined))
        });
        let joined = joined.collect();
        Untold { joined, left: std::mem::take(&mut self.untold_leaves).into_values().collect() }
    }

    /// What the members are not told yet, at most `shown_max` of each; `None` when nothing.
    pub fn diff(&self, shown_max: usize) -> Option<Diff> {
        if !self.owes() {
            return None;
        }
        let joined = self.untold_joins.keys().filter_map(|client_id| self.places.get(client_id));
        Some(Diff {
            joined: joined.take(shown_max).map(|place| place.shown().clone()).collect(),
            left: self.untold_leaves.keys().take(shown_max).cloned().collect(),
            total: self.places.len(),
            truncated: self.untold_joins.len().max(self.untold_leaves.len()) > shown_max,
        })
    }

    /// Whether the members are to be told something.
    pub fn owes(&self) -> bool {
        !(self.untold_joins.is_empty() && self.untold_leaves.is_empty())
    }

    /// The members are told.
    pub fn told(&mut self) {
        self.untold_joins.clear();
        self.untold_leaves.clear();
    }

    /// The first `shown_max` members.
    pub fn members(&self, shown_max: usize) -> Members {
        let total = self.places.len();
        let members = self.places.values().take(shown_max).map(|place| place.shown().clone()).collect();
        Members { members, total, truncated: total > shown_max }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether somebody is in, when other programs were told otherwise; from now on they were told.
    pub fn take_occupancy(&mut self) -> Option<bool> {
        let occupied = !self.is_empty();
        (std::mem::replace(&mut self.told_occupied, occupied) != occupied).then_some(occupied)
    }

    /// Since when somebody has been in, RFC 3339.
    pub fn occupied_since(&self) -> Option<&str> {
        self.occupied_since.as_deref()
    }
}

#[cfg(test)]
mod tests;
