//! Documents of shared state.

use super::super::DocumentWritten::{Behind, Kept, TooMany};
use super::super::{DocumentChange, DocumentHead, EntryRecord};
use super::{Backend, fixture, on_each};

on_each!(
    of_two_that_write_upon_the_same_version_one_is_behind,
    a_document_is_kept_as_it_was_written_last,
    what_is_announced_only_grows,
    one_document_more_than_there_may_be_is_not_made,
);

fn entry(key: &str, value: Option<&str>, version: u64, seq: u64) -> EntryRecord {
    let value = value.map(str::to_owned);
    EntryRecord { key: key.into(), value, version, time_steps: 1 << 60, writer: "w".into(), seq }
}

fn change(name: &str, version: u64, announced: u64, entries: Vec<EntryRecord>) -> DocumentChange {
    let head = DocumentHead { version, announced, conflicts_won: 1, conflicts_lost: 2, updated_at_ms: 7 };
    DocumentChange {
        name: name.into(),
        head,
        entries,
        forgotten: Vec::new(),
        documents_max: 2,
        base_version: None,
    }
}

async fn a_document_is_kept_as_it_was_written_last(backend: Backend) {
    let f = fixture(backend);
    assert_eq!(f.store.document("plan").await.unwrap(), None);
    let first = vec![entry("b", Some("1"), 1, 1), entry("ä", Some(r#""ü""#), 1, 2)];
    assert_eq!(f.store.write_document(change("plan", 2, 0, first)).await, Ok(Kept));
    let second = vec![entry("b", None, 2, 3), entry("c", Some("{}"), 1, 4)];
    assert_eq!(f.store.write_document(change("plan", 4, 2, second)).await, Ok(Kept));
    let (head, entries) = f.store.document("plan").await.unwrap().unwrap();
    assert_eq!((head.version, head.announced, head.conflicts_won, head.conflicts_lost), (4, 2, 1, 2));
    let expected = [entry("b", None, 2, 3), entry("c", Some("{}"), 1, 4), entry("ä", Some(r#""ü""#), 1, 2)];
    assert_eq!(entries, expected, "by key");
    let row = &f.store.documents(None, 9).await.unwrap()[0];
    assert_eq!((row.keys, row.bytes, &row.head), (2, 1 + 3 + 2 + 4, &head));
    let gone = DocumentChange { forgotten: vec!["b".into()], ..change("plan", 4, 2, Vec::new()) };
    assert_eq!(f.store.write_document(gone).await, Ok(Kept));
    assert_eq!(f.store.document("plan").await.unwrap().unwrap().1, expected[1..]);
}

async fn what_is_announced_only_grows(backend: Backend) {
    let f = fixture(backend);
    f.store.write_document(change("a", 3, 0, Vec::new())).await.unwrap();
    f.store.write_document(change("b", 3, 3, Vec::new())).await.unwrap();
    assert_eq!(f.store.unannounced_documents(8, None, 9).await.unwrap(), ["a"]);
    assert_eq!(f.store.unannounced_documents(7, None, 9).await.unwrap(), [""; 0], "too new");
    f.store.document_announced("a", 3).await.unwrap();
    f.store.document_announced("a", 2).await.unwrap();
    f.store.document_announced("nothing", 2).await.unwrap();
    assert!(f.store.unannounced_documents(8, None, 9).await.unwrap().is_empty());
    f.store.write_document(change("a", 4, 1, Vec::new())).await.unwrap();
    let (head, _) = f.store.document("a").await.unwrap().unwrap();
    assert_eq!((head.version, head.announced), (4, 3));
    assert_eq!(f.store.unannounced_documents(8, Some("a"), 9).await.unwrap(), [""; 0]);
}

async fn one_document_more_than_there_may_be_is_not_made(backend: Backend) {
    let f = fixture(backend);
    for (name, made) in [("a", Kept), ("b", Kept), ("c", TooMany), ("a", Kept)] {
        assert_eq!(f.store.write_document(change(name, 1, 0, Vec::new())).await.unwrap(), made, "{name}");
    }
    let names: Vec<_> = f.store.documents(None, 9).await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(f.store.documents(Some("a"), 9).await.unwrap().len(), 1);
}

async fn of_two_that_write_upon_the_same_version_one_is_behind(backend: Backend) {
    let f = fixture(backend);
    let other = f.again();
    let upon = |base: u64, key: &str| DocumentChange {
        base_version: Some(base),
        ..change("plan", base + 1, 0, vec![entry(key, Some("1"), 1, base + 1)])
    };
    let (one, two) = tokio::join!(f.store.write_document(upon(0, "a")), other.write_document(upon(0, "b")));
    let mut outcomes = [one.unwrap(), two.unwrap()];
    outcomes.sort_by_key(|outcome| *outcome == Behind);
    assert_eq!(outcomes, [Kept, Behind]);
    let (head, entries) = f.store.document_unless_at("plan", Some(0)).await.unwrap().unwrap();
    assert_eq!((head.version, entries.len()), (1, 1), "nothing of the other is in");
    assert_eq!(other.document_unless_at("plan", Some(1)).await.unwrap(), None);
    assert_eq!(other.write_document(upon(1, "c")).await, Ok(Kept));
}
