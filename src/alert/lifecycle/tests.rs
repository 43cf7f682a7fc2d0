use proptest::prelude::*;

use super::*;

fn new() -> NewAlert {
    NewAlert {
        fingerprint: "f".into(),
        rule_id: Some("cpu".into()),
        rule_name: Some("CPU".into()),
        severity: Severity::Warning,
        score: 40,
        service: None,
        title: "CPU".into(),
        message: "cpu_percent is 91".into(),
        labels: [("node".to_owned(), "web-1".to_owned())].into(),
        annotations: Labels::new(),
        value: Some(91.0),
        started_at_ms: 1_000,
        ends_at_ms: None,
    }
}

fn opened(opening: Opening) -> Alert {
    open(new(), opening, HUB, "above 90", 1_000).0
}

fn acknowledge(actor: &str) -> Event {
    Event::Acknowledge { actor: actor.into(), comment: Some("on it".into()) }
}

fn resolve(actor: &str) -> Event {
    Event::Resolve { actor: actor.into(), comment: None }
}

fn breach(value: f64) -> Event {
    Event::Breach { value: Some(value), severity: None, message: None }
}

fn clear() -> Event {
    Event::Clear { value: Some(1.0), reason: "below 90".into() }
}

#[track_caller]
fn step(alert: &Alert, event: Event, at_ms: u64) -> (Alert, Transition) {
    let (alert, transition) = apply(alert, event, at_ms).unwrap();
    (alert, transition.expect("a step"))
}

#[track_caller]
fn no_step(alert: &Alert, event: Event, at_ms: u64) -> Alert {
    let (next, transition) = apply(alert, event, at_ms).unwrap();
    assert_eq!((transition, next.state), (None, alert.state));
    next
}

#[test]
fn a_life_from_pending_to_resolved() {
    let (alert, born) = open(new(), Opening::Pending, HUB, "above 90", 1_000);
    assert_eq!((born.from, born.to, born.value, alert.fired_at_ms), (None, State::Pending, Some(91.0), None));
    let alert = no_step(&alert, breach(92.0), 2_000);
    assert_eq!((alert.count, alert.value, alert.last_breach_at_ms), (2, Some(92.0), 2_000));
    let (alert, fired) = step(&alert, Event::Fire { value: None, reason: "for 2 s".into() }, 3_000);
    assert_eq!((fired.from, fired.to, fired.value), (Some(State::Pending), State::Firing, Some(92.0)));
    let (alert, taken) = step(&alert, acknowledge("alice"), 4_000);
    assert_eq!((taken.actor.as_str(), taken.comment.as_deref()), ("alice", Some("on it")));
    let (alert, over) = step(&alert, clear(), 5_000);
    assert_eq!((over.actor.as_str(), over.reason.as_str(), over.value), (HUB, "below 90", Some(1.0)));
    assert_eq!((alert.fired_at_ms, alert.acknowledged_at_ms), (Some(3_000), Some(4_000)));
    assert_eq!((alert.resolved_at_ms, alert.version), (Some(5_000), 5));
    assert!(!alert.was_dropped() && !alert.was_resolved_by_hand());
}

#[test]
fn of_two_operators_one_wins_and_repeating_is_fine() {
    let (alert, _) = step(&opened(Opening::Firing), acknowledge("alice"), 2_000);
    assert_eq!(no_step(&alert, acknowledge("alice"), 3_000), alert, "not even its version");
    let refused = apply(&alert, acknowledge("bob"), 3_000).unwrap_err();
    assert_eq!(refused.to_string(), "the alert is acknowledged by alice already");
    assert_eq!((refused.state(), refused.code()), (State::Acknowledged, Code::Conflict));
    let (alert, _) = step(&alert, resolve("bob"), 4_000);
    for repeated in [resolve("bob"), resolve("alice"), clear()] {
        assert_eq!(no_step(&alert, repeated, 5_000), alert);
    }
    let refused = apply(&alert, acknowledge("alice"), 5_000).unwrap_err();
    assert_eq!(refused.to_string(), "an alert that is resolved cannot be acknowledged");
    assert_eq!(refused.state(), State::Resolved);
}

#[test]
fn one_good_value_drops_what_is_pending_and_nothing_else() {
    let (alert, _) = step(&opened(Opening::Pending), Event::Drop { value: Some(1.0) }, 2_000);
    assert!(alert.was_dropped());
    assert!(apply(&opened(Opening::Firing), Event::Drop { value: None }, 2_000).is_err());
}

#[test]
fn a_suppressed_alert_is_recorded_and_fires_when_the_window_ends() {
    let suppress = |until_ms| Event::Suppress { why: "window upgrade".into(), until_ms: Some(until_ms) };
    let (alert, held) = step(&opened(Opening::Pending), suppress(9_000), 2_000);
    assert_eq!(
        (held.to, alert.suppressed_until_ms, alert.fired_at_ms),
        (State::Suppressed, Some(9_000), Some(2_000))
    );
    let alert = no_step(&alert, Event::Fire { value: None, reason: String::new() }, 3_000);
    let alert = no_step(&alert, suppress(12_000), 3_000);
    let (alert, fired) = step(&alert, Event::Unsuppress { why: "window upgrade ended".into() }, 12_000);
    assert_eq!((fired.to, alert.suppressed_until_ms, alert.fired_at_ms), (State::Firing, None, Some(12_000)));
    let (alert, _) = step(&alert, acknowledge("alice"), 13_000);
    no_step(&alert, suppress(20_000), 14_000);
}

#[test]
fn escalation_ends_with_acknowledgement() {
    let alert = no_step(&opened(Opening::Firing), Event::Escalated { level: 2 }, 2_000);
    assert_eq!(alert.escalation_level, 2);
    let (alert, _) = step(&alert, acknowledge("alice"), 3_000);
    assert!(apply(&alert, Event::Escalated { level: 3 }, 4_000).is_err());
}

#[test]
fn what_was_resolved_by_hand_opens_again_after_a_good_value_or_the_repeat_interval() {
    let (by_hand, _) = step(&opened(Opening::Firing), resolve("alice"), 2_000);
    let (by_itself, _) = step(&opened(Opening::Firing), clear(), 2_000);
    let rows = [
        (&by_itself, false, 2_001, true),
        (&by_hand, false, 2_001, false),
        (&by_hand, true, 2_001, true),
        (&by_hand, false, 11_999, false),
        (&by_hand, false, 12_000, true),
    ];
    for (alert, good_since, now_ms, expected) in rows {
        assert_eq!(reopens(alert, good_since, now_ms, 10_000), expected, "{good_since} {now_ms}");
    }
    assert!(!reopens(&opened(Opening::Firing), true, 99_000, 10_000), "it is open");
}

#[test]
fn it_is_written_as_clients_know_it() {
    let (alert, transition) = open(new(), Opening::Firing, "alice", "posted", 1_795_223_722_042);
    let value = serde_json::to_value(&alert).unwrap();
    assert_eq!(value["fired_at"], "2026-11-21T01:15:22.042Z");
    assert_eq!(value["started_at"], "1970-01-01T00:00:01.000Z");
    assert_eq!((&value["state"], &value["severity"]), (&"firing".into(), &"warning".into()));
    assert!(value["resolved_at"].is_null() && value.get("fired_at_ms").is_none());
    let value = serde_json::to_value(&transition).unwrap();
    let expected = serde_json::json!({
        "at": "2026-11-21T01:15:22.042Z", "from": null, "to": "firing", "actor": "alice", "reason": "posted",
        "value": 91.0, "comment": null,
    });
    assert_eq!(value, expected);
}

fn any_opening() -> impl Strategy<Value = Opening> {
    prop_oneof![
        Just(Opening::Pending),
        Just(Opening::Firing),
        Just(Opening::Suppressed { why: "window".into(), until_ms: Some(7) }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let actor = prop::sample::select(vec!["alice", "bob"]);
    let value = prop::option::of(0.0..100.0);
    prop_oneof![
        (value.clone(), "[a-z]{0,4}").prop_map(|(value, reason)| Event::Fire { value, reason }),
        value.clone().prop_map(|value| Event::Breach { value, severity: None, message: None }),
        value.clone().prop_map(|value| Event::Drop { value }),
        (value, "[a-z]{0,4}").prop_map(|(value, reason)| Event::Clear { value, reason }),
        (actor.clone(), prop::option::of("[a-z]{0,4}"))
            .prop_map(|(actor, comment)| Event::Acknowledge { actor: actor.into(), comment }),
        actor.prop_map(resolve),
        prop::option::of(any::<u64>())
            .prop_map(|until_ms| Event::Suppress { why: "window".into(), until_ms }),
        Just(Event::Unsuppress { why: "over".into() }),
        Just(Event::Notified),
        (0..5_u32).prop_map(|level| Event::Escalated { level }),
        any::<u8>().prop_map(|score| Event::Scored { score }),
    ]
}

proptest! {
    #[test]
    fn no_step_is_illegal_and_the_history_leads_to_the_same_state(
        opening in any_opening(),
        events in prop::collection::vec(any_event(), 0..40),
    ) {
        let (mut alert, born) = open(new(), opening, HUB, "above 90", 1_000);
        let mut history = vec![born];
        for (event, at_ms) in events.into_iter().zip(1_001..) {
            let Ok((next, transition)) = apply(&alert, event, at_ms) else { continue };
            prop_assert_eq!(transition.is_some(), next.state != alert.state);
            prop_assert_eq!(next.version > alert.version, next != alert);
            if let Some(transition) = transition {
                prop_assert_eq!(transition.from, Some(alert.state));
                prop_assert_eq!(transition.to, next.state);
                prop_assert!(may_step(transition.from, transition.to), "{:?}", transition);
                history.push(transition);
            }
            prop_assert_eq!(next.resolved_at_ms.is_some(), next.state == State::Resolved);
            prop_assert!(next.suppressed_until_ms.is_none() || next.state == State::Suppressed);
            prop_assert!(next.score <= 100);
            alert = next;
        }
        let expected = Replayed {
            state: alert.state,
            fired_at_ms: alert.fired_at_ms,
            acknowledged: alert.acknowledged_by.clone().zip(alert.acknowledged_at_ms),
            resolved: alert.resolved_by.clone().zip(alert.resolved_at_ms),
            reason: alert.reason,
        };
        prop_assert_eq!(replay(&history), Some(expected));
        // A step that is missing, other than the last, is noticed.
        if history.len() > 1 {
            prop_assert_eq!(replay(&history[1..]), None);
        }
    }
}
