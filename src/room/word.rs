//! What hub nodes tell each other of who is in rooms. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::membership::RoomMember;
use crate::ids::RoomName;

/// What a node says, in one notice.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Word {
    /// Tells that life of that node from others.
    pub(super) from: String,
    /// Who comes and goes.
    pub(super) changes: Vec<Change>,
    /// It is alive, and has so many members in rooms.
    pub(super) members: Option<usize>,
    /// It ends; whoever is in by it and does not come elsewhere within so many milliseconds is out.
    pub(super) ends_in_ms: Option<u64>,
}

/// Somebody is in a room by the node that says so, or is not any more.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) room: String,
    pub(super) client_id: Arc<str>,
    /// Null when it is not.
    pub(super) member: Option<Entry>,
}

/// A member as nodes tell each other of it, and as Redis keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    subject: Arc<str>,
    info: Option<Arc<RawValue>>,
    since: String,
    /// When it came or changed what it shows, unix milliseconds.
    pub(super) at_ms: u64,
}

impl Word {
    /// What was said, by another node of this version or a later one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|word: &Self| !word.from.is_empty())
    }

    pub(super) fn text(&self) -> String {
        // Texts and numbers: they can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Change {
    pub(super) fn room(&self) -> Option<RoomName> {
        RoomName::parse(&self.room).ok()
    }
}

impl Entry {
    pub(super) fn of(member: &RoomMember, at_ms: u64) -> Self {
        let RoomMember { client_id: _, subject, info, since } = member.clone();
        Self { subject, info, since, at_ms }
    }

    pub(super) fn member(self, client_id: Arc<str>) -> RoomMember {
        let Self { subject, info, since, at_ms: _ } = self;
        RoomMember { client_id, subject, info, since }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        // Texts and numbers: they can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_and_nonsense_is_not() {
        let info = RawValue::from_string(r#"{"name": "ann\n"}"#.to_owned()).unwrap();
        let member = RoomMember {
            client_id: "c/1".into(),
            subject: "ann".into(),
            info: Some(info.into()),
            since: "2026-11-28T20:00:00.000Z".into(),
        };
        let put = Change { room: "ops".into(), client_id: "c/1".into(), member: Some(Entry::of(&member, 7)) };
        let removed = Change { room: "no room!".into(), client_id: "c2".into(), member: None };
        let word = Word { from: "a1".into(), changes: vec![put, removed], ..Word::default() };
        let mut heard = Word::parse(&word.text()).unwrap();
        assert_eq!((heard.members, heard.ends_in_ms, heard.changes[1].room()), (None, None, None));
        assert!(heard.changes[1].member.is_none());
        let change = heard.changes.remove(0);
        assert_eq!(change.room().unwrap().as_str(), "ops");
        let entry = Entry::parse(&change.member.unwrap().text()).unwrap();
        assert_eq!(entry.at_ms, 7);
        let again = entry.member("c/1".into());
        assert!(again.shows_the_same(&member) && again.since == member.since);
        for nonsense in ["", "{}", "[1]", r#"{"from":"a","changes":[{"room":1}]}"#] {
            assert!(Word::parse(nonsense).is_none(), "{nonsense}");
        }
        assert!(Word::parse(r#"{"from":"a","something":"newer"}"#).is_some());
    }
}
