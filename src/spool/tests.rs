//! The spool on real files: order, bounds, and what a crash leaves.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

const ROOMY: u64 = 64 * 1024 * 1024;

fn payload(n: u64) -> Vec<u8> {
    format!("record {n} {}", "x".repeat((n % 7) as usize)).into_bytes()
}

fn filled(directory: &Path, records: u64) -> Spool {
    let mut spool = Spool::open(directory, ROOMY, WhenFull::DropOldest).unwrap();
    for n in 1..=records {
        assert_eq!(spool.append(&payload(n)).unwrap(), n);
    }
    spool
}

fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(record) = spool.take() {
        assert_eq!(record.payload, payload(record.seq), "the payload of its own record");
        seqs.push(record.seq);
    }
    seqs
}

fn segment_files(directory: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| path.extension().is_some_and(|e| e == "spool")).collect();
    files.sort();
    files
}

#[test]
fn records_come_out_in_order_and_acknowledged_space_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 5);
    assert_eq!(drain(&mut spool), [1, 2, 3, 4, 5]);
    assert!(!spool.has_more());
    for seq in [2, 1, 5, 3] {
        spool.acknowledge(seq);
    }
    assert_eq!(segment_files(directory.path()).len(), 1, "4 is not acknowledged");
    spool.acknowledge(4);
    assert_eq!((segment_files(directory.path()).len(), spool.bytes()), (0, 0));
    assert_eq!(spool.append(&payload(6)).unwrap(), 6, "numbers go on");
}

#[test]
fn a_rewind_brings_back_the_unacknowledged_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 6);
    for _ in 0..4 {
        spool.take().unwrap();
    }
    spool.acknowledge(1);
    spool.acknowledge(3);
    spool.rewind();
    assert_eq!(drain(&mut spool), [2, 4, 5, 6]);
    spool.give_back(5);
    spool.acknowledge(2);
    assert_eq!(drain(&mut spool), [5]);
}

#[test]
fn what_was_sent_before_it_was_appended_waits_for_its_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 2);
    assert_eq!(spool.append_taken(&payload(3)).unwrap(), 3);
    spool.append(&payload(4)).unwrap();
    assert_eq!(drain(&mut spool), [1, 2, 4], "3 is on its way");
    spool.rewind();
    assert_eq!(drain(&mut spool), [1, 2, 3, 4]);
    let mut sent_first = Spool::open(&directory.path().join("other"), ROOMY, WhenFull::DropOldest).unwrap();
    for n in 1..=3 {
        sent_first.append_taken(&payload(n)).unwrap();
    }
    for seq in [3, 1, 2] {
        sent_first.acknowledge(seq);
    }
    assert_eq!(sent_first.bytes(), 0, "freed though never taken");
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_them() {
    let directory = tempfile::tempdir().unwrap();
    let bytes_max = 16 * 1024;
    let mut spool = Spool::open(directory.path(), bytes_max, WhenFull::DropOldest).unwrap();
    let big = |n: u64| format!("{n:0500}").into_bytes();
    for n in 1..=100 {
        spool.append(&big(n)).unwrap();
        let on_disk: u64 = segment_files(directory.path()).iter().map(|f| f.metadata().unwrap().len()).sum();
        assert_eq!(on_disk, spool.bytes());
        assert!(on_disk <= bytes_max, "{on_disk} after {n}");
    }
    let mut seqs = Vec::new();
    while let Some(record) = spool.take() {
        assert_eq!(record.payload, big(record.seq));
        seqs.push(record.seq);
    }
    assert_eq!(seqs, (spool.dropped() + 1..=100).collect::<Vec<_>>(), "the newest, without a gap");
    assert!((25..=32).contains(&seqs.len()), "the bound is used: {} records", seqs.len());
}

#[test]
fn a_full_spool_that_refuses_keeps_all_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let open = |bytes_max| Spool::open(directory.path(), bytes_max, WhenFull::Refuse).unwrap();
    let mut spool = open(16 * 1024);
    let mut kept = 0;
    while kept < 32 && spool.append(&[7; 500]).is_ok() {
        kept += 1;
    }
    assert!((20..32).contains(&kept), "{kept}");
    assert!(matches!(spool.append(&[7; 500]), Err(SpoolError::Full { bytes_max: 16_384 })));
    assert_eq!((spool.unsettled(), spool.dropped(), spool.bytes() <= 16 * 1024), (kept, 0, true));
    spool.sync().unwrap();
    drop(spool);
    let mut spool = open(1_024);
    assert_eq!(spool.unsettled(), kept, "also where the bound is smaller than before");
    let first = spool.take().unwrap();
    assert_eq!((first.seq, spool.unsettled()), (1, kept));
    spool.acknowledge(first.seq);
    assert_eq!(spool.unsettled(), kept - 1);
    while let Some(record) = spool.take() {
        spool.acknowledge(record.seq);
    }
    assert_eq!((spool.unsettled(), spool.bytes()), (0, 0));
    spool.append(&[7; 500]).unwrap();
}

#[test]
fn acknowledged_records_are_not_counted_as_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(directory.path(), 16 * 1024, WhenFull::DropOldest).unwrap();
    for n in 1..=20 {
        spool.append(format!("{n:0500}").as_bytes()).unwrap();
    }
    // The first segment holds record 1 alone; keep it and settle its successors.
    for _ in 0..10 {
        spool.take().unwrap();
    }
    (2..=10).for_each(|seq| spool.acknowledge(seq));
    for n in 21..=60 {
        spool.append(format!("{n:0500}").as_bytes()).unwrap();
    }
    let left = std::iter::from_fn(|| spool.take()).count() as u64;
    assert_eq!(spool.dropped() + 9 + left, 60, "each record is acknowledged, dropped or left");
}

#[test]
fn a_record_that_can_never_fit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
    assert!(matches!(spool.append(&vec![0; 300_000]), Err(SpoolError::TooLarge { bytes: 300_000, .. })));
    assert_eq!(spool.append(b"small").unwrap(), 1);
}

#[test]
fn one_spool_has_one_user() {
    let directory = tempfile::tempdir().unwrap();
    let first = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
    assert!(matches!(
        Spool::open(directory.path(), ROOMY, WhenFull::DropOldest),
        Err(SpoolError::InUse { .. })
    ));
    first.close().unwrap();
    assert!(Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).is_ok());
}

#[test]
fn the_position_survives_a_close() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 5);
    for seq in 1..=3 {
        spool.take().unwrap();
        spool.acknowledge(seq);
    }
    spool.close().unwrap();
    assert_eq!(drain(&mut Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap()), [4, 5]);
}

#[test]
fn no_number_is_given_twice_though_all_was_settled_before_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 2);
    assert_eq!(drain(&mut spool), [1, 2]);
    spool.acknowledge(2);
    spool.give_back(1);
    spool.take().unwrap();
    spool.acknowledge(1);
    assert_eq!((spool.take(), spool.bytes()), (None, 0), "the last is passed by reading on");
    drop(spool);
    let mut spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
    assert_eq!(spool.append(&payload(3)).unwrap(), 3);
}

#[test]
fn cut_at_any_byte_the_whole_records_before_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), 6));
    let file = segment_files(directory.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let ends: Vec<_> = (1..=6)
        .scan(segment::MAGIC.len(), |end, n| {
            *end += segment::record_bytes(payload(n).len()) as usize;
            Some(*end)
        })
        .collect();
    for cut in 0..=whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut).count() as u64;
        let mut spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
        let fresh = spool.append(&payload(kept + 1)).unwrap();
        assert_eq!(fresh, kept + 1, "cut at {cut}");
        assert_eq!(drain(&mut spool), (1..=kept + 1).collect::<Vec<_>>(), "cut at {cut}");
        drop(spool);
        segment_files(directory.path()).iter().for_each(|file| fs::remove_file(file).unwrap());
    }
}

#[test]
fn a_damaged_byte_never_yields_a_wrong_record_and_keeps_those_before() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), 6));
    let file = segment_files(directory.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let start_of = |n: u64| {
        let before = (1..n).map(|n| segment::record_bytes(payload(n).len()) as usize).sum::<usize>();
        segment::MAGIC.len() + before
    };
    for at in segment::MAGIC.len()..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        fs::write(&file, &bytes).unwrap();
        let hit = (1..=6).rfind(|n| start_of(*n) <= at).unwrap();
        let mut spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
        let seqs = drain(&mut spool);
        let length_is_hit = at < start_of(hit) + 4;
        match length_is_hit {
            true => assert!(seqs.starts_with(&(1..hit).collect::<Vec<_>>()), "byte {at}: {seqs:?}"),
            false => assert_eq!(seqs, (1..=6).filter(|n| *n != hit).collect::<Vec<_>>(), "byte {at}"),
        }
        drop(spool);
        segment_files(directory.path()).iter().for_each(|file| fs::remove_file(file).unwrap());
    }
}

#[test]
fn damage_that_comes_while_the_spool_is_open_is_skipped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = filled(directory.path(), 3);
    let file = segment_files(directory.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let in_second = segment::MAGIC.len() + segment::record_bytes(payload(1).len()) as usize + 20;
    bytes[in_second] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(drain(&mut spool), [1, 3]);
    assert_eq!(spool.damaged(), 1);
    fs::remove_file(&file).unwrap();
    spool.rewind();
    assert_eq!(drain(&mut spool), Vec::<u64>::new(), "the file is gone, the spool goes on");
    assert_eq!(spool.damaged(), 3);
    assert_eq!(spool.append(&payload(4)).unwrap(), 4);
}

#[derive(Debug, Clone)]
enum Step {
    Append,
    AppendTaken,
    Take,
    Acknowledge(usize),
    GiveBack(usize),
    Rewind,
    /// Dropped without a close, as by `kill -9`, then opened again.
    Kill,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Append),
        1 => Just(Step::AppendTaken),
        4 => Just(Step::Take),
        4 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::Rewind),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever happens, in the end every record was acknowledged or is handed out, in order; and
    /// after anything but a kill no acknowledged record comes again.
    #[test]
    fn nothing_is_lost_or_out_of_order(steps in steps()) {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
        let (mut appended, mut acknowledged) = (0, BTreeSet::new());
        let mut taken: Vec<u64> = Vec::new();
        let mut killed = false;
        for step in steps {
            match step {
                Step::Append | Step::AppendTaken => {
                    appended += 1;
                    if matches!(step, Step::AppendTaken) {
                        spool.append_taken(&payload(appended)).unwrap();
                        taken.push(appended);
                    } else {
                        spool.append(&payload(appended)).unwrap();
                    }
                }
                Step::Take => if let Some(record) = spool.take() {
                    prop_assert!(killed || !acknowledged.contains(&record.seq));
                    prop_assert!(!taken.contains(&record.seq));
                    taken.push(record.seq);
                },
                Step::Acknowledge(pick) if !taken.is_empty() => {
                    let seq = taken.swap_remove(pick % taken.len());
                    spool.acknowledge(seq);
                    acknowledged.insert(seq);
                }
                Step::GiveBack(pick) if !taken.is_empty() => {
                    spool.give_back(taken.swap_remove(pick % taken.len()));
                }
                Step::Rewind => {
                    spool.rewind();
                    taken.clear();
                }
                Step::Kill => {
                    drop(spool);
                    spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
                    taken.clear();
                    killed = true;
                }
                Step::Close => {
                    spool.close().unwrap();
                    spool = Spool::open(directory.path(), ROOMY, WhenFull::DropOldest).unwrap();
                    taken.clear();
                    // A close saves the lowest unsettled position, so later settled ones may come again.
                    killed = true;
                }
                Step::Acknowledge(_) | Step::GiveBack(_) => {}
            }
        }
        spool.rewind();
        let rest = drain(&mut spool);
        prop_assert!(rest.is_sorted_by(|a, b| a < b));
        for seq in 1..=appended {
            let settled = acknowledged.contains(&seq);
            prop_assert!(settled || rest.contains(&seq), "{} of {} is lost", seq, appended);
            prop_assert!(killed || !(settled && rest.contains(&seq)), "{} came again", seq);
        }
        prop_assert_eq!((spool.dropped(), spool.damaged()), (0, 0));
    }
}
