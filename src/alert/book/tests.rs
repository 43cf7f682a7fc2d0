mod remembered;

use std::collections::HashMap;
use std::sync::Arc;

use super::super::escalation::{Level, Policy};
use super::super::inhibition::InhibitionDefinition;
use super::super::policies::Policies;
use super::super::suppression::WindowDefinition;
use super::super::{FlapLimit, Labels, Severity};
use super::*;
use crate::clock::rfc3339;

const START_MS: u64 = 1_795_223_722_000;

fn terms() -> Terms {
    let timing = Timing { group_wait_ms: 30_000, group_interval_ms: 300_000, repeat_interval_ms: 14_400_000 };
    Terms { open_max: 4, timing, weights: HashMap::from([("shop".to_owned(), 2.0)]) }
}

fn origin(rule: &str) -> Arc<Origin> {
    Arc::new(Origin {
        rule_id: rule.to_owned(),
        rule_name: format!("Rule {rule}"),
        metric: Some("cpu_percent".to_owned()),
        group_by: vec!["zone".to_owned()],
        flap: FlapLimit { transitions: 4, window_ms: 600_000 },
        escalation_policy_id: Some("on-call".to_owned()),
    })
}

fn text(severity: Severity, labels: &[(&str, &str)]) -> Text {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Text { severity, title: "CPU".into(), message: "91".into(), labels, annotations: Labels::new() }
}

fn signal(origin: &Arc<Origin>, node: &str, news: fn(Box<Text>) -> News) -> Signal {
    let text = text(Severity::Error, &[("node", node), ("zone", "a")]);
    Signal {
        origin: origin.clone(),
        fingerprint: format!("{}/{node}", origin.rule_id),
        news: news(Box::new(text)),
        since_ms: START_MS,
        value: Some(91.0),
        reason: "value 91 > 80".into(),
    }
}

#[expect(clippy::boxed_local, reason = "as the constructors of the other news")]
fn over(_text: Box<Text>) -> News {
    News::Over
}

/// What became of alerts: title, states from and to.
fn steps(changes: &mut Vec<Change>) -> Vec<(Option<State>, State)> {
    let steps = changes.drain(..).filter_map(|change| change.transition);
    steps.map(|step| (step.from, step.to)).collect()
}

struct Desk {
    book: Book,
    out: Vec<Change>,
    now_ms: u64,
}

impl Desk {
    fn new() -> Self {
        Self { book: Book::new(terms()), out: Vec::new(), now_ms: START_MS }
    }

    fn tell(&mut self, signal: Signal) -> Vec<(Option<State>, State)> {
        self.book.of_rule(&signal.origin);
        assert!(self.book.signal(signal, self.now_ms, &mut self.out));
        steps(&mut self.out)
    }

    fn pass(&mut self, ms: u64) -> Vec<(Option<State>, State)> {
        self.now_ms += ms;
        self.book.tick(self.now_ms, &mut self.out);
        steps(&mut self.out)
    }

    fn decide(&mut self) -> Vec<decisions::Decision> {
        let decided = self.book.decide(self.now_ms, &mut self.out);
        self.out.clear();
        decided
    }

    fn only(&self) -> &Alert {
        let mut open = self.book.open.values();
        let (Some(entry), None) = (open.next(), open.next()) else { panic!("not one: {:?}", self.book.open) };
        &entry.alert
    }

    fn by_hand(&mut self, event: Event) -> Result<Alert, BookError> {
        let id = self.only().id.clone();
        self.book.by_hand(&id, event, self.now_ms, &mut self.out)
    }
}

fn acknowledge(actor: &str) -> Event {
    Event::Acknowledge { actor: actor.into(), comment: None }
}

#[test]
fn a_rule_walks_an_alert_through_its_life() {
    use State::{Acknowledged, Firing, Pending, Resolved};
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Pending)), [(None, Pending)]);
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(Some(Pending), Firing)]);
    assert_eq!(desk.only().reason, "value 91 > 80");
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [], "counted, no step");
    assert_eq!(desk.only().count, 3);
    assert_eq!(desk.by_hand(acknowledge("alice")).unwrap().state, Acknowledged);
    let late = desk.by_hand(acknowledge("bob"));
    assert_eq!(late, Err(BookError::Refused(Refused::AcknowledgedBy { by: "alice".into() })));
    assert_eq!(desk.by_hand(acknowledge("alice")).unwrap().state, Acknowledged, "again is fine");
    desk.out.clear();
    assert_eq!(desk.tell(signal(&rule, "web-1", over)), [(Some(Acknowledged), Resolved)]);
    assert!(desk.book.is_empty() && desk.book.ids.is_empty() && desk.book.by_rule.is_empty());
}

#[test]
fn one_good_value_drops_what_is_pending() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Pending));
    assert_eq!(desk.tell(signal(&rule, "web-1", over)), [(Some(State::Pending), State::Resolved)]);
    assert_eq!(desk.tell(signal(&rule, "web-1", over)), [], "nothing is open");
}

#[test]
fn what_was_resolved_by_hand_stays_so_until_a_good_value_or_the_repeat_interval() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let resolve = Event::Resolve { actor: "alice".into(), comment: Some("known".into()) };
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.by_hand(resolve.clone()).unwrap();
    desk.out.clear();
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), []);
    assert_eq!(desk.tell(signal(&rule, "web-1", over)), []);
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(None, State::Firing)]);
    desk.by_hand(resolve).unwrap();
    desk.out.clear();
    desk.pass(14_400_000);
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(None, State::Firing)]);
}

#[test]
fn a_window_holds_alerts_back_and_says_when_it_ends_and_they_still_hold() {
    use State::{Firing, Suppressed};
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let definition = WindowDefinition {
        name: "upgrade".into(),
        matchers: vec!["node=web-1".into()],
        start: Some(rfc3339(START_MS + 10_000)),
        end: Some(rfc3339(START_MS + 60_000)),
        ..WindowDefinition::default()
    };
    let windows = vec![definition.check("w").unwrap()];
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.book.lay_down(Policies { windows, ..Policies::default() }, desk.now_ms, &mut desk.out);
    assert_eq!(desk.pass(5_000), [], "it has not begun");
    assert_eq!(desk.pass(5_000), [(Some(Firing), Suppressed)]);
    assert_eq!(desk.only().reason, "suppressed by maintenance upgrade until 2026-11-21 01:16 UTC");
    assert_eq!(desk.tell(signal(&rule, "web-2", News::Firing)), [(None, Firing)], "another node");
    assert_eq!(desk.tell(signal(&rule, "web-2", over)).len(), 1);
    assert_eq!(desk.pass(50_000), [(Some(Suppressed), Firing)]);
    assert!(desk.only().reason.contains("upgrade is over, and the condition still holds"));
    let ended = desk.decide();
    assert!(
        matches!(&ended[0], decisions::Decision::SilenceEnded { window, .. } if window == "upgrade"),
        "{ended:?}"
    );
}

#[test]
fn one_that_becomes_due_within_a_window_is_held_at_once() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let definition = WindowDefinition {
        service: Some("shop".into()),
        start: Some(rfc3339(START_MS)),
        end: Some(rfc3339(START_MS + 60_000)),
        ..WindowDefinition::default()
    };
    let windows = vec![definition.check("w").unwrap()];
    desk.book.lay_down(Policies { windows, ..Policies::default() }, desk.now_ms, &mut desk.out);
    let of_shop = |news: fn(Box<Text>) -> News| Signal {
        news: news(Box::new(text(Severity::Error, &[("service", "shop")]))),
        ..signal(&rule, "web-1", news)
    };
    desk.tell(of_shop(News::Pending));
    assert_eq!(desk.only().score, 100, "the service counts twice");
    assert_eq!(desk.tell(of_shop(News::Firing)), [(Some(State::Pending), State::Suppressed)]);
    assert_eq!(desk.tell(of_shop(over)), [(Some(State::Suppressed), State::Resolved)]);
    assert_eq!(desk.tell(of_shop(News::Firing)), [(None, State::Suppressed)]);
}

#[test]
fn a_source_that_fires_mutes_its_targets_until_it_is_over() {
    use State::{Firing, Suppressed};
    let mut desk = Desk::new();
    let definition = InhibitionDefinition {
        source_matchers: vec!["metric=node_down".into()],
        target_matchers: vec!["metric=cpu_percent".into()],
        equal: vec!["node".into()],
    };
    let inhibitions = vec![definition.check("down").unwrap()];
    desk.book.lay_down(Policies { inhibitions, ..Policies::default() }, desk.now_ms, &mut desk.out);
    let cpu = origin("cpu");
    let down = Arc::new(Origin { metric: Some("node_down".into()), ..(*origin("down")).clone() });
    desk.tell(signal(&cpu, "web-1", News::Firing));
    desk.tell(signal(&cpu, "web-2", News::Firing));
    desk.tell(signal(&down, "web-1", News::Firing));
    assert_eq!(desk.pass(1_000), [(Some(Firing), Suppressed)], "web-1 alone");
    assert!(desk.book.open["cpu/web-1"].alert.reason.starts_with("held: inhibited by CPU"));
    desk.tell(signal(&down, "web-1", over));
    assert_eq!(desk.pass(1_000), [(Some(Suppressed), Firing)]);
}

#[test]
fn one_that_comes_and_goes_is_held_until_it_is_quiet() {
    use State::{Firing, Resolved, Suppressed};
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    for _ in 0..2 {
        desk.tell(signal(&rule, "web-1", News::Firing));
        desk.tell(signal(&rule, "web-1", over));
        desk.now_ms += 1_000;
    }
    assert_eq!(desk.tell(signal(&rule, "web-1", News::Firing)), [(None, Suppressed)]);
    assert_eq!(desk.only().reason, "held: flapping, 5 transitions in 10 min");
    assert_eq!(desk.pass(599_000), []);
    assert_eq!(desk.pass(2_000), [(Some(Suppressed), Firing)]);
    assert_eq!(desk.tell(signal(&rule, "web-1", over)), [(Some(Firing), Resolved)]);
}

#[test]
fn groups_are_told_together_and_of_the_end() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.tell(signal(&rule, "web-2", News::Firing));
    assert_eq!(desk.decide(), [], "the group waits");
    desk.now_ms += 30_000;
    let decided = desk.decide();
    let decisions::Decision::Group { origin, firing, ended, .. } = &decided[0] else { panic!("{decided:?}") };
    assert_eq!((origin.as_str(), firing.len(), ended.len()), ("cpu", 2, 0));
    assert!(desk.book.open.values().all(|entry| entry.alert.notified_at_ms == Some(desk.now_ms)));
    desk.tell(signal(&rule, "web-1", over));
    desk.now_ms += 300_000;
    let decided = desk.decide();
    let decisions::Decision::Group { firing, ended, .. } = &decided[0] else { panic!("{decided:?}") };
    assert_eq!((firing.len(), ended.len(), ended[0].state), (1, 1, State::Resolved));
    assert!(desk.book.over.is_empty());
}

#[test]
fn nobody_acknowledges_so_the_next_level_hears_of_it() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    let level = |delay_seconds, target: &str| Level { delay_seconds, targets: vec![target.into()] };
    let policy = Policy { name: "on call".into(), levels: vec![level(60, "first"), level(120, "boss")] };
    let escalations = HashMap::from([("on-call".to_owned(), policy)]);
    desk.book.lay_down(Policies { escalations, ..Policies::default() }, desk.now_ms, &mut desk.out);
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.decide();
    desk.now_ms += 60_000;
    let told = |desk: &mut Desk| {
        desk.pass(0);
        let decided = desk.decide();
        let levels = decided.into_iter().filter_map(|decision| match decision {
            decisions::Decision::Escalation { level, targets, .. } => Some((level, targets)),
            _ => None,
        });
        levels.collect::<Vec<_>>()
    };
    assert_eq!(told(&mut desk), [(1, vec!["first".to_owned()])]);
    assert_eq!(told(&mut desk), [], "once");
    desk.by_hand(acknowledge("alice")).unwrap();
    desk.now_ms += 600_000;
    assert_eq!(told(&mut desk), [], "somebody has it in hand");
}

#[test]
fn as_many_are_open_as_may_be() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    for node in ["a", "b", "c", "d"] {
        desk.tell(signal(&rule, node, News::Firing));
    }
    assert!(!desk.book.signal(signal(&rule, "e", News::Firing), desk.now_ms, &mut desk.out));
    let posted = Posted { service: None, text: text(Severity::Info, &[]), ends_at_ms: None };
    assert_eq!(desk.book.post(posted, "alice", desk.now_ms, &mut desk.out), None);
    assert!(desk.book.signal(signal(&rule, "a", News::Firing), desk.now_ms, &mut desk.out), "open already");
}

#[test]
fn what_is_posted_again_is_the_same_alert_and_ends_when_it_is_not() {
    let mut desk = Desk::new();
    let posted =
        |ends_at_ms| Posted { service: None, text: text(Severity::Warning, &[("a", "b")]), ends_at_ms };
    let first =
        desk.book.post(posted(Some(START_MS + 60_000)), "prometheus", START_MS, &mut desk.out).unwrap();
    let again =
        desk.book.post(posted(Some(START_MS + 90_000)), "prometheus", START_MS, &mut desk.out).unwrap();
    assert_eq!((first.1, again.1, again.0.id), (true, false, first.0.id));
    desk.out.clear();
    assert_eq!(desk.pass(89_999), []);
    assert_eq!(desk.only().count, 2);
    assert_eq!(desk.pass(1), [(Some(State::Firing), State::Resolved)]);
}

#[test]
fn the_alerts_of_a_rule_that_is_gone_end() {
    let (mut desk, rule, other) = (Desk::new(), origin("cpu"), origin("disk"));
    desk.tell(signal(&rule, "web-1", News::Pending));
    desk.tell(signal(&rule, "web-2", News::Firing));
    desk.tell(signal(&other, "web-2", News::Firing));
    desk.book.rule_gone("cpu", "the rule was deleted by alice", desk.now_ms, &mut desk.out);
    assert_eq!(steps(&mut desk.out).len(), 2);
    assert_eq!(desk.only().rule_id.as_deref(), Some("disk"));
}

#[test]
fn a_rule_that_was_replaced_or_is_not_evaluated_has_nothing_to_say() {
    let (mut desk, former, other) = (Desk::new(), origin("cpu"), origin("disk"));
    desk.tell(signal(&former, "web-1", News::Firing));
    desk.tell(signal(&other, "web-1", News::Firing));
    desk.book.of_rule(&origin("cpu"));
    assert!(desk.book.signal(signal(&former, "web-1", over), desk.now_ms, &mut desk.out));
    assert_eq!(steps(&mut desk.out), [], "its successor says when it is over");
    desk.book.only_rules(&HashSet::from(["cpu".to_owned()]), desk.now_ms, &mut desk.out);
    assert_eq!(steps(&mut desk.out), [(Some(State::Firing), State::Resolved)]);
    assert_eq!(desk.only().rule_id.as_deref(), Some("cpu"));
}

#[test]
fn a_book_that_is_taken_up_again_goes_on() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.now_ms += 30_000;
    assert_eq!(desk.decide().len(), 1);
    let kept = desk.only().clone();
    let mut later = Desk { now_ms: desk.now_ms + 5_000, ..Desk::new() };
    later.book.resume(kept.clone());
    assert_eq!(later.book.of_rule(&rule), [kept]);
    assert_eq!(later.decide(), [], "it was told before");
    assert_eq!(later.tell(signal(&rule, "web-1", News::Firing)), [], "it is the same alert");
    assert_eq!(later.tell(signal(&rule, "web-1", over)), [(Some(State::Firing), State::Resolved)]);
    later.now_ms += 300_000;
    let decided = later.decide();
    assert!(
        matches!(&decided[0], decisions::Decision::Group { ended, .. } if ended.len() == 1),
        "{decided:?}"
    );
}

#[test]
fn counts_are_kept_now_and_then_and_the_worst_severity_is_told() {
    let (mut desk, rule) = (Desk::new(), origin("cpu"));
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.pass(0);
    desk.tell(signal(&rule, "web-1", News::Firing));
    desk.now_ms += 5_000;
    desk.book.tick(desk.now_ms, &mut desk.out);
    let kept: Vec<_> = desk.out.drain(..).map(|change| (change.alert.count, change.is_told)).collect();
    assert_eq!(kept, [(2, false)]);
    let worse = Signal {
        news: News::Firing(Box::new(text(Severity::Critical, &[("node", "web-1"), ("zone", "a")]))),
        ..signal(&rule, "web-1", News::Firing)
    };
    assert!(desk.book.signal(worse, desk.now_ms, &mut desk.out));
    let told: Vec<_> = desk.out.drain(..).map(|change| (change.alert.severity, change.is_told)).collect();
    assert_eq!(told, [(Severity::Critical, true)]);
}
