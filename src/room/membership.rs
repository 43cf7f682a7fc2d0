//! Who is in a room, who is away for a moment, and what of it the members have not been told. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

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

#[derive(Debug)]
struct Place {
    member: RoomMember,
    seated: Seated,
    /// Since when its connection is lost, monotonic milliseconds.
    away_since_ms: Option<u64>,
}

/// The members of one room.
#[derive(Debug, Default)]
pub struct Membership {
    places: BTreeMap<Arc<str>, Place>,
    occupied_since: Option<String>,
    /// Other programs were told that somebody is in.
    told_occupied: bool,
    /// Came and were not told of; true when they had been before.
    untold_joins: BTreeMap<Arc<str>, bool>,
    untold_leaves: BTreeSet<Arc<str>>,
}

impl Membership {
    /// Lets somebody in by a connection; what that was, and the member as it is now. Who is in already keeps
    /// its time, also when it was away.
    pub fn join(&mut self, member: RoomMember, seated: Seated) -> (Joined, RoomMember) {
        let Some(place) = self.places.get_mut(&member.client_id) else {
            self.occupied_since.get_or_insert_with(|| member.since.clone());
            let place = Place { member: member.clone(), seated, away_since_ms: None };
            self.places.insert(member.client_id.clone(), place);
            return (Joined::Newly, member);
        };
        (place.seated, place.away_since_ms) = (seated, None);
        let shown = |member: &RoomMember| member.info.as_ref().map(|info| info.get().to_owned());
        if shown(&place.member) == shown(&member) && place.member.subject == member.subject {
            return (Joined::Again, place.member.clone());
        }
        place.member = RoomMember { since: place.member.since.clone(), ..member };
        (Joined::Changed, place.member.clone())
    }

    /// Lets out who is in by this connection; `None` when nobody is, as after another connection joined.
    pub fn leave(&mut self, client_id: &str, seated: Seated) -> Option<RoomMember> {
        self.places.get(client_id).filter(|place| place.seated == seated)?;
        self.remove(client_id)
    }

    fn remove(&mut self, client_id: &str) -> Option<RoomMember> {
        let place = self.places.remove(client_id)?;
        if self.places.is_empty() {
            self.occupied_since = None;
        }
        Some(place.member)
    }

    /// The connection is lost: who was in by it stays for the time being. False when nobody was.
    pub fn lose(&mut self, client_id: &str, seated: Seated, now_ms: u64) -> bool {
        let place = self.places.get_mut(client_id).filter(|place| place.seated == seated);
        place.map(|place| place.away_since_ms = Some(now_ms)).is_some()
    }

    /// Lets out who has been away for `grace_ms`.
    pub fn expire(&mut self, now_ms: u64, grace_ms: u64) -> Vec<RoomMember> {
        let is_over =
            |place: &Place| place.away_since_ms.is_some_and(|ms| ms.saturating_add(grace_ms) <= now_ms);
        let over = self.places.iter().filter(|(_, place)| is_over(place));
        let over: Vec<Arc<str>> = over.map(|(client_id, _)| client_id.clone()).collect();
        over.iter().filter_map(|client_id| self.remove(client_id)).collect()
    }

    /// Since when who is away longest is away, monotonic milliseconds.
    pub fn away_since_ms(&self) -> Option<u64> {
        self.places.values().filter_map(|place| place.away_since_ms).min()
    }

    /// Notes that the members are not told of a join yet.
    pub fn owe_join(&mut self, client_id: &Arc<str>, joined: Joined) {
        let was_in = self.untold_leaves.remove(client_id) || joined != Joined::Newly;
        self.untold_joins.entry(client_id.clone()).or_insert(was_in);
    }

    /// Notes that the members are not told of a leave yet.
    pub fn owe_leave(&mut self, client_id: &Arc<str>) {
        // Who came and went in between was never here.
        if self.untold_joins.remove(client_id) != Some(false) {
            self.untold_leaves.insert(client_id.clone());
        }
    }

    /// What the members are not told yet, at most `shown_max` of each; `None` when nothing.
    pub fn diff(&self, shown_max: usize) -> Option<Diff> {
        if !self.owes() {
            return None;
        }
        let joined = self.untold_joins.keys().filter_map(|client_id| self.places.get(client_id));
        Some(Diff {
            joined: joined.take(shown_max).map(|place| place.member.clone()).collect(),
            left: self.untold_leaves.iter().take(shown_max).cloned().collect(),
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
        let members = self.places.values().take(shown_max).map(|place| place.member.clone()).collect();
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(id: u8, info: Option<u8>) -> RoomMember {
        let info = info.map(|info| RawValue::from_string(info.to_string()).unwrap().into());
        RoomMember { client_id: id.to_string().into(), subject: "s".into(), info, since: format!("t{id}") }
    }

    fn seated(connection: u32) -> Seated {
        Seated { worker: 0, member: Member { slot: 0, generation: connection } }
    }

    #[test]
    fn who_comes_back_in_time_never_left() {
        let mut room = Membership::default();
        assert_eq!(room.join(member(1, None), seated(1)).0, Joined::Newly);
        assert!(room.lose("1", seated(1), 1_000));
        assert_eq!((room.away_since_ms(), room.expire(2_999, 2_000).len()), (Some(1_000), 0));
        let back = RoomMember { since: "later".into(), ..member(1, None) };
        let (joined, back) = room.join(back, seated(2));
        assert_eq!((joined, &*back.since), (Joined::Again, "t1"));
        assert!(room.leave("1", seated(1)).is_none(), "the former connection has no say any more");
        assert!(!room.lose("1", seated(1), 3_000));
        assert_eq!((room.expire(9_999, 2_000).len(), room.len()), (0, 1));
        assert!(room.lose("1", seated(2), 10_000));
        assert_eq!((room.expire(12_000, 2_000).len(), room.is_empty()), (1, true));
    }

    #[test]
    fn answers_list_no_more_than_they_may() {
        let mut room = Membership::default();
        for id in 0..5 {
            let (joined, _) = room.join(member(id, Some(id)), seated(1));
            room.owe_join(&id.to_string().into(), joined);
        }
        let shown = room.members(3);
        assert_eq!((shown.members.len(), shown.total, shown.truncated), (3, 5, true));
        assert!(!room.members(5).truncated);
        let diff = room.diff(3).unwrap();
        assert_eq!((diff.joined.len(), diff.total, diff.truncated), (3, 5, true));
        room.told();
        assert!(room.diff(3).is_none());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(u8, Option<u8>),
        Leave(u8),
        Lose(u8),
        Expire,
        Tell,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..5, prop::option::of(0u8..2)).prop_map(|(id, info)| Step::Join(id, info)),
            2 => (0u8..5).prop_map(Step::Leave),
            2 => (0u8..5).prop_map(Step::Lose),
            1 => Just(Step::Expire),
            2 => Just(Step::Tell),
        ]
    }

    type Shown = BTreeMap<String, Option<String>>;

    fn shown(room: &Membership) -> Shown {
        let info = |member: &RoomMember| member.info.as_ref().map(|info| info.get().to_owned());
        room.members(99).members.iter().map(|m| (m.client_id.to_string(), info(m))).collect()
    }

    proptest! {
        /// Whoever applies every diff has the members that the room has.
        #[test]
        fn diffs_add_up_to_the_members(steps in prop::collection::vec(step(), 0..80)) {
            let (mut room, mut seen, mut occupied) = (Membership::default(), Shown::new(), false);
            for (now_ms, step) in (1u64..).zip(steps) {
                match step {
                    Step::Join(id, info) => {
                        let (joined, _) = room.join(member(id, info), seated(1));
                        if joined != Joined::Again {
                            room.owe_join(&id.to_string().into(), joined);
                        }
                    }
                    Step::Leave(id) => {
                        if let Some(member) = room.leave(&id.to_string(), seated(1)) {
                            room.owe_leave(&member.client_id);
                        }
                    }
                    Step::Lose(id) => {
                        let before = room.len();
                        prop_assert_eq!(room.lose(&id.to_string(), seated(1), now_ms), shown(&room).contains_key(&id.to_string()));
                        prop_assert_eq!(room.len(), before);
                    }
                    Step::Expire => {
                        for member in room.expire(now_ms, 0) {
                            room.owe_leave(&member.client_id);
                        }
                        prop_assert_eq!(room.away_since_ms(), None);
                    }
                    Step::Tell => {
                        if let Some(diff) = room.diff(99) {
                            for member in &diff.joined {
                                let info = member.info.as_ref().map(|info| info.get().to_owned());
                                seen.insert(member.client_id.to_string(), info);
                            }
                            for client_id in &diff.left {
                                prop_assert!(seen.remove(&**client_id).is_some(), "told of a leave twice");
                            }
                            prop_assert_eq!(diff.total, room.len());
                            room.told();
                        }
                        prop_assert_eq!(&seen, &shown(&room));
                    }
                }
                prop_assert_eq!(room.occupied_since().is_some(), !room.is_empty());
                if let Some(now_occupied) = room.take_occupancy() {
                    prop_assert!(now_occupied != occupied && now_occupied != room.is_empty());
                    occupied = now_occupied;
                }
                prop_assert_eq!(occupied, !room.is_empty());
            }
        }
    }
}
