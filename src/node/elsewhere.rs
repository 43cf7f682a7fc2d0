//! Machines that are heard by other hub nodes: as the store has them, with the newest values of topic `metrics_update`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::liveness::State;
use super::report::{SYNTHETIC, Source};
use super::view::NodeView;
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::ids::TopicName;
use crate::store::NodeRecord;
use crate::telemetry::Cause;

/// The newest samples of one node.
#[derive(Deserialize)]
struct Update {
    timestamp: String,
    metrics: BTreeMap<String, f64>,
}

/// The newest samples of nodes, by name, and when they were published.
#[derive(Default)]
pub(super) struct Newest(HashMap<String, (u64, Update)>);

impl Newest {
    /// Those of the nodes that are `wanted`. While they cannot be read there are none.
    pub(super) async fn read(broker: &Broker, wanted: impl Fn(&str) -> bool, cause: &Cause) -> Self {
        let Ok(topic) = broker.open(&TopicName::well_known("metrics_update")) else { return Self::default() };
        let Ok(view) = topic.view(usize::MAX, cause).await else { return Self::default() };
        let of_node = view.messages.iter().filter_map(|message| {
            let node = message.key.as_deref().filter(|node| wanted(node))?;
            let update = serde_json::from_str(message.payload_text()).ok()?;
            Some((node.to_owned(), (message.unix_ms, update)))
        });
        Self(of_node.collect())
    }

    /// A node as the API shows it.
    pub(super) fn view(&mut self, record: NodeRecord, now_ms: u64) -> NodeView {
        let state = State::of(&record.state);
        let newest = self.0.remove(&record.name);
        let heard_ms = newest.as_ref().map_or(0, |(unix_ms, _)| *unix_ms);
        let last_seen_ms = record.last_seen_ms.max(heard_ms);
        let (sampled_at, metrics) = match newest {
            Some((_, Update { timestamp, metrics })) => (Some(timestamp), metrics),
            None => (None, BTreeMap::new()),
        };
        NodeView {
            state,
            source: Source::of(&record.source),
            last_seen: Some(rfc3339(last_seen_ms)),
            age_ms: Some(now_ms.saturating_sub(last_seen_ms)),
            interval_ms: record.interval_ms,
            ttl_ms: record.ttl_ms,
            synthetic: record.labels.get(SYNTHETIC).is_some_and(|value| value == "true"),
            labels: record.labels,
            inventory: record.inventory,
            sampled_at,
            metrics,
            transitions: record.transitions,
            id: record.name,
        }
    }
}
