//! What the book remembers beside its alerts, and when it forgets it.

use super::*;

fn resolve() -> Event {
    Event::Resolve { actor: "alice".into(), comment: None }
}

fn window(end_ms: u64) -> Policies {
    let definition = WindowDefinition {
        name: "upgrade".into(),
        matchers: vec!["node=web-1".into()],
        start: Some(rfc3339(START_MS)),
        end: Some(rfc3339(end_ms)),
        ..WindowDefinition::default()
    };
    Policies { windows: vec![definition.check("w").unwrap()], ..Policies::default() }
}

#[test]
fn with_a_rule_goes_what_was_known_of_its_alerts() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.by_hand(resolve()).unwrap();
    desk.book.rule_gone("cpu", "deleted", desk.now_ms, &mut desk.out);
    desk.out.clear();
    assert!(desk.book.signal(signal(&rule, "web-1", News::Firing), desk.now_ms, &mut desk.out));
    assert_eq!(steps(&mut desk.out), [], "it is gone: what is on its way changes nothing");
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(None, State::Firing)], "it is back");
    for _ in 0..2 {
        desk.tell(signal(&rule, "web-1", over));
        desk.tell(signal(&rule, "web-1", News::Firing));
    }
    assert_eq!(desk.only().state, State::Suppressed, "it flaps");
    desk.book.rule_gone("cpu", "deleted", desk.now_ms, &mut desk.out);
    desk.out.clear();
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(None, State::Firing)]);
}

#[test]
fn coming_and_going_counts_from_pending_too() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    for _ in 0..2 {
        desk.tell(signal(&rule, "web-1", News::Pending));
        desk.tell(signal(&rule, "web-1", News::Firing));
        desk.tell(signal(&rule, "web-1", over));
    }
    desk.tell(signal(&rule, "web-1", News::Pending));
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(Some(State::Pending), State::Suppressed)]);
}

#[test]
fn a_breach_that_began_after_the_one_that_was_resolved_by_hand_is_another() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let since = |since_ms| Signal { since_ms, ..signal(&rule, "web-1", News::Firing) };
    desk.tell(since(7));
    desk.by_hand(resolve()).unwrap();
    desk.out.clear();
    assert_eq!(desk.tell(since(7)), [], "it holds on");
    assert_eq!(desk.tell(since(8)), [(None, State::Firing)], "its end was not heard");
}

#[test]
fn what_was_resolved_by_hand_is_forgotten_when_it_matters_no_more() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.by_hand(resolve()).unwrap();
    desk.pass(14_399_999);
    assert_eq!(desk.book.closed_by_hand.len(), 1);
    desk.pass(1);
    assert!(desk.book.closed_by_hand.is_empty());
}

#[test]
fn of_what_nobody_was_told_nobody_is_told_the_end() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.tell(signal(&rule, "web-1", over));
    assert!(desk.book.over.is_empty());
}

#[test]
fn a_rule_that_groups_otherwise_has_its_alerts_told_once() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    let otherwise = Arc::new(Origin { group_by: Vec::new(), ..(*rule).clone() });
    desk.book.of_rule(&otherwise);
    desk.now_ms += 30_000;
    assert_eq!(desk.decide().len(), 1);
}

#[test]
fn an_alert_from_outside_that_is_taken_up_is_told_of_its_end_alone() {
    let mut desk = Desk::new();
    let posted = Posted { service: None, text: text(Severity::Warning, &[]), ends_at_ms: None };
    desk.book.post(posted, "cron", desk.now_ms, &mut desk.out).unwrap();
    desk.now_ms += 30_000;
    assert_eq!(desk.decide().len(), 1);
    let kept = desk.only().clone();
    let mut later = Desk { now_ms: desk.now_ms, ..Desk::new() };
    later.book.resume(kept);
    later.now_ms += 30_000;
    assert_eq!(later.decide(), []);
    later.by_hand(resolve()).unwrap();
    later.now_ms += 300_000;
    let decided = later.decide();
    let [decisions::Decision::Group { firing, ended, .. }] = &decided[..] else { panic!("{decided:?}") };
    assert_eq!((firing.len(), ended.len()), (0, 1));
}

#[test]
fn what_is_counted_is_kept_once() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.pass(0);
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.now_ms += 5_000;
    desk.book.tick(desk.now_ms, &mut desk.out);
    assert_eq!(desk.out.drain(..).count(), 1);
    desk.now_ms += 5_000;
    desk.book.tick(desk.now_ms, &mut desk.out);
    assert_eq!(desk.out, []);
    // Whoever posts is answered with what is kept.
    let posted = Posted { service: None, text: text(Severity::Warning, &[]), ends_at_ms: None };
    desk.book.post(posted.clone(), "cron", desk.now_ms, &mut desk.out).unwrap();
    desk.out.clear();
    desk.book.post(posted, "cron", desk.now_ms, &mut desk.out).unwrap();
    let kept: Vec<_> = desk.out.iter().map(|change| (change.alert.count, change.is_told)).collect();
    assert_eq!(kept, [(2, false)]);
}

#[test]
fn a_window_that_lasts_longer_now_is_told_by_what_it_holds_back() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.book.lay_down(window(START_MS + 60_000), desk.now_ms, &mut desk.out);
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.book.lay_down(window(START_MS + 120_000), desk.now_ms, &mut desk.out);
    let until: Vec<_> = desk.out.iter().map(|change| change.alert.suppressed_until_ms).collect();
    assert_eq!(until, [Some(START_MS + 120_000)], "and is kept");
    desk.out.clear();
    assert_eq!(desk.pass(60_000), []);
    assert!(!desk.book.has_due(desk.now_ms));
    assert_eq!(desk.pass(60_000), [(Some(State::Suppressed), State::Firing)]);
    assert!(desk.book.has_due(desk.now_ms), "that the window is over is told at once");
}

#[test]
fn an_inhibition_that_is_laid_down_holds_back_what_fires_already() {
    let mut desk = Desk::new();
    let cpu = origin("cpu");
    let down = Arc::new(Origin { metric: Some("node_down".into()), ..(*origin("down")).clone() });
    desk.tell(signal(&cpu, "web-1", News::Firing));
    desk.tell(signal(&down, "web-1", News::Firing));
    let definition = InhibitionDefinition {
        source_matchers: vec!["metric=node_down".into()],
        target_matchers: vec!["metric=cpu_percent".into()],
        equal: vec!["node".into()],
    };
    let inhibitions = vec![definition.check("down").unwrap()];
    desk.book.lay_down(Policies { inhibitions, ..Policies::default() }, desk.now_ms, &mut desk.out);
    assert_eq!(steps(&mut desk.out), [(Some(State::Firing), State::Suppressed)]);
}

#[test]
fn what_somebody_has_in_hand_grows_more_urgent_as_well() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.by_hand(acknowledge("alice")).unwrap();
    let before = desk.only().score;
    desk.pass(6 * 3_600_000);
    assert!(desk.only().score > before, "{before}");
}

#[test]
fn samples_that_another_owner_had_evaluated_open_no_alert_again() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let since = |since_ms, news| Signal { since_ms, ..signal(&rule, "web-1", news) };
    desk.tell(since(START_MS + 40, News::Firing));
    let ended = Alert { resolved_at_ms: Some(START_MS + 90), ..desk.only().clone() };
    let mut next = Desk::new();
    next.book.resume_over(vec![ended], next.now_ms);
    assert_eq!(next.tell(since(START_MS + 40, News::Firing)), [], "the same");
    assert_eq!(next.tell(since(START_MS + 60, News::Pending)), [], "seen from its middle on");
    assert_eq!(next.tell(since(START_MS + 91, News::Firing)), [(None, State::Firing)], "another");
    assert_eq!(next.tell(since(START_MS + 95, over)), [(Some(State::Firing), State::Resolved)]);
    next.pass(15_000);
    // By then what comes again has come, and a clock may be behind the hub's.
    assert_eq!(next.tell(since(START_MS + 60, News::Firing)), [(None, State::Firing)]);
    assert_eq!(next.tell(since(START_MS + 60, over)), [(Some(State::Firing), State::Resolved)]);
    assert_eq!(next.tell(since(START_MS + 40, News::Firing)), []);
}
