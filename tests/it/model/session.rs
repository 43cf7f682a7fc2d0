//! What a session says to a client that is back, checked against what the client got before.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::client::{Check, Client, Link, Subscription, ensure, number, place, text};
use super::truth::TopicTruth;

/// A connection that is over, as its client knew it.
pub(super) struct Former {
    subscriptions: HashMap<usize, Subscription>,
    /// Topics that it had asked for and heard nothing of.
    asked: HashSet<usize>,
    told: HashMap<usize, u64>,
    gaps: HashMap<usize, u64>,
    /// It has read everything that the kernel had for it.
    read_all: bool,
}

impl Client {
    /// The connection is over, or is ended.
    pub(super) fn part(&mut self, read_all: bool) {
        let Some(link) = self.link.take() else { return };
        link.pipe.cut();
        let asked = link.asked.keys().map(|(_, topic)| *topic).collect();
        let Link { subscriptions, told, gaps, .. } = link;
        self.former = Some(Former { subscriptions, asked, told, gaps, read_all });
    }

    /// The first frame of a connection: where the former one was in each topic.
    pub(super) fn connected(&mut self, payload: &Value, truths: &[TopicTruth]) -> Check {
        let rows = payload["subscriptions"].as_array().ok_or("no subscriptions")?;
        let Some(former) = self.former.take() else {
            return ensure(rows.is_empty(), || format!("of no former connection: {payload}"));
        };
        rows.iter().try_for_each(|row| former.is_right(row, truths))
    }
}

impl Former {
    /// Whoever goes on at that place misses nothing that was not declared.
    fn is_right(&self, row: &Value, truths: &[TopicTruth]) -> Check {
        let topic = place(truths, text(&row["topic"], "topic")?)?;
        let (epoch, offset) = (text(&row["epoch"], "epoch")?, number(&row["offset"], "offset")?);
        let truth = &truths[topic];
        let published = truth.of(epoch)?.len() as u64;
        ensure(offset <= published, || format!("{row}: only {published} were published"))?;
        let Some(sub) = self.subscriptions.get(&topic).filter(|sub| sub.epoch == epoch) else {
            let heard_nothing = self.asked.contains(&topic) || self.subscriptions.contains_key(&topic);
            return ensure(heard_nothing, || format!("{row}: was not subscribed"));
        };
        if self.asked.contains(&topic) {
            // Subscribed again meanwhile: from where, only the answer says.
            return Ok(());
        }
        ensure(offset >= sub.last.min(sub.joined_at), || format!("{row}: the client had {}", sub.last))?;
        if !self.read_all {
            return Ok(());
        }
        let told = self.told.get(&topic).copied().unwrap_or_default();
        if truth.sort.latest || sub.asks.conflates() {
            let newest = truth.newest(epoch, sub.start, sub.asks)?;
            let missing = newest.iter().filter(|at| **at <= offset && !sub.seen.contains(at)).count() as u64;
            return ensure(missing <= told, || format!("{row}: {missing} of the newest values never came"));
        }
        let behind = truth.wanted(epoch, sub.last, offset, sub.asks)?;
        let missing = self.gaps.get(&topic).copied().unwrap_or_default() + behind;
        ensure(missing <= told, || format!("{row}: {missing} are missing, {told} were declared"))
    }
}
