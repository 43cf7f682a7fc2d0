//! The samples of one moment of a node as they travel between hub nodes. Pure.

use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::NodeName;
use crate::store::Column;

/// Largest moment that travels, in bytes. A frame of an agent has less.
pub(super) const MOMENT_BYTES_MAX: usize = 256 << 10;

/// Bytes of an entry of the stream; a moment that is larger travels alone.
pub(super) const ENTRY_BYTES: usize = 16 << 10;

/// The samples of one moment of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    pub(super) node: NodeName,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) at_ms: u64,
    pub(super) columns: Vec<Column>,
    pub(super) values: Vec<f64>,
}

#[derive(Serialize)]
struct Written<'a>(
    &'a str,
    &'a BTreeMap<String, String>,
    u64,
    Vec<(&'a str, &'a BTreeMap<String, String>)>,
    &'a [f64],
);

#[derive(Deserialize)]
struct Read(String, BTreeMap<String, String>, u64, Vec<(String, BTreeMap<String, String>)>, Vec<f64>);

/// As it travels. `None`: it is too large.
pub(super) fn write(
    (node, labels): (&NodeName, &BTreeMap<String, String>),
    (at_ms, columns, values): (u64, &[Column], &[f64]),
) -> Option<Bytes> {
    let columns = columns.iter().map(|column| (column.name.as_str(), &column.labels)).collect();
    let written = rmp_serde::to_vec(&Written(node.as_str(), labels, at_ms, columns, values)).ok()?;
    (written.len() <= MOMENT_BYTES_MAX).then(|| written.into())
}

/// The moments of an entry, in order, up to what cannot be read.
pub(super) fn read(entry: &[u8]) -> Vec<Moment> {
    let (mut moments, mut rest) = (Vec::new(), Cursor::new(entry));
    while rest.position() < entry.len() as u64 {
        let Ok(Read(node, labels, at_ms, columns, values)) = rmp_serde::from_read(&mut rest) else { break };
        let Ok(node) = NodeName::parse(&node) else { continue };
        let columns: Vec<Column> =
            columns.into_iter().map(|(name, labels)| Column { name, labels }).collect();
        if columns.len() == values.len() {
            moments.push(Moment { node, labels, at_ms, columns, values });
        }
    }
    moments
}

/// Which part of what waits, oldest first, goes into the next entry.
pub(super) fn of_one_entry(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = sizes.enumerate().take_while(|(at, size)| {
        bytes += size;
        *at == 0 || bytes <= ENTRY_BYTES
    });
    fits.count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[a-z]{1,8}", ".{0,12}", 0..4)
    }

    fn moment() -> impl Strategy<Value = Moment> {
        let series =
            proptest::collection::vec((("[a-z_.]{1,20}", labels()), proptest::num::f64::NORMAL), 0..20);
        ("[a-z][a-z0-9-]{0,20}", labels(), 0..u64::MAX, series).prop_map(|(node, labels, at_ms, series)| {
            let node = NodeName::parse(&node).unwrap();
            let (columns, values): (Vec<_>, _) = series.into_iter().unzip();
            let columns = columns.into_iter().map(|(name, labels)| Column { name, labels }).collect();
            Moment { node, labels, at_ms, columns, values }
        })
    }

    fn written(Moment { node, labels, at_ms, columns, values }: &Moment) -> Bytes {
        write((node, labels), (*at_ms, columns, values)).unwrap()
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written(moments in proptest::collection::vec(moment(), 0..6)) {
            let entry: Vec<u8> = moments.iter().flat_map(written).collect();
            prop_assert_eq!(read(&entry), moments);
        }

        #[test]
        fn what_is_cut_or_altered_is_read_up_to_there_and_does_no_harm(
            moments in proptest::collection::vec(moment(), 1..4),
            cut in any::<proptest::sample::Index>(),
            noise in any::<u8>(),
        ) {
            let entry: Vec<u8> = moments.iter().flat_map(written).collect();
            let at = cut.index(entry.len());
            let whole = read(&entry[..at]);
            prop_assert!(whole.len() < moments.len() && whole[..] == moments[..whole.len()]);
            let mut altered = entry;
            altered[at] = noise;
            read(&altered);
        }

        #[test]
        fn an_entry_has_one_moment_at_least_and_no_more_bytes_than_it_may(
            sizes in proptest::collection::vec(1..2 * ENTRY_BYTES, 1..20),
        ) {
            let count = of_one_entry(sizes.iter().copied());
            prop_assert!(count == 1 || (count > 1 && sizes[..count].iter().sum::<usize>() <= ENTRY_BYTES));
        }
    }

    #[test]
    fn what_is_too_large_does_not_travel() {
        let (node, none) = (NodeName::parse("web-1").unwrap(), BTreeMap::new());
        let column = Column { name: "x".repeat(MOMENT_BYTES_MAX), labels: BTreeMap::new() };
        assert_eq!(write((&node, &none), (1, &[column], &[1.0])), None);
    }
}
