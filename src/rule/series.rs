//! A series as rules see it: a metric and all labels, those of the node included. Pure.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// Labels come from clients, who shall not be able to choose colliding ones.
static SEED: LazyLock<std::hash::RandomState> = LazyLock::new(std::hash::RandomState::new);

/// A metric with its labels. Shared behind one `Arc` by every rule that watches it.
#[derive(Debug, PartialEq, Eq)]
pub struct Series {
    metric: String,
    labels: BTreeMap<String, String>,
    labels_hash: u64,
}

impl Series {
    /// A series. The labels are those of the sample, of the node, and `node` with its name.
    pub fn new(metric: impl Into<String>, labels: BTreeMap<String, String>) -> Self {
        let labels_hash = SEED.hash_one(&labels);
        Self { metric: metric.into(), labels, labels_hash }
    }

    /// The metric, by the name with which it was sent.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The labels, sorted by name.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

/// A series by its labels alone: what the state of a rule belongs to. The metric is the rule's, or there
/// are several that are joined by their labels.
#[derive(Debug, Clone)]
pub(super) struct Joined(pub(super) Arc<Series>);

impl Hash for Joined {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.labels_hash);
    }
}

impl PartialEq for Joined {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.labels_hash == other.0.labels_hash && self.0.labels == other.0.labels)
    }
}

impl Eq for Joined {}

/// Hands on the hash that a [`Joined`] already has.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Precomputed(u64);

impl Hasher for Precomputed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only `write_u64` is ever called; this keeps the trait's promise.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
