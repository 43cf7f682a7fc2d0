//! What holds an alert back: a window, another alert, its own coming and going.

use super::super::entity::State;
use super::super::lifecycle::Event;
use super::super::subject::Subject;
use super::super::suppression::suppressed_by;
use super::decisions::{Brief, Decision};
use super::{Book, Change};
use crate::clock::rfc3339;

/// What holds an alert back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    /// In words, as the reason of the alert.
    pub(super) why: String,
    /// Until when, Unix milliseconds, if that is known.
    pub(super) until_ms: Option<u64>,
    /// The window, if it is one.
    pub(super) window: Option<String>,
}

impl Book {
    /// What holds back an alert that would fire now.
    pub(super) fn hold(&self, subject: &Subject<'_>, now_ms: u64) -> Option<Hold> {
        if let Some((window, until_ms)) = suppressed_by(&self.windows, subject, now_ms) {
            let why = format!("suppressed by maintenance {} until {}", window.name, minute(until_ms));
            return Some(Hold { why, until_ms: Some(until_ms), window: Some(window.name.clone()) });
        }
        if let Some((rule, source)) = self.inhibitions.inhibited_by(subject) {
            let title = self.open.get(source).map_or("another alert", |entry| entry.alert.title.as_str());
            let why = format!("held: inhibited by {title} (inhibition {})", rule.id);
            return Some(Hold { why, until_ms: None, window: None });
        }
        let flapping = self.flapping.get(subject.fingerprint).filter(|flapping| flapping.is_held())?;
        let limit = self.flap_limit(subject.fingerprint);
        let why = format!("held: {}", flapping.reason(&limit));
        Some(Hold { why, until_ms: flapping.due_ms(&limit), window: None })
    }

    /// The same for an open alert.
    pub(super) fn hold_of(&self, fingerprint: &str, now_ms: u64) -> Option<Hold> {
        let alert = &self.open.get(fingerprint)?.alert;
        self.hold(&Subject::of(alert, self.metric_of(alert.rule_id.as_deref())), now_ms)
    }

    /// Notes what holds an alert back, and is the event that says so.
    pub(super) fn held(&mut self, fingerprint: &str, hold: Hold) -> Event {
        let event = Event::Suppress { why: hold.why.clone(), until_ms: hold.until_ms };
        if let Some(entry) = self.open.get_mut(fingerprint) {
            entry.hold = Some(hold);
        }
        event
    }

    /// Holds back what is to be held back by now, and lets go what is not. Firing alerts are looked at only when
    /// something that may hold them changed.
    pub(super) fn hold_and_let_go(&mut self, with_firing: bool, now_ms: u64, out: &mut Vec<Change>) {
        let wanted = |state| state == State::Suppressed || (with_firing && state == State::Firing);
        let looked_at: Vec<String> = self
            .open
            .iter()
            .filter(|(_, entry)| wanted(entry.alert.state))
            .map(|(fingerprint, _)| fingerprint.clone())
            .collect();
        for fingerprint in looked_at {
            let hold = self.hold_of(&fingerprint, now_ms);
            let Some(entry) = self.open.get_mut(&fingerprint) else { continue };
            let is_held = entry.alert.state == State::Suppressed;
            match hold {
                Some(hold) if entry.hold.as_ref() != Some(&hold) => {
                    let event = self.held(&fingerprint, hold);
                    self.happen(&fingerprint, event, now_ms, out);
                    self.flush_one(&fingerprint, out);
                }
                Some(_as_before) => {}
                None if is_held => {
                    let window = entry.hold.take().and_then(|hold| hold.window);
                    let why = match &window {
                        Some(name) => format!("maintenance {name} is over, and the condition still holds"),
                        None => "nothing holds it back any more, and the condition still holds".to_owned(),
                    };
                    self.happen(&fingerprint, Event::Unsuppress { why }, now_ms, out);
                    if let (Some(window), Some(entry)) = (window, self.open.get(&fingerprint)) {
                        self.noted.push(Decision::SilenceEnded { alert: Brief::of(&entry.alert), window });
                    }
                }
                None => {}
            }
        }
    }

    fn flap_limit(&self, fingerprint: &str) -> super::super::flap::FlapLimit {
        let alert = self.open.get(fingerprint).map(|entry| &entry.alert);
        let origin = alert.and_then(|alert| alert.rule_id.as_ref()).and_then(|id| self.origins.get(id));
        origin.map(|origin| origin.flap).unwrap_or_default()
    }
}

/// A time to the minute, for people.
fn minute(unix_ms: u64) -> String {
    let text = rfc3339(unix_ms);
    format!("{} {} UTC", &text[..10], &text[11..16])
}
