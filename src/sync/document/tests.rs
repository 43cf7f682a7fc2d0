use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

const LIMITS: Limits = Limits {
    keys_max: 4,
    key_bytes_max: 8,
    value_bytes_max: 10,
    document_bytes_max: 24,
    ahead_ms_max: 60_000,
    tombstone_ms: 1_000,
};

fn write(key: &str, value: &str, base_version: u64, ms: Option<u64>, writer: &str) -> Write {
    let value = (value != "null").then(|| value.into());
    Write { key: key.into(), value, base_version, time: ms.map(HybridTime::at), writer: writer.into() }
}

fn applied(outcome: Result<Outcome, WriteError>) -> (Entry, bool) {
    match outcome {
        Ok(Outcome::Applied { entry, conflict, .. }) => (entry, conflict),
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Outcome, WriteError>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn a_write_upon_the_current_version_is_applied_whatever_the_writers_clock_says() {
    let mut document = Document::default();
    let (first, conflict) = applied(document.write(write("a", "1", 0, Some(5_000), "x"), 5_000, &LIMITS));
    assert_eq!((first.version, conflict, first.time), (1, false, HybridTime::at(5_000)));
    let (second, conflict) = applied(document.write(write("a", "2", 1, Some(1_000), "w"), 5_000, &LIMITS));
    assert_eq!((second.version, conflict), (2, false));
    assert!(second.time > first.time, "replicas take it as the later one too");
    let (third, _) = applied(document.write(write("a", "3", 2, None, "x"), 1_000, &LIMITS));
    assert!(third.time > second.time, "the hub's own clock never goes back");
    assert_eq!((document.version(), document.conflicts()), (3, Conflicts::default()));
}

#[test]
fn of_two_writes_upon_one_version_the_greater_time_then_writer_wins() {
    let mut document = Document::default();
    let (base, _) = applied(document.write(write("a", "0", 0, Some(1_000), "x"), 1_000, &LIMITS));
    applied(document.write(write("a", "1", 1, Some(3_000), "m"), 5_000, &LIMITS));
    let earlier = document.write(write("a", "2", 1, Some(2_000), "z"), 5_000, &LIMITS).unwrap();
    let Outcome::Lost { current } = earlier else { panic!("{earlier:?}") };
    assert_eq!((current.value.as_deref(), current.version), (Some("1"), 2));
    let same_time = document.write(write("a", "2", 1, Some(3_000), "l"), 5_000, &LIMITS).unwrap();
    assert!(matches!(same_time, Outcome::Lost { .. }), "the lesser writer: {same_time:?}");
    let same_writer = document.write(write("a", "9", 1, Some(3_000), "m"), 5_000, &LIMITS).unwrap();
    assert!(matches!(same_writer, Outcome::Lost { .. }), "not greater: {same_writer:?}");
    let (won, conflict) = applied(document.write(write("a", "3", 1, Some(3_000), "n"), 5_000, &LIMITS));
    assert_eq!((won.version, conflict), (3, true), "the greater writer");
    let (won, conflict) = applied(document.write(write("a", "4", base.version, None, "a"), 5_000, &LIMITS));
    assert_eq!((won.version, conflict), (4, true), "the later time");
    assert_eq!((document.version(), document.conflicts()), (4, Conflicts { won: 2, lost: 3 }));
}

#[test]
fn what_is_deleted_keeps_its_version_until_its_place_is_needed() {
    let mut document = Document::default();
    applied(document.write(write("a", "1", 0, Some(1_000), "x"), 1_000, &LIMITS));
    let (gone, _) = applied(document.write(write("a", "null", 1, Some(1_100), "x"), 1_100, &LIMITS));
    assert_eq!((gone.value, gone.version, document.keys(), document.bytes()), (None, 2, 0, 1));
    for key in ["b", "c", "d"] {
        applied(document.write(write(key, "1", 0, None, "x"), 1_200, &LIMITS));
    }
    let full = document.write(write("e", "1", 0, None, "x"), 1_200, &LIMITS);
    assert_eq!(refused(full), "the document has 4 keys (deleted ones count for a while), which is its limit");
    assert!(document.entry("a").is_some());
    let outcome = document.write(write("e", "1", 0, None, "x"), 2_100, &LIMITS).unwrap();
    let Outcome::Applied { forgotten, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((forgotten, document.entry("a")), (vec!["a".into()], None));
}

#[test]
fn what_is_out_of_bounds_is_refused_with_the_bound_and_changes_nothing() {
    let mut document = Document::default();
    applied(document.write(write("a", "1234567890", 0, None, "x"), 1_000, &LIMITS));
    let before = format!("{:?}", document.entries().collect::<Vec<_>>());
    let mut refuse =
        |key, value, base, ms| refused(document.write(write(key, value, base, ms, "x"), 1_000, &LIMITS));
    assert_eq!(refuse("", "1", 0, None), "`key` must have 1 to 8 bytes, not 0");
    assert_eq!(refuse("123456789", "1", 0, None), "`key` must have 1 to 8 bytes, not 9");
    assert_eq!(refuse("b", "12345678901", 0, None), "`value` may have at most 10 bytes, not 11");
    assert_eq!(refuse("a", "1", 2, None), "`base_version` is 2, but the key is at version 1");
    assert_eq!(refuse("b", "1", 1, None), "`base_version` is 1, but the key is at version 0");
    assert!(refuse("a", "1", 1, Some(61_001)).starts_with("`timestamp` is 60001 ms ahead"));
    assert_eq!(
        refuse("bcdefg", "12345678", 0, None),
        "the document may have at most 24 bytes of keys and values, with this value it had 25"
    );
    assert_eq!(before, format!("{:?}", document.entries().collect::<Vec<_>>()));
    assert_eq!((document.version(), document.bytes()), (1, 11));
}

/// What the document holds, as every replica must have it in the end.
fn state(document: &Document) -> Vec<(Arc<str>, Entry)> {
    document.entries().map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

#[derive(Debug, Clone)]
struct Step {
    replica: usize,
    key: u8,
    value: Option<u8>,
    /// How far behind the current version the writer is.
    behind: u64,
    ms: u64,
    own_time: bool,
    writer: u8,
    /// A write of another replica that this one learns first.
    learns: Option<Index>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        (0usize..3, 0u8..3, prop::option::of(0u8..9), 0u64..3),
        (0u64..20, any::<bool>(), 0u8..3, prop::option::of(any::<Index>())),
    );
    let step = step.prop_map(|((replica, key, value, behind), (ms, own_time, writer, learns))| Step {
        replica,
        key,
        value,
        behind,
        ms,
        own_time,
        writer,
        learns,
    });
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn replicas_converge_whatever_the_order_and_number_of_deliveries(
        steps in steps(),
        order in prop::collection::vec((0usize..3, any::<Index>()), 0..200),
        shuffles in prop::collection::vec(any::<u64>(), 3),
    ) {
        let limits = Limits { keys_max: 100, document_bytes_max: 10_000, ..LIMITS };
        let mut replicas = [Document::default(), Document::default(), Document::default()];
        let mut updates: Vec<(Arc<str>, Entry)> = Vec::new();
        for step in steps {
            let document = &mut replicas[step.replica];
            if let Some(index) = step.learns.filter(|_| !updates.is_empty()) {
                let (key, entry) = index.get(&updates).clone();
                document.absorb(&key, entry);
            }
            let key = step.key.to_string();
            let version = document.entry(&key).map_or(0, |(_, entry)| entry.version);
            let value = step.value.map_or("null".to_owned(), |value| value.to_string());
            let time = step.own_time.then_some(step.ms);
            let base = version.saturating_sub(step.behind);
            let before = document.conflicts();
            let asked = write(&key, &value, base, time, &step.writer.to_string());
            match document.write(asked, step.ms, &limits).unwrap() {
                Outcome::Applied { entry, conflict, .. } => {
                    prop_assert_eq!((entry.version, conflict), (version + 1, base < version));
                    updates.push((key.as_str().into(), entry));
                }
                Outcome::Lost { current } => prop_assert!(base < version && current.version == version),
            }
            let counted = document.conflicts().won + document.conflicts().lost - before.won - before.lost;
            prop_assert_eq!(counted, u64::from(base < version));
        }
        // Some arrive early, some twice, then all of them in an order of each replica's own.
        for (replica, index) in order {
            if !updates.is_empty() {
                let (key, entry) = index.get(&updates).clone();
                replicas[replica].absorb(&key, entry);
            }
        }
        for (replica, seed) in replicas.iter_mut().zip(shuffles) {
            let mut all = updates.clone();
            all.sort_by_key(|(key, entry)| {
                let mut hash = std::hash::DefaultHasher::new();
                std::hash::Hash::hash(&(seed, key, entry.seq, entry.time, &entry.writer), &mut hash);
                std::hash::Hasher::finish(&hash)
            });
            all.into_iter().for_each(|(key, entry)| replica.absorb(&key, entry));
        }
        prop_assert_eq!(state(&replicas[0]), state(&replicas[1]));
        prop_assert_eq!(state(&replicas[1]), state(&replicas[2]));
        for document in &replicas {
            let bytes: usize = state(document).iter().map(|(key, entry)| key.len() + entry.bytes()).sum();
            prop_assert_eq!(document.bytes(), bytes);
        }
        // Who comes later and gets the whole state at once has the same.
        let late = Document::restored(0, Conflicts::default(), state(&replicas[0]));
        prop_assert_eq!(state(&late), state(&replicas[0]));
    }
}
