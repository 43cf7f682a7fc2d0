//! The journal on real files: what is answered is there for the next life, in order, within the bound.

use super::*;
use crate::store::Column;

fn node() -> NodeName {
    NodeName::parse("web-1").unwrap()
}

fn batch(n: u64) -> Batch {
    let column = Column { name: "load1".to_owned(), labels: Default::default() };
    Batch { unix_ms: n, columns: vec![column; 4].into(), values: vec![n as f64; 4] }
}

fn open(directory: &Path, bytes_max: u64) -> Journal {
    Journal::open(directory, bytes_max, Clock::system()).unwrap()
}

fn moments(part: &[Replayed]) -> Vec<u64> {
    part.iter().map(|replayed| replayed.batch.unix_ms).collect()
}

#[tokio::test]
async fn what_is_answered_is_replayed_in_order_also_by_the_next_life() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), 1 << 20);
    let told: Vec<_> = (1..=10).map(|n| journal.push(&node(), &batch(n)).unwrap()).collect();
    for told in told {
        told.await.unwrap();
    }
    let part = journal.take(3).await;
    assert_eq!(moments(&part), [1, 2, 3]);
    journal.written(&part[0]);
    journal.rewind();
    assert_eq!(moments(&journal.take(2).await), [2, 3], "what was not written comes again, in its place");
    let depth = journal.depth();
    assert_eq!((depth.batches, depth.is_on_disk, depth.dropped), (9, true, 0));
    assert!(depth.bytes > 0);
    // As a kill does: nothing is told to its thread. It has the files until it is gone.
    drop(journal);
    let journal = loop {
        match Journal::open(directory.path(), 1 << 20, Clock::system()) {
            Ok(journal) => break journal,
            Err(SpoolError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let (hand_out, all) = (journal.take(100).await, (1..=10).collect::<Vec<u64>>());
    assert!(all.ends_with(&moments(&hand_out)) && hand_out.len() >= 9, "{:?}", moments(&hand_out));
    hand_out.iter().for_each(|replayed| journal.written(replayed));
    assert!(journal.take(1).await.is_empty());
    let depth = journal.depth();
    assert_eq!((depth.batches, depth.bytes, depth.age_ms), (0, 0, 0));
}

#[tokio::test]
async fn a_full_journal_refuses_and_counts_and_keeps_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), 16 << 10);
    let (mut kept, mut refused) = (Vec::new(), 0);
    for n in 1..=200 {
        let is_kept = match journal.push(&node(), &batch(n)) {
            Ok(told) => told.await.is_ok(),
            Err(Full) => false,
        };
        if is_kept {
            kept.push(n);
        } else {
            refused += 1;
        }
    }
    assert!(kept.len() > 50 && refused > 20, "{} kept, {refused} refused", kept.len());
    assert_eq!(journal.depth().overflowed, refused);
    assert!(journal.depth().bytes <= 16 << 10);
    let all = journal.take(1_000).await;
    assert_eq!(moments(&all), kept);
    journal.give_up(&all[0]);
    assert_eq!(journal.take(1).await.len(), 0);
    assert_eq!(journal.depth().dropped, 1);
    journal.rewind();
    assert_eq!(moments(&journal.take(1_000).await), kept[1..], "what is given up does not come again");
}

#[tokio::test]
async fn what_is_on_disk_waits_for_the_disk_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), 64 << 20);
    let column = Column { name: "load1".to_owned(), labels: Default::default() };
    let large = Batch { unix_ms: 1, columns: vec![column; 6_000].into(), values: vec![1.0; 6_000] };
    let mut bytes = 0;
    while bytes <= 2 * WAITING_BYTES_MAX {
        journal.push(&node(), &large).unwrap().await.unwrap();
        bytes = journal.depth().bytes;
    }
    assert_eq!(journal.depth().overflowed, 0);
}
