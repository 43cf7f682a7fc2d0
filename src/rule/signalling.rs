//! From a step of a series to what the owner of alerts is told. Pure.

use std::sync::Arc;

use super::checked::Rule;
use super::series::Series;
use super::step::{Explanation, Step};
use super::template::{Facts, Template};
use super::timer::Phase;
use crate::alert::{Alert, FlapLimit, Labels, News, Origin, Signal, Text};

/// Annotations that are the title and the message of an alert: ours, and as Prometheus has them.
const TITLES: [&str; 2] = ["title", "summary"];
const MESSAGES: [&str; 2] = ["message", "description"];

/// The label of an alert that says that a series is silent, and its value.
pub const NO_DATA: (&str, &str) = ("no_data", "true");

/// Where the run book is told.
const RUNBOOK: &str = "runbook_url";

/// Says what steps of a rule mean.
#[derive(Debug)]
pub(super) struct Signalling {
    rule: Arc<Rule>,
    origin: Arc<Origin>,
}

impl Signalling {
    pub(super) fn new(rule: Arc<Rule>) -> Self {
        let definition = rule.definition();
        let flap = rule.flap().map_or_else(FlapLimit::default, |flap| FlapLimit {
            transitions: flap.transitions,
            window_ms: flap.window_ms,
        });
        let origin = Origin {
            rule_id: definition.id.clone().unwrap_or_default(),
            rule_name: definition.name.clone(),
            metric: definition.condition.metric.clone(),
            group_by: definition.group_by.clone(),
            flap,
            escalation_policy_id: definition.escalation_policy_id.clone(),
        };
        Self { origin: Arc::new(origin), rule }
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    pub(super) fn signal(&self, step: Step) -> Signal {
        let Step { is_silence, series, at_ms, to, value, reason, .. } = step;
        if is_silence {
            return self.silence(&series, to, at_ms, &self.rule.words(&reason));
        }
        let since_ms = at_ms.saturating_sub(reason.held_ms);
        self.told(&series, to, since_ms, value, &self.rule.words(&reason))
    }

    /// Where a series is, for an owner of alerts that does not know.
    pub(super) fn standing(&self, told: Explanation, now_ms: u64) -> Signal {
        let Explanation { is_silence, metric, labels, phase, since_ms, value, reason, .. } = told;
        let (series, since_ms) = (Series::new(metric, labels), since_ms.unwrap_or(now_ms));
        let reason = reason
            .map_or_else(|| "it held before the hub started".to_owned(), |reason| self.rule.words(&reason));
        if is_silence {
            return self.silence(&series, phase, since_ms, &reason);
        }
        self.told(&series, phase, since_ms, value, &reason)
    }

    /// Whether an alert of this rule says that a series is silent.
    pub(super) fn is_silence(&self, alert: &Alert) -> bool {
        let (name, value) = NO_DATA;
        alert.labels.get(name).is_some_and(|is| is == value)
            && !self.rule.labels().iter().any(|(label, _)| label == name)
    }

    /// A series did not come back, or its alert is none of the rule's any more.
    pub(super) fn gone(&self, fingerprint: String, reason: &str) -> Signal {
        Signal {
            origin: self.origin.clone(),
            fingerprint,
            news: News::Over,
            since_ms: 0,
            value: None,
            reason: reason.to_owned(),
        }
    }

    fn told(&self, series: &Series, phase: Phase, since_ms: u64, value: Option<f64>, reason: &str) -> Signal {
        let text = || Box::new(self.text(series, value, reason));
        let news = match phase {
            Phase::Ok => News::Over,
            Phase::Pending => News::Pending(text()),
            Phase::Firing => News::Firing(text()),
        };
        Signal {
            origin: self.origin.clone(),
            fingerprint: self.rule.fingerprint(series),
            news,
            since_ms,
            value,
            reason: reason.to_owned(),
        }
    }

    /// The alert that a series is silent: as severe as the rule, and with its labels.
    fn silence(&self, series: &Series, phase: Phase, since_ms: u64, reason: &str) -> Signal {
        let text = || {
            let mut text = self.text(series, None, reason);
            // What people wrote for a breach is not true of a silence.
            TITLES.iter().chain(&MESSAGES).for_each(|name| drop(text.annotations.remove(*name)));
            text.title = format!("No data: {}", self.named(series));
            text.message = format!("{}: {reason}", series.metric());
            let (name, value) = NO_DATA;
            text.labels.insert(name.to_owned(), value.to_owned());
            Box::new(text)
        };
        Signal {
            origin: self.origin.clone(),
            fingerprint: self.rule.silence_fingerprint(series),
            news: if phase == Phase::Ok { News::Over } else { News::Firing(text()) },
            since_ms,
            value: None,
            reason: reason.to_owned(),
        }
    }

    /// The rule, and the node.
    fn named(&self, series: &Series) -> String {
        let name = &self.rule.definition().name;
        match series.labels().get("node") {
            Some(node) => format!("{name} on {node}"),
            None => name.clone(),
        }
    }

    fn text(&self, series: &Series, value: Option<f64>, reason: &str) -> Text {
        let severity = self.rule.severity(value);
        let definition = self.rule.definition();
        let facts = Facts {
            rule: &definition.name,
            metric: series.metric(),
            labels: series.labels(),
            value,
            severity: severity.as_str(),
        };
        let render = |texts: &[(String, Template)]| -> Labels {
            texts.iter().map(|(name, template)| (name.clone(), template.render(&facts))).collect()
        };
        let mut labels = series.labels().clone();
        labels.extend(render(self.rule.labels()));
        let mut annotations = render(self.rule.annotations());
        if let Some(url) = &definition.runbook_url {
            annotations.entry(RUNBOOK.to_owned()).or_insert_with(|| url.clone());
        }
        let named = |names: [&str; 2]| names.into_iter().find_map(|name| annotations.get(name).cloned());
        let title = named(TITLES).unwrap_or_else(|| self.named(series));
        let message = named(MESSAGES).unwrap_or_else(|| format!("{} {reason}", series.metric()));
        Text { severity, title, message, labels, annotations }
    }
}
