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
    assert_eq!(room.join(member(1, None), seated(1), 1).0, Joined::Newly);
    assert!(room.lose("1", seated(1), 1_000));
    assert_eq!((room.away_since_ms(), room.expire(2_999, 2_000).len()), (Some(1_000), 0));
    let back = RoomMember { since: "later".into(), ..member(1, None) };
    let (joined, back) = room.join(back, seated(2), 2);
    assert_eq!((joined, &*back.since), (Joined::Again, "t1"));
    assert!(room.leave("1", seated(1)).is_none(), "the former connection has no say any more");
    assert!(!room.lose("1", seated(1), 3_000));
    assert_eq!((room.expire(9_999, 2_000).len(), room.len()), (0, 1));
    assert!(room.lose("1", seated(2), 10_000));
    assert_eq!((room.expire(12_000, 2_000).len(), room.is_empty()), (1, true));
}

#[test]
fn who_came_last_is_shown_whatever_clock_another_node_has() {
    let (mut here, mut there) = (Membership::default(), Membership::default());
    for room in [&mut here, &mut there] {
        room.set_other(&"ahead".into(), member(1, Some(1)), 1_000);
    }
    assert_eq!(here.join(member(1, Some(2)), seated(1), 500).0, Joined::Changed);
    let (own, at_ms) = here.own_of("1").map(|(member, at_ms)| (member.clone(), at_ms)).unwrap();
    there.set_other(&"here".into(), own, at_ms);
    for room in [&here, &there] {
        assert_eq!(shown(room)["1"].as_deref(), Some("2"));
    }
}

#[test]
fn answers_list_no_more_than_they_may() {
    let mut room = Membership::default();
    for id in 0..5 {
        let (joined, _) = room.join(member(id, Some(id)), seated(1), 1);
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

/// Who is in by which node, and what each of them was told of it, in order.
#[derive(Debug, Clone)]
enum Spread {
    Join(usize, u8, u8),
    Leave(usize, u8),
    /// The next word of one node is heard by another.
    Hear(usize, usize),
}

fn spread() -> impl Strategy<Value = Spread> {
    prop_oneof![
        3 => (0usize..3, 0u8..3, 0u8..3).prop_map(|(node, id, info)| Spread::Join(node, id, info)),
        2 => (0usize..3, 0u8..3).prop_map(|(node, id)| Spread::Leave(node, id)),
        4 => (0usize..3, 0usize..3).prop_map(|(from, to)| Spread::Hear(from, to)),
    ]
}

type Word = (Arc<str>, Option<(RoomMember, u64)>);

fn hear(room: &mut Membership, from: usize, (client_id, said): Word) {
    let instance: Arc<str> = from.to_string().into();
    match said {
        Some((member, at_ms)) => drop(room.set_other(&instance, member, at_ms)),
        None => drop(room.drop_other(&instance, &client_id)),
    }
}

proptest! {
    /// Whoever applies every diff has the members that the room has.
    #[test]
    fn diffs_add_up_to_the_members(steps in prop::collection::vec(step(), 0..80)) {
        let (mut room, mut seen, mut occupied) = (Membership::default(), Shown::new(), false);
        for (now_ms, step) in (1u64..).zip(steps) {
            match step {
                Step::Join(id, info) => {
                    let (joined, _) = room.join(member(id, info), seated(1), now_ms);
                    if joined != Joined::Again {
                        room.owe_join(&id.to_string().into(), joined);
                    }
                }
                Step::Leave(id) => {
                    if let Some(member) = room.leave(&id.to_string(), seated(1)) {
                        room.owe_leave(&member);
                    }
                }
                Step::Lose(id) => {
                    let before = room.len();
                    prop_assert_eq!(room.lose(&id.to_string(), seated(1), now_ms), shown(&room).contains_key(&id.to_string()));
                    prop_assert_eq!(room.len(), before);
                }
                Step::Expire => {
                    for member in room.expire(now_ms, 0).into_iter().filter_map(|(gone, _)| gone) {
                        room.owe_leave(&member);
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

    /// Nodes that have heard everything show the same, and each told its members what leads there, nothing twice.
    #[test]
    fn all_nodes_come_to_show_the_same(steps in prop::collection::vec(spread(), 0..80)) {
        let mut rooms: [Membership; 3] = std::array::from_fn(|_| Membership::default());
        let mut words: [[Vec<Word>; 3]; 3] = Default::default();
        let mut seen: [Shown; 3] = Default::default();
        for (now_ms, step) in (1u64..).zip(steps) {
            let told = match step {
                Spread::Join(node, id, info) => {
                    let (joined, member) = rooms[node].join(member(id, Some(info)), seated(1), now_ms);
                    if joined != Joined::Again {
                        rooms[node].owe_join(&member.client_id, joined);
                    }
                    Some((node, member.client_id))
                }
                Spread::Leave(node, id) => {
                    let client_id: Arc<str> = id.to_string().into();
                    if let Some(member) = rooms[node].leave(&client_id, seated(1)) {
                        rooms[node].owe_leave(&member);
                    }
                    Some((node, client_id))
                }
                Spread::Hear(from, to) => {
                    if !words[from][to].is_empty() {
                        let word = words[from][to].remove(0);
                        hear(&mut rooms[to], from, word);
                    }
                    None
                }
            };
            if let Some((node, client_id)) = told {
                let own = rooms[node].own_of(&client_id).map(|(member, at_ms)| (member.clone(), at_ms));
                for to in (0..3).filter(|to| *to != node) {
                    words[node][to].push((client_id.clone(), own.clone()));
                }
            }
        }
        for (from, to) in (0..9).map(|pair| (pair / 3, pair % 3)) {
            for word in std::mem::take(&mut words[from][to]) {
                hear(&mut rooms[to], from, word);
            }
        }
        for (room, seen) in rooms.iter_mut().zip(&mut seen) {
            let Untold { joined, left } = room.take_untold();
            for (member, _) in joined {
                seen.insert(member.client_id.to_string(), member.info.map(|info| info.get().to_owned()));
            }
            prop_assert!(left.is_empty(), "nobody was told of them before");
            prop_assert_eq!(&*seen, &shown(room));
            prop_assert!(!room.owes());
        }
        prop_assert_eq!(&seen[1], &seen[0]);
        prop_assert_eq!(&seen[2], &seen[0]);
        let since = |room: &Membership| room.members(9).members.into_iter().map(|m| m.since).collect::<Vec<_>>();
        prop_assert_eq!(since(&rooms[1]), since(&rooms[0]));
        for room in &mut rooms {
            let own = room.own().count();
            room.drop_nodes(|_| true, |_, _| false);
            prop_assert!(!room.has_others() && room.len() == own);
        }
    }
}
