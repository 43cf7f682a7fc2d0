//! Alerts that hold others back: while a source fires, matching targets with the same labels are muted.
//!
//! Sources are kept by the values of the labels that must be equal, so that a target is looked up and not compared
//! with every alert that fires.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::field_error::FieldError;
use super::matchers::{MATCHERS_MAX, Matcher};
use super::subject::Subject;

/// Labels that must be equal, at most.
const EQUAL_MAX: usize = 16;

/// An inhibition rule as it is given.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InhibitionDefinition {
    /// Which alerts hold others back, each condition as `name=~"value"`.
    pub source_matchers: Vec<String>,
    /// Which alerts are held back.
    pub target_matchers: Vec<String>,
    /// Labels that both must have alike; one that is missing is empty.
    pub equal: Vec<String>,
}

/// An inhibition rule that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Inhibition {
    /// Its identity.
    pub id: String,
    /// Which alerts hold others back.
    pub source: Vec<Matcher>,
    /// Which alerts are held back.
    pub target: Vec<Matcher>,
    /// Labels that both must have alike; one that is missing is empty.
    pub equal: Vec<String>,
}

impl InhibitionDefinition {
    /// The rule, or every bad field.
    pub fn check(&self, id: &str) -> Result<Inhibition, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut read = |pointer: &str, texts: &[String]| {
            if texts.is_empty() || texts.len() > MATCHERS_MAX {
                errors.push(FieldError::new(pointer, format!("must be 1 to {MATCHERS_MAX} matchers")));
                return Vec::new();
            }
            let mut matchers = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                match Matcher::parse(text) {
                    Ok(matcher) => matchers.push(matcher),
                    Err(error) => errors.push(FieldError::new(format!("{pointer}/{at}"), error.to_string())),
                }
            }
            matchers
        };
        let source = read("/source_matchers", &self.source_matchers);
        let target = read("/target_matchers", &self.target_matchers);
        if self.equal.len() > EQUAL_MAX {
            errors.push(FieldError::new("/equal", format!("must be at most {EQUAL_MAX} labels")));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Inhibition { id: id.to_owned(), source, target, equal: self.equal.clone() })
    }
}

impl Inhibition {
    fn is_source(&self, subject: &Subject<'_>) -> bool {
        subject.matches_all(&self.source)
    }

    fn is_target(&self, subject: &Subject<'_>) -> bool {
        subject.matches_all(&self.target)
    }

    fn key(&self, subject: &Subject<'_>) -> Key {
        self.equal.iter().map(|name| subject.label(name).unwrap_or_default().to_owned()).collect()
    }
}

/// The values of the labels that must be equal.
type Key = Vec<String>;

/// A fingerprint, and whether that alert is a target of the same rule.
type Source = (String, bool);

/// The alerts that fire and are a source of one rule.
#[derive(Debug, Default)]
struct Sources {
    by_key: HashMap<Key, BTreeSet<Source>>,
    /// Where each fingerprint is: a label such as the severity may change while it fires.
    of: HashMap<String, (Key, bool)>,
}

impl Sources {
    fn add(&mut self, fingerprint: &str, key: Key, both: bool) -> bool {
        let there = (key.clone(), both);
        if self.of.get(fingerprint) == Some(&there) {
            return false;
        }
        self.remove(fingerprint);
        self.by_key.entry(key).or_default().insert((fingerprint.to_owned(), both));
        self.of.insert(fingerprint.to_owned(), there);
        true
    }

    fn remove(&mut self, fingerprint: &str) -> bool {
        let Some((key, both)) = self.of.remove(fingerprint) else { return false };
        if let Some(there) = self.by_key.get_mut(&key) {
            there.remove(&(fingerprint.to_owned(), both));
            if there.is_empty() {
                self.by_key.remove(&key);
            }
        }
        true
    }
}

/// The rules, and the alerts that fire and are a source of one.
#[derive(Debug, Default)]
pub struct Inhibitions {
    rules: Vec<(Inhibition, Sources)>,
}

impl Inhibitions {
    /// These rules, and no source yet: tell it what fires.
    pub fn new(rules: Vec<Inhibition>) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, Sources::default())).collect() }
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &Inhibition> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// An alert fires (or is acknowledged: its cause lasts), or changed meanwhile. True when the sources changed, so
    /// that targets may.
    pub fn fires(&mut self, subject: &Subject<'_>) -> bool {
        let mut changed = false;
        for (rule, sources) in &mut self.rules {
            changed |= if rule.is_source(subject) {
                sources.add(subject.fingerprint, rule.key(subject), rule.is_target(subject))
            } else {
                sources.remove(subject.fingerprint)
            };
        }
        changed
    }

    /// An alert does not fire any more. True when it was a source.
    pub fn ends(&mut self, fingerprint: &str) -> bool {
        // Every rule is to forget it.
        self.rules
            .iter_mut()
            .map(|(_, sources)| sources.remove(fingerprint))
            .fold(false, |any, one| any | one)
    }

    /// The rule that holds an alert back, and the fingerprint of the source. Never an alert by itself, and never one
    /// that is both source and target by another such: two of a kind would mute each other.
    pub fn inhibited_by(&self, subject: &Subject<'_>) -> Option<(&Inhibition, &str)> {
        self.rules.iter().find_map(|(rule, sources)| {
            if !rule.is_target(subject) {
                return None;
            }
            let is_both = rule.is_source(subject);
            let mut there = sources.by_key.get(&rule.key(subject))?.iter();
            let (fingerprint, _) =
                there.find(|(source, both)| source != subject.fingerprint && !(is_both && *both))?;
            Some((rule, fingerprint.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::Labels;
    use super::*;

    fn rule(source: &str, target: &str, equal: &[&str]) -> Inhibition {
        let texts = |text: &str| vec![text.to_owned()];
        let definition = InhibitionDefinition {
            source_matchers: texts(source),
            target_matchers: texts(target),
            equal: equal.iter().map(|name| (*name).to_owned()).collect(),
        };
        definition.check("r").unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn subject<'a>(fingerprint: &'a str, severity: &'a str, labels: &'a Labels) -> Subject<'a> {
        Subject { fingerprint, metric: None, service: None, severity, labels }
    }

    #[test]
    fn a_source_that_fires_mutes_targets_with_the_same_labels() {
        let mut inhibitions =
            Inhibitions::new(vec![rule("severity=critical", "severity=warning", &["node"])]);
        let (web, db, none) = (labels(&[("node", "web")]), labels(&[("node", "db")]), labels(&[]));
        let target = subject("t", "warning", &web);
        assert!(inhibitions.inhibited_by(&target).is_none());
        let source = subject("s", "critical", &web);
        assert!(inhibitions.fires(&source) && !inhibitions.fires(&source), "told once");
        assert_eq!(
            inhibitions.inhibited_by(&target).map(|(rule, by)| (rule.id.as_str(), by)),
            Some(("r", "s"))
        );
        assert!(inhibitions.inhibited_by(&subject("t", "warning", &db)).is_none());
        assert!(inhibitions.inhibited_by(&subject("t", "info", &web)).is_none());
        assert!(inhibitions.inhibited_by(&subject("t", "warning", &none)).is_none());
        assert!(inhibitions.ends("s") && !inhibitions.ends("s"));
        assert!(inhibitions.inhibited_by(&target).is_none());
        inhibitions.fires(&source);
        assert!(inhibitions.fires(&subject("s", "error", &web)), "no source any more");
        assert!(inhibitions.inhibited_by(&target).is_none());
    }

    #[test]
    fn labels_that_both_lack_are_equal() {
        let mut inhibitions = Inhibitions::new(vec![rule("a=1", "b=1", &["node", "zone"])]);
        let (source, target) = (labels(&[("a", "1"), ("zone", "")]), labels(&[("b", "1")]));
        inhibitions.fires(&subject("s", "info", &source));
        assert!(inhibitions.inhibited_by(&subject("t", "info", &target)).is_some());
    }

    #[test]
    fn no_alert_mutes_itself_nor_its_like() {
        let mut inhibitions = Inhibitions::new(vec![rule("team=a", "node=~.*", &[])]);
        let (both, target) = (labels(&[("team", "a")]), labels(&[("team", "b")]));
        inhibitions.fires(&subject("one", "info", &both));
        inhibitions.fires(&subject("two", "info", &both));
        assert!(inhibitions.inhibited_by(&subject("one", "info", &both)).is_none());
        assert!(inhibitions.inhibited_by(&subject("other", "info", &target)).is_some());
    }

    #[test]
    fn every_bad_field_is_told() {
        let definition = InhibitionDefinition {
            source_matchers: vec!["a=1".into(), "x".into()],
            target_matchers: vec![],
            equal: vec!["l".into(); 17],
        };
        let told: Vec<_> =
            definition.check("r").unwrap_err().into_iter().map(|error| error.pointer).collect();
        assert_eq!(told, ["/source_matchers/1", "/target_matchers", "/equal"]);
    }
}
