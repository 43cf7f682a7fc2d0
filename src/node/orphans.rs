//! Machines of hub nodes that are gone: whoever keeps house says that they are late and offline, if no other hub hears them
//! by then.

use std::collections::VecDeque;

use super::actor::{TOUCH_INTERVAL_MS, event_of, note};
use super::fleet::Fleet;
use super::holding::NO_REPORT;
use super::liveness::{LATE_INTERVALS, State, Transition};
use super::passing::is_passing;
use crate::broker::Draft;
use crate::clock::rfc3339;
use crate::ids::TopicName;
use crate::ownership::Unit;
use crate::store::{NodeRecord, StoreError};
use crate::telemetry::{Cause, Counter};
use crate::topic::Reply;

/// Nodes in one look.
const PER_LOOK: usize = 500;

/// What a node is that was last written so long ago, in milliseconds; `None`: what it was. It may have been heard for
/// [`TOUCH_INTERVAL_MS`] after that.
fn due(record: &NodeRecord, silent_ms: u64) -> Option<State> {
    let silent_ms = silent_ms.saturating_sub(TOUCH_INTERVAL_MS);
    let is_late = silent_ms >= record.interval_ms * (LATE_INTERVALS + 1);
    match State::of(&record.state) {
        State::Online | State::Late if silent_ms >= record.ttl_ms => Some(State::Offline),
        State::Online if is_late => Some(State::Late),
        _ => None,
    }
}

impl Fleet {
    /// Looks at the nodes of hub nodes that are gone, if that is this one's to do.
    pub(super) async fn look_after_orphans(&self) -> Result<(), StoreError> {
        let args = self.args();
        let hubs: Vec<String> = args.ownership.live().into_iter().map(|hub| hub.instance).collect();
        if args.ownership.held(Unit::Housekeeping).is_none() || hubs.is_empty() {
            return Ok(());
        }
        let now_ms = args.clock.unix_ms();
        for record in args.store.orphaned_nodes(hubs, PER_LOOK).await? {
            let Some(to) = due(&record, now_ms.saturating_sub(record.last_seen_ms)) else { continue };
            if to == State::Offline && is_passing(&record.labels) {
                args.store.delete_node(&record.name).await?;
            } else {
                self.conclude(record, to).await?;
            }
        }
        Ok(())
    }

    async fn conclude(&self, record: NodeRecord, to: State) -> Result<(), StoreError> {
        let args = self.args();
        let (transition, at) =
            (Transition { from: State::of(&record.state), to }, rfc3339(args.clock.unix_ms()));
        let mut transitions = VecDeque::from(record.transitions);
        note(&mut transitions, transition, NO_REPORT, &at);
        let (transitions, states) = (transitions.make_contiguous(), (transition.from.as_str(), to.as_str()));
        if !args.store.silence_node(&record.name, &record.hub, states, transitions).await? {
            // Another hub hears it.
            return Ok(());
        }
        Counter::NodeTransitions.add_for(to.as_str(), 1);
        tracing::info!(node = %record.name, from = record.state, to = to.as_str(), "node of a hub that is gone changed");
        let event =
            event_of(&record.name, to.as_str(), Some(transition), (NO_REPORT, &at), &record.labels, None);
        let topic = TopicName::well_known("nodes");
        match Draft::of(&event).map(|draft| draft.keyed(record.name.as_str().into())) {
            Ok(draft) => {
                if let Err(error) = args.broker.publish(&topic, draft, Reply::Nobody, &Cause::own()) {
                    tracing::warn!(node = %record.name, %error, "nobody was told of a node");
                }
            }
            Err(error) => tracing::error!(%error, "payload does not serialize"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_when_it_can_have_been_heard_last() {
        let record = |state: &str| NodeRecord {
            name: "web-1".into(),
            state: state.into(),
            source: "agent".into(),
            labels: [].into(),
            inventory: None,
            interval_ms: 1_000,
            ttl_ms: 15_000,
            first_seen_ms: 0,
            last_seen_ms: 0,
            hub: "gone".into(),
            transitions: Vec::new(),
        };
        let became = |state: &str, silent_ms| due(&record(state), silent_ms);
        assert_eq!((became("online", 7_999), became("online", 8_000)), (None, Some(State::Late)));
        assert_eq!((became("late", 19_999), became("late", 20_000)), (None, Some(State::Offline)));
        assert_eq!((became("offline", 99_999), became("retired", 99_999)), (None, None));
    }
}
