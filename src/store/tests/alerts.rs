//! Alerts, their history, the search, the figures.

use super::super::{
    AlertChange, AlertCursor, AlertFilter, AlertRecord, AlertSort, Resolver, Store, StoreError,
    TransitionRecord,
};
use super::{Backend, Hold, fixture, on_each};

on_each!(
    an_alert_and_its_step_are_kept_together_and_once,
    a_step_that_cannot_be_kept_takes_its_alert_back_and_nobody_elses,
    what_a_crash_left_to_do_is_found_at_the_next_start,
    a_search_narrows_down_by_everything_that_is_given,
    pages_joined_are_the_list_in_every_order,
    figures_are_of_what_fired_within_the_last_24_hours,
);

const HOUR_MS: u64 = 3_600_000;

fn alert(id: &str, version: u64, state: &str) -> AlertRecord {
    AlertRecord {
        id: id.into(),
        version,
        fingerprint: format!("f-{id}"),
        rule_id: Some("cpu".into()),
        rule_name: Some("CPU".into()),
        state: state.into(),
        severity: 1,
        score: 30,
        service: Some("shop".into()),
        title: "CPU".into(),
        message: "cpu_percent is 91".into(),
        labels: [("node".to_owned(), format!("web-{id}"))].into(),
        started_at_ms: 1_000,
        fired_at_ms: Some(1_000),
        acknowledged_at_ms: None,
        resolved_at_ms: (state == "resolved").then_some(9_000),
        resolved_by: (state == "resolved").then(|| "hub".into()),
        detail: "{}".into(),
    }
}

fn step(version: u64, from: Option<&str>, to: &str) -> TransitionRecord {
    TransitionRecord {
        version,
        at_ms: version * 1_000,
        from: from.map(str::to_owned),
        to: to.into(),
        actor: "alice".into(),
        reason: "why".into(),
        value: Some(0.1),
        comment: None,
    }
}

async fn keep(store: &Store, alerts: Vec<AlertRecord>) {
    let changes = alerts.into_iter().map(|alert| AlertChange { alert, transition: None });
    store.write_alerts(changes.collect()).await.unwrap();
}

async fn found(store: &Store, filter: AlertFilter) -> Vec<String> {
    let mut ids: Vec<_> = store
        .search_alerts(filter, AlertSort::Newest, None, 99)
        .await
        .unwrap()
        .into_iter()
        .map(|a| a.id)
        .collect();
    ids.sort();
    ids
}

async fn an_alert_and_its_step_are_kept_together_and_once(backend: Backend) {
    let f = fixture(backend);
    let born = step(1, None, "firing");
    f.store.transition(alert("a", 1, "firing"), born.clone()).await.unwrap();
    keep(&f.store, vec![alert("a", 2, "firing")]).await;
    let taken = step(3, Some("firing"), "acknowledged");
    f.store.transition(alert("a", 3, "acknowledged"), taken.clone()).await.unwrap();
    // The same again, and somebody who saw version 2.
    for (version, state) in [(3, "acknowledged"), (3, "resolved"), (2, "resolved")] {
        let again =
            f.store.transition(alert("a", version, state), step(version, Some("firing"), state)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    assert_eq!(f.store.alert("a").await.unwrap(), Some(alert("a", 3, "acknowledged")));
    assert_eq!(f.store.alert_history("a").await.unwrap(), [born, taken]);
    assert_eq!(f.store.alert_history("b").await.unwrap(), []);
}

async fn a_step_that_cannot_be_kept_takes_its_alert_back_and_nobody_elses(backend: Backend) {
    let f = fixture(backend);
    f.store.transition(alert("a", 1, "firing"), step(1, None, "firing")).await.unwrap();
    let hold = Hold::start(&f.store);
    // In one transaction with the others; its history row is there already.
    let bad = f.store.write_alerts(vec![
        AlertChange { alert: alert("b", 1, "firing"), transition: Some(step(1, None, "firing")) },
        AlertChange {
            alert: alert("a", 2, "resolved"),
            transition: Some(step(1, Some("firing"), "resolved")),
        },
    ]);
    let good = f.store.transition(alert("c", 1, "firing"), step(1, None, "firing"));
    hold.end().await;
    assert!(matches!(bad.await, Err(StoreError::Conflict(_))));
    good.await.unwrap();
    assert_eq!(f.store.alert("a").await.unwrap(), Some(alert("a", 1, "firing")));
    assert_eq!(f.store.alert("b").await.unwrap(), None);
    assert_eq!(f.store.alert_history("b").await.unwrap(), []);
    assert_eq!(f.store.alert_history("c").await.unwrap().len(), 1);
}

async fn what_a_crash_left_to_do_is_found_at_the_next_start(backend: Backend) {
    let f = fixture(backend);
    f.store.transition(alert("a", 1, "pending"), step(1, None, "pending")).await.unwrap();
    f.store.transition(alert("b", 1, "resolved"), step(1, None, "firing")).await.unwrap();
    f.store.transition(alert("c", 2, "firing"), step(2, None, "firing")).await.unwrap();
    f.store.transitions_announced(vec![("a".into(), 1)]).await.unwrap();
    f.store.close().await;
    let store = f.again();
    let ids = |alerts: Vec<AlertRecord>| alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>();
    assert_eq!(ids(store.open_alerts(None, 1).await.unwrap()), ["a"]);
    assert_eq!(ids(store.open_alerts(Some("a"), 9).await.unwrap()), ["c"]);
    let left = store.unannounced_transitions(9).await.unwrap();
    assert_eq!(left, [("b".into(), step(1, None, "firing")), ("c".into(), step(2, None, "firing"))]);
    let resolved = |since_ms, resolver, hub| store.alerts_resolved_since(since_ms, resolver, hub, 9);
    assert_eq!(ids(resolved(9_000, Resolver::Other, "infrawatch").await.unwrap()), ["b"]);
    assert_eq!(ids(resolved(9_001, Resolver::Other, "infrawatch").await.unwrap()), [""; 0]);
    assert_eq!(ids(resolved(0, Resolver::Other, "hub").await.unwrap()), [""; 0]);
    assert_eq!(ids(resolved(9_000, Resolver::Hub, "hub").await.unwrap()), ["b"]);
    assert_eq!(ids(resolved(0, Resolver::Hub, "infrawatch").await.unwrap()), [""; 0]);
    assert_eq!((store.prune_alerts(9_000, 9).await, store.prune_alerts(9_001, 9).await), (Ok(0), Ok(1)));
    assert_eq!(store.alert_history("b").await.unwrap(), [], "its history goes along");
}

async fn a_search_narrows_down_by_everything_that_is_given(backend: Backend) {
    let f = fixture(backend);
    let dropped = AlertRecord { fired_at_ms: None, ..alert("d", 1, "resolved") };
    let b = AlertRecord {
        severity: 3,
        service: None,
        title: "50% of Disk_X".into(),
        started_at_ms: 2_000,
        ..alert("b", 1, "resolved")
    };
    let c = AlertRecord { rule_id: Some("disk".into()), rule_name: None, ..alert("c", 1, "pending") };
    keep(&f.store, vec![alert("a", 1, "firing"), b, c, dropped]).await;
    let rows = [
        (AlertFilter::default(), vec!["a", "b", "c"]),
        (AlertFilter { with_dropped: true, ..Default::default() }, vec!["a", "b", "c", "d"]),
        (AlertFilter { text: Some("disk_".into()), ..Default::default() }, vec!["b"]),
        (AlertFilter { text: Some("DISK".into()), ..Default::default() }, vec!["b", "c"]),
        (AlertFilter { text: Some("%".into()), ..Default::default() }, vec!["b"]),
        (AlertFilter { text: Some("'; --\\".into()), ..Default::default() }, vec![]),
        (
            AlertFilter { states: vec!["firing".into(), "pending".into()], ..Default::default() },
            vec!["a", "c"],
        ),
        (AlertFilter { severities: vec![3, 2], ..Default::default() }, vec!["b"]),
        (AlertFilter { services: vec!["shop".into()], ..Default::default() }, vec!["a", "c"]),
        (AlertFilter { rule_ids: vec!["disk".into()], ..Default::default() }, vec!["c"]),
        (AlertFilter { fingerprint: Some("f-a".into()), ..Default::default() }, vec!["a"]),
        (AlertFilter { labels: vec![("node".into(), "web-c".into())], ..Default::default() }, vec!["c"]),
        (AlertFilter { labels: vec![("no\"de".into(), "web-c".into())], ..Default::default() }, vec![]),
        (AlertFilter { since_ms: Some(2_000), ..Default::default() }, vec!["b"]),
        (AlertFilter { until_ms: Some(2_000), ..Default::default() }, vec!["a", "c"]),
    ];
    for (filter, expected) in rows {
        assert_eq!(found(&f.store, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn pages_joined_are_the_list_in_every_order(backend: Backend) {
    let f = fixture(backend);
    let all: Vec<AlertRecord> = (0..23_u8)
        .map(|n| AlertRecord {
            severity: n % 4,
            score: n % 5 * 10,
            started_at_ms: u64::from(n % 7),
            ..alert(&format!("{n:02}"), 1, "firing")
        })
        .collect();
    keep(&f.store, all.clone()).await;
    for sort in [AlertSort::Newest, AlertSort::Oldest, AlertSort::MostUrgent, AlertSort::Worst] {
        let mut expected = all.clone();
        let key = |alert: &AlertRecord| {
            let AlertCursor { key, id } = sort.cursor(alert);
            (key, id)
        };
        expected.sort_by_key(key);
        if sort != AlertSort::Oldest {
            expected.reverse();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = f.store.search_alerts(AlertFilter::default(), sort, after.clone(), 5).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(sort.cursor(last));
            seen.extend(page);
        }
        assert_eq!(seen, expected, "{sort:?}");
    }
    let worst = f.store.search_alerts(AlertFilter::default(), AlertSort::Worst, None, 1).await.unwrap();
    assert_eq!(worst[0].severity, 3);
}

async fn figures_are_of_what_fired_within_the_last_24_hours(backend: Backend) {
    let f = fixture(backend);
    let now_ms = 100 * HOUR_MS + 5;
    let fired = |id: &str, state, fired_at_ms, acknowledged, resolved| AlertRecord {
        fired_at_ms: Some(fired_at_ms),
        acknowledged_at_ms: acknowledged,
        resolved_at_ms: resolved,
        ..alert(id, 1, state)
    };
    let at = 99 * HOUR_MS;
    let a = fired("a", "resolved", at, Some(at + 60_000), Some(at + 120_000));
    let b = fired("b", "acknowledged", at, Some(at + 180_000), None);
    let c =
        AlertRecord { rule_id: Some("disk".into()), severity: 3, ..fired("c", "firing", now_ms, None, None) };
    let old = fired("old", "resolved", HOUR_MS, Some(99 * HOUR_MS), Some(100 * HOUR_MS));
    let dropped = AlertRecord { fired_at_ms: None, ..alert("d", 1, "resolved") };
    keep(&f.store, vec![a, b, c, old, dropped]).await;
    let figures = f.store.alert_statistics(now_ms, 1).await.unwrap();
    assert_eq!(figures.total, 4);
    let by_state = [("acknowledged".to_owned(), 1), ("firing".to_owned(), 1), ("resolved".to_owned(), 2)];
    assert_eq!((figures.by_state, figures.by_severity), (by_state.to_vec(), [0, 1, 0, 1]));
    assert_eq!((figures.mtta_ms, figures.mttr_ms), (Some(120_000.0), Some(120_000.0)));
    assert_eq!(figures.noisiest, [("cpu".to_owned(), Some("CPU".to_owned()), 2)]);
    let [.., before, current] = &figures.trend[..] else { panic!("24 hours") };
    assert_eq!((figures.trend.len(), figures.trend[0].from_ms), (24, 77 * HOUR_MS));
    assert_eq!((before.from_ms, before.fired, before.resolved), (at, 2, 1));
    assert_eq!((before.mtta_ms, before.mttr_ms), (Some(120_000.0), Some(120_000.0)));
    assert_eq!((current.fired, current.resolved, current.mtta_ms), (1, 1, None));
    let none = fixture(backend).store.alert_statistics(5, 9).await.unwrap();
    assert_eq!((none.total, none.mtta_ms, none.trend.len()), (0, None, 24));
}
