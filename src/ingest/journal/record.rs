//! What one record of the journal holds. Pure.
//!
//! ```text
//! record = head_bytes: u32 | head (JSON) | values: f64*      (little endian)
//! ```
//!
//! Values are bits, so that what is replayed is what was sent, missing values included.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::NodeName;
use crate::node::Batch;
use crate::store::Column;

const VALUE_BYTES: usize = size_of::<f64>();

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    /// Node.
    n: Cow<'a, str>,
    /// When it was sampled.
    t: u64,
    /// When it was journaled.
    j: u64,
    /// Columns.
    c: Cow<'a, [Column]>,
}

/// A batch of the journal.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) node: NodeName,
    /// When it was journaled, unix milliseconds.
    pub(super) since_ms: u64,
    pub(super) batch: Batch,
}

/// `None`: it cannot be told in JSON, which no checked batch is.
pub(super) fn encode(node: &NodeName, batch: &Batch, now_ms: u64) -> Option<Vec<u8>> {
    let columns = Cow::Borrowed(&*batch.columns);
    let head = Head { n: node.as_str().into(), t: batch.unix_ms, j: now_ms, c: columns };
    let head = serde_json::to_vec(&head).ok()?;
    let head_bytes = u32::try_from(head.len()).ok()?;
    let mut record = Vec::with_capacity(4 + head.len() + batch.values.len() * VALUE_BYTES);
    record.extend_from_slice(&head_bytes.to_le_bytes());
    record.extend_from_slice(&head);
    batch.values.iter().for_each(|value| record.extend_from_slice(&value.to_le_bytes()));
    Some(record)
}

/// `None`: it is of another version, or no record.
pub(super) fn decode(record: &[u8]) -> Option<Kept> {
    let (head_bytes, rest) = record.split_first_chunk()?;
    let (head, values) = rest.split_at_checked(u32::from_le_bytes(*head_bytes) as usize)?;
    let head: Head<'_> = serde_json::from_slice(head).ok()?;
    let (values, torn) = values.as_chunks::<VALUE_BYTES>();
    if !torn.is_empty() || values.len() != head.c.len() {
        return None;
    }
    let values = values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let batch = Batch { unix_ms: head.t, columns: Arc::from(head.c.into_owned()), values };
    Some(Kept { node: NodeName::parse(&head.n).ok()?, since_ms: head.j, batch })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn batch(values: Vec<f64>) -> Batch {
        let labels = BTreeMap::from([("core".to_owned(), "\u{e9}\"1".to_owned())]);
        let columns = (0..values.len()).map(|n| Column { name: format!("m{n}"), labels: labels.clone() });
        Batch { unix_ms: 7, columns: columns.collect(), values }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written_to_the_bit(
            values in prop::collection::vec(prop_oneof![any::<f64>(), Just(f64::NAN)], 0..40),
            cut in 1..20usize,
        ) {
            let node = NodeName::parse("web-1").unwrap();
            let written = batch(values);
            let record = encode(&node, &written, 9).unwrap();
            let read = decode(&record).unwrap();
            prop_assert_eq!((&read.node, read.since_ms, read.batch.unix_ms), (&node, 9, 7));
            prop_assert_eq!(&read.batch.columns, &written.columns);
            let bits = |batch: &Batch| batch.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&read.batch), bits(&written));
            prop_assert!(decode(&record[..record.len() - cut.min(record.len())]).is_none());
        }

        #[test]
        fn whatever_is_read_it_does_not_panic(record in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(decode(&record));
        }
    }
}
