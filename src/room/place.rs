//! One member of a room, by whatever it is in: a connection of this hub node, other nodes, or several of them. Pure.

use std::sync::Arc;

use super::membership::{RoomMember, Seated};

/// In by a connection of this node.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) member: RoomMember,
    /// When it came or changed what it shows, unix milliseconds.
    pub(super) at_ms: u64,
    pub(super) seated: Seated,
    /// Since when its connection is lost, monotonic milliseconds.
    pub(super) away_since_ms: Option<u64>,
}

/// In by another node.
#[derive(Debug)]
struct Other {
    instance: Arc<str>,
    member: RoomMember,
    at_ms: u64,
}

/// Of one client all by which it is in. Never empty: a place without any of them is taken away.
#[derive(Debug)]
pub(super) struct Place {
    own: Option<Own>,
    others: Vec<Other>,
    shown: RoomMember,
    /// Since when it shows that, unix milliseconds.
    shown_at_ms: u64,
}

impl Place {
    /// The place of who is in by a connection of this node.
    pub(super) fn of_own(own: Own) -> Self {
        Self { shown: own.member.clone(), shown_at_ms: own.at_ms, own: Some(own), others: Vec::new() }
    }

    /// The place of who is in by another node.
    pub(super) fn of_other(instance: Arc<str>, member: RoomMember, at_ms: u64) -> Self {
        let shown = member.clone();
        Self { own: None, others: vec![Other { instance, member, at_ms }], shown, shown_at_ms: at_ms }
    }

    /// The member as everybody sees it.
    pub(super) fn shown(&self) -> &RoomMember {
        &self.shown
    }

    /// Since when it shows that, unix milliseconds.
    pub(super) fn shown_at_ms(&self) -> u64 {
        self.shown_at_ms
    }

    /// By this node, if it is.
    pub(super) fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// The same, to note that its connection is lost.
    pub(super) fn own_mut(&mut self) -> Option<&mut Own> {
        self.own.as_mut()
    }

    /// In by nothing any more.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_none() && self.others.is_empty()
    }

    /// Nodes beside this one by which it is in.
    pub(super) fn instances(&self) -> impl Iterator<Item = &Arc<str>> {
        self.others.iter().map(|other| &other.instance)
    }

    /// In by this node from now on, or not any more. True when others see something else than before.
    pub(super) fn set_own(&mut self, own: Option<Own>) -> bool {
        self.own = own;
        self.show()
    }

    /// In by another node. True when others see something else than before.
    pub(super) fn set_other(&mut self, instance: &Arc<str>, member: RoomMember, at_ms: u64) -> bool {
        match self.others.iter_mut().find(|other| other.instance == *instance) {
            Some(other) => (other.member, other.at_ms) = (member, at_ms),
            None => self.others.push(Other { instance: instance.clone(), member, at_ms }),
        }
        self.show()
    }

    /// Not in by these nodes any more. True when others see something else than before.
    pub(super) fn drop_others(&mut self, is_over: impl Fn(&str) -> bool) -> bool {
        self.others.retain(|other| !is_over(&other.instance));
        self.show()
    }

    /// What it showed last, and how long it has been in by any of them: the same on every node that knows the same.
    fn show(&mut self) -> bool {
        let own = self.own.as_ref().map(|own| (own.at_ms, "", &own.member));
        let others = self.others.iter().map(|other| (other.at_ms, &*other.instance, &other.member));
        let all = || own.into_iter().chain(others.clone());
        let newest = all().max_by_key(|(at_ms, instance, _)| (*at_ms, *instance));
        let Some((at_ms, _, newest)) = newest else { return false };
        let since = all().map(|(_, _, member)| &member.since).min().unwrap_or(&newest.since);
        let shown = RoomMember { since: since.clone(), ..newest.clone() };
        let shows_other = !shown.shows_the_same(&self.shown);
        (self.shown, self.shown_at_ms) = (shown, at_ms);
        shows_other
    }
}
