//! Alerts over HTTP, on a hub of real parts.

mod alertmanager;
mod by_hand;
mod exported;
mod heartbeats;
mod keys;
mod policies;
mod prometheus;
mod read;
mod rules;
mod tried;

use std::collections::BTreeMap;

use infrawatch::alert::{Alert, Event, HUB, NewAlert, Opening, Severity, apply, fingerprint, open};
use infrawatch::store::AlertChange;

use crate::http::Scene;

/// An alert that fires since then.
fn firing(title: &str, severity: Severity, service: &str, started_at_ms: u64) -> Alert {
    let labels = BTreeMap::from([("node".to_owned(), format!("node-{title}"))]);
    let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let new = NewAlert {
        fingerprint: fingerprint::of_outside(Some(service), title, pairs),
        rule_id: Some("cpu".into()),
        rule_name: Some("CPU is busy".into()),
        severity,
        score: 10 * severity.rank(),
        service: Some(service.into()),
        title: title.into(),
        message: format!("{title} happened"),
        labels: labels.clone(),
        annotations: BTreeMap::new(),
        value: Some(91.5),
        started_at_ms,
        ends_at_ms: None,
    };
    open(new, Opening::Firing, HUB, "91.5 > 90", started_at_ms).0
}

/// As it is after somebody took it in hand.
fn acknowledged(alert: &Alert, at_ms: u64) -> Alert {
    apply(alert, Event::Acknowledge { actor: "alice".into(), comment: None }, at_ms).unwrap().0
}

/// As it is after it was over.
fn resolved(alert: &Alert, at_ms: u64) -> Alert {
    apply(alert, Event::Clear { value: Some(3.0), reason: "3 <= 90".into() }, at_ms).unwrap().0
}

async fn keep(scene: &Scene, alerts: impl IntoIterator<Item = Alert>) {
    // From now on the owner of alerts knows its own, and leaves these as they are.
    scene.state.services.alerts.policies_changed().await.unwrap();
    let changes: Vec<AlertChange> = alerts.into_iter().map(|alert| alert.to_change(None)).collect();
    for part in changes.chunks(1_000) {
        scene.state.store.write_alerts(part.to_vec()).await.unwrap();
    }
}
