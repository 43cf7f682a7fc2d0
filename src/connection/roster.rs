//! Who subscribes to what on one worker. Pure.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::topic::Position;

/// The members of one topic on this worker, by slot.
#[derive(Debug, Default)]
pub struct Members {
    /// Get every bundle as it is.
    pub plain: IndexSet<u32>,
    /// Have a feed in between.
    pub fed: IndexSet<u32>,
    /// Where the last bundle ended that was handed on.
    pub at: Option<Position>,
}

/// Members of all topics.
#[derive(Debug, Default)]
pub struct Roster(HashMap<u32, Members>);

impl Roster {
    /// The members of a topic, if it has any here.
    pub fn of(&mut self, topic: u32) -> Option<&mut Members> {
        self.0.get_mut(&topic)
    }

    /// Adds a member with a feed; `false` when it is one already.
    pub fn join(&mut self, topic: u32, slot: u32) -> bool {
        let members = self.0.entry(topic).or_default();
        let is_plain = members.plain.swap_remove(&slot);
        members.fed.insert(slot) && !is_plain
    }

    /// The member's feed is done.
    pub fn make_plain(&mut self, topic: u32, slot: u32) {
        let Some(members) = self.0.get_mut(&topic) else { return };
        if members.fed.swap_remove(&slot) {
            members.plain.insert(slot);
        }
    }

    /// Takes a member out.
    pub fn leave(&mut self, topic: u32, slot: u32) {
        let Some(members) = self.0.get_mut(&topic) else { return };
        for slots in [&mut members.plain, &mut members.fed] {
            slots.swap_remove(&slot);
        }
        if members.plain.is_empty() && members.fed.is_empty() {
            self.0.remove(&topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_in_one_list_of_its_topic_at_most() {
        let mut roster = Roster::default();
        assert!(roster.join(1, 5));
        assert!(!roster.join(1, 5), "subscribed again");
        roster.make_plain(1, 5);
        assert!(!roster.join(1, 5), "subscribed again with another feed");
        let members = roster.of(1).unwrap();
        assert_eq!((members.plain.len(), members.fed.contains(&5)), (0, true));
        roster.leave(1, 5);
        assert!(roster.of(1).is_none());
    }
}
