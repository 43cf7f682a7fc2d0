//! Samples of the past, series by series.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Column, PastQuery, PastSamples, Store};
use super::{Backend, fixture, on_each};

on_each!(series_are_read_oldest_first_and_the_newest_are_kept_when_there_are_too_many,);

async fn keep(store: &Store, node: &str, ts_ms: u64, values: &[(&str, f64)]) {
    let column = |name: &str| Column { name: name.to_owned(), labels: BTreeMap::new() };
    let columns: Arc<[Column]> = values.iter().map(|(name, _)| column(name)).collect();
    let values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    store.append_frame(node, ts_ms, columns, &values).await.unwrap();
}

async fn past(store: &Store, query: PastQuery) -> PastSamples<String> {
    let wanted = |node: &str, _labels: &BTreeMap<String, String>, column: &Column| {
        (column.name == "a").then(|| format!("{node} {}", column.name))
    };
    store.past_samples(query, wanted).await.unwrap()
}

async fn series_are_read_oldest_first_and_the_newest_are_kept_when_there_are_too_many(backend: Backend) {
    let fixture = fixture(backend);
    let store = &fixture.store;
    for ts_ms in 1..=3 {
        keep(store, "n1", ts_ms, &[("a", ts_ms as f64), ("b", 0.0)]).await;
        keep(store, "n2", ts_ms, &[("b", 0.0), ("a", f64::NAN)]).await;
    }
    // Other columns, the same series.
    keep(store, "n1", 4, &[("c", 0.0), ("a", 4.0)]).await;
    let all = PastQuery { node: None, since_ms: 2, until_ms: 4, series_max: 9, samples_max: 99 };
    let expected = vec![("n1 a".to_owned(), vec![(2, 2.0), (3, 3.0), (4, 4.0)])];
    let found = past(store, all.clone()).await;
    assert_eq!((found.series, found.truncated), (expected, false), "what is missing is no sample");
    let few = past(store, PastQuery { samples_max: 2, ..all.clone() }).await;
    assert_eq!((few.series[0].1.clone(), few.truncated), (vec![(3, 3.0), (4, 4.0)], true));
    let none = past(store, PastQuery { node: Some("n2".into()), ..all.clone() }).await;
    assert_eq!(none.series, []);
    let no_room = past(store, PastQuery { series_max: 0, ..all }).await;
    assert_eq!((no_room.series, no_room.truncated), (vec![], true));
}
