//! Other hub nodes that have members in rooms: until when each is believed. Pure; times are monotonic milliseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Between two looks nothing longer passes unless this process stood still, in milliseconds.
const LOOK_MS_MAX: u64 = 5_000;

#[derive(Debug)]
struct Peer {
    until_ms: u64,
    /// It said so: what it says after that makes it believed no longer.
    ends: bool,
    members: usize,
}

/// The other nodes.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<Arc<str>, Peer>,
    members: usize,
    looked_ms: Option<u64>,
}

impl Peers {
    /// A node is believed until then at least.
    pub(super) fn believe(&mut self, instance: &Arc<str>, until_ms: u64) {
        let peer = self.known.entry(instance.clone()).or_insert(Peer { until_ms, ends: false, members: 0 });
        if !peer.ends {
            peer.until_ms = peer.until_ms.max(until_ms);
        }
    }

    /// A node that is known ends, and is believed no longer than until then.
    pub(super) fn end(&mut self, instance: &str, until_ms: u64) {
        if let Some(peer) = self.known.get_mut(instance) {
            peer.until_ms = peer.until_ms.min(until_ms);
            peer.ends = true;
        }
    }

    /// A member by that node more.
    pub(super) fn add(&mut self, instance: &str) {
        if let Some(peer) = self.known.get_mut(instance) {
            peer.members += 1;
            self.members += 1;
        }
    }

    /// Members by that node fewer.
    pub(super) fn take(&mut self, instance: &str, members: usize) {
        if let Some(peer) = self.known.get_mut(instance) {
            peer.members = peer.members.saturating_sub(members);
            self.members = self.members.saturating_sub(members);
        }
    }

    /// All that are known.
    pub(super) fn instances(&self) -> Vec<Arc<str>> {
        self.known.keys().cloned().collect()
    }

    /// Members by that node.
    pub(super) fn members_of(&self, instance: &str) -> usize {
        self.known.get(instance).map_or(0, |peer| peer.members)
    }

    /// Members by all of them; who is in by two counts twice.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// Those who are believed no longer; to be called at least every second. While this process stood still nobody could be
    /// heard: that time does not count.
    pub(super) fn look(&mut self, now_ms: u64) -> Vec<Arc<str>> {
        let passed_ms = now_ms.saturating_sub(self.looked_ms.replace(now_ms).unwrap_or(now_ms));
        if passed_ms > LOOK_MS_MAX {
            self.known.values_mut().for_each(|peer| peer.until_ms += passed_ms);
        }
        let over = self.known.iter().filter(|(_, peer)| peer.until_ms <= now_ms);
        over.map(|(instance, _)| instance.clone()).collect()
    }

    /// Nothing is left of a node.
    pub(super) fn forget(&mut self, instance: &str) {
        if let Some(peer) = self.known.remove(instance) {
            self.members = self.members.saturating_sub(peer.members);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_believed_as_long_as_it_is_heard_and_one_that_ends_for_less() {
        let mut peers = Peers::default();
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        peers.believe(&one, 3_000);
        peers.believe(&other, 3_000);
        peers.add("one");
        peers.add("nobody");
        assert_eq!((peers.members(), peers.members_of("one"), peers.look(2_999)), (1, 1, vec![]));
        peers.believe(&one, 6_000);
        peers.believe(&one, 4_000);
        assert_eq!(peers.look(3_000), [other]);
        peers.forget("other");
        peers.end("one", 3_500);
        peers.end("nobody", 9_000);
        peers.believe(&one, 9_000);
        assert_eq!((peers.look(3_499), peers.look(3_500)), (vec![], vec![one]));
        peers.forget("one");
        assert_eq!((peers.members(), peers.look(9_999).len()), (0, 0));
    }

    #[test]
    fn who_stood_still_does_not_blame_the_others() {
        let mut peers = Peers::default();
        peers.believe(&"one".into(), 3_000);
        assert!(peers.look(1_000).is_empty());
        assert!(peers.look(70_000).is_empty(), "69 s in which nobody could be heard");
        assert!(peers.look(71_999).is_empty());
        assert_eq!(peers.look(72_000).len(), 1);
    }
}
