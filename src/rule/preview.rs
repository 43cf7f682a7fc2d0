//! What a rule would have done with samples that are there already. Pure.
//!
//! The evaluator is the one that rules work with; time is that of the samples, with a tick a second between them where one
//! is worth it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checked::Rule;
use super::evaluator::Evaluator;
use super::series::Series;
use super::signalling::NO_DATA;
use super::step::Step;
use super::timer::Phase;
use crate::alert::{FieldError, Severity};

/// Most series, and samples of all, that are looked at.
pub const SERIES_MAX: usize = 1_000;
/// See [`SERIES_MAX`].
pub const SAMPLES_MAX: usize = 500_000;
/// Most phases of a series that are told; what follows is counted.
pub const PHASES_MAX: usize = 500;
/// Most values of a test.
pub const VALUES_MAX: usize = 1_000;
/// When a test begins that does not say when: any time is as good as another, and the same one gives the same answer.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// Longest time between two values of a test: a day.
const INTERVAL_SECONDS_MAX: f64 = 86_400.0;

/// A series with its samples: (milliseconds since 1970, value), oldest first. NaN ends it.
#[derive(Debug, Clone)]
pub struct Past {
    /// Which.
    pub series: Arc<Series>,
    /// When and how much.
    pub samples: Vec<(u64, f64)>,
}

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RulePreview)]
pub struct Preview {
    /// Each series that is judged, by its labels.
    pub series: Vec<Course>,
    /// How often it would have fired, all series together.
    pub fired: u32,
    /// Samples that were looked at.
    pub samples: usize,
    /// Whether series, samples or phases were left out because there were too many.
    pub truncated: bool,
}

/// What became of one series.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RuleCourse)]
pub struct Course {
    /// The metric; those that are joined where there are several.
    pub metric: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Its phases from the first that is not ok on, oldest first.
    pub phases: Vec<Stay>,
    /// How often it fired.
    pub fired: u32,
    /// The longest time that it fired, in milliseconds; up to the end of the samples where it still does.
    pub longest_firing_ms: u64,
}

/// A phase and its time.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RulePhaseStay)]
pub struct Stay {
    /// The phase.
    pub phase: Phase,
    /// Since when, in milliseconds since 1970.
    pub from_ms: u64,
    /// Until when; `None` where it lasts.
    pub to_ms: Option<u64>,
    /// How bad, while it fires.
    pub severity: Option<Severity>,
    /// What the condition looked at when it began.
    pub value: Option<f64>,
    /// Why it began.
    pub reason: String,
}

/// Lets a rule judge samples from the past, up to a time (milliseconds since 1970).
pub fn preview(rule: &Arc<Rule>, past: &[Past], until_ms: u64) -> Preview {
    let mut truncated = past.len() > SERIES_MAX;
    let mut feed: Vec<(u64, usize, f64)> = Vec::new();
    for (index, one) in past.iter().enumerate().take(SERIES_MAX).filter(|(_, one)| rule.wants(&one.series)) {
        let room = SAMPLES_MAX.saturating_sub(feed.len());
        // The newest are the ones that are asked about.
        let left_out = one.samples.len().saturating_sub(room);
        truncated |= left_out > 0;
        feed.extend(one.samples.iter().skip(left_out).map(|(at_ms, value)| (*at_ms, index, *value)));
    }
    feed.sort_by_key(|(at_ms, index, _)| (*at_ms, *index));
    let mut run = Run::new(rule);
    if let Some((begin_ms, ..)) = feed.first() {
        run.evaluator.tick(*begin_ms, &mut run.steps);
    }
    for (at_ms, index, value) in &feed {
        run.tick_until(*at_ms);
        if let Some(one) = past.get(*index) {
            run.evaluator.observe(&one.series, *at_ms, *value, &mut run.steps);
        }
    }
    run.tick_until(until_ms.saturating_add(1));
    let end_ms = feed.last().map_or(0, |(at_ms, ..)| *at_ms).max(until_ms);
    let mut series = run.courses(end_ms);
    for course in &mut series {
        truncated |= course.phases.len() > PHASES_MAX;
        course.phases.truncate(PHASES_MAX);
    }
    let fired = series.iter().map(|course| course.fired).sum();
    Preview { series, fired, samples: feed.len(), truncated }
}

/// An evaluator and what it said.
struct Run<'a> {
    rule: &'a Arc<Rule>,
    evaluator: Evaluator,
    steps: Vec<Step>,
}

impl<'a> Run<'a> {
    fn new(rule: &'a Arc<Rule>) -> Self {
        Self { rule, evaluator: Evaluator::new(rule.clone()), steps: Vec::new() }
    }

    /// Ticks that are due before a time. Each makes what it is due for happen, and what a tick finds comes later.
    fn tick_until(&mut self, before_ms: u64) {
        while let Some(due_ms) = self.evaluator.next_tick_ms().filter(|due_ms| *due_ms < before_ms) {
            self.evaluator.tick(due_ms, &mut self.steps);
            if self.evaluator.next_tick_ms().is_some_and(|next_ms| next_ms <= due_ms) {
                break;
            }
        }
    }

    /// What became of each series that has a state or took a step.
    fn courses(&self, end_ms: u64) -> Vec<Course> {
        let mut courses: BTreeMap<BTreeMap<String, String>, Course> = BTreeMap::new();
        let empty = |metric: &str, labels: &BTreeMap<String, String>| Course {
            metric: metric.to_owned(),
            labels: labels.clone(),
            phases: Vec::new(),
            fired: 0,
            longest_firing_ms: 0,
        };
        for known in self.evaluator.explanations().filter(|known| !known.is_silence) {
            courses.insert(known.labels.clone(), empty(&known.metric, &known.labels));
        }
        for step in self.steps.iter().filter(|step| step.from != step.to) {
            let mut labels = step.series.labels().clone();
            if step.is_silence {
                labels.insert(NO_DATA.0.to_owned(), NO_DATA.1.to_owned());
            }
            let course = courses.entry(labels).or_insert_with_key(|all| empty(step.series.metric(), all));
            if let Some(before) = course.phases.last_mut() {
                before.to_ms = Some(step.at_ms);
            }
            course.fired += u32::from(step.to == Phase::Firing);
            course.phases.push(Stay {
                phase: step.to,
                from_ms: step.at_ms,
                to_ms: None,
                severity: (step.to == Phase::Firing).then(|| self.rule.severity(step.value)),
                value: step.value,
                reason: self.rule.words(&step.reason),
            });
        }
        let mut courses: Vec<Course> = courses.into_values().collect();
        for course in &mut courses {
            let firing = course.phases.iter().filter(|stay| stay.phase == Phase::Firing);
            let lasted = firing.map(|stay| stay.to_ms.unwrap_or(end_ms).saturating_sub(stay.from_ms));
            course.longest_firing_ms = lasted.max().unwrap_or_default();
        }
        courses
    }
}

/// A value of a test: a number, or a number at a time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum TestValue {
    /// So long after the one before as the test says.
    Value(f64),
    /// At a time.
    At {
        /// The value.
        value: f64,
        /// Seconds from the begin of the test, or milliseconds since 1970 where it is greater than ten thousand million.
        at: f64,
    },
}

/// What a rule says after one value of a test.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RuleTestState)]
pub struct TestState {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The value.
    pub value: f64,
    /// The phase after it.
    pub state: Phase,
    /// How bad, while it fires.
    pub severity: Option<Severity>,
    /// Where it is, and why.
    pub text: String,
}

/// The state of a rule after each of some values. Every metric that the rule looks at has the same one, on one series with
/// the labels that its matchers name.
///
/// # Errors
/// The values and the interval that cannot be used.
pub fn test(
    rule: &Arc<Rule>,
    values: &[TestValue],
    interval_seconds: f64,
) -> Result<Vec<TestState>, Vec<FieldError>> {
    let times = times(values, interval_seconds)?;
    let labels = rule.leaves().iter().flat_map(|leaf| &leaf.matchers).filter_map(|matcher| {
        let value = matcher.equal_to().filter(|value| !value.is_empty())?;
        Some((matcher.name().to_owned(), value.to_owned()))
    });
    let labels: BTreeMap<String, String> = labels.collect();
    let mut metrics: Vec<&str> = rule.leaves().iter().map(|leaf| leaf.metric.as_str()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let all: Vec<Arc<Series>> =
        metrics.into_iter().map(|metric| Arc::new(Series::new(metric, labels.clone()))).collect();
    let mut run = Run::new(rule);
    run.evaluator.tick(times.first().map_or(0, |(at_ms, _)| *at_ms), &mut run.steps);
    let mut states = Vec::with_capacity(times.len());
    for (at_ms, value) in times {
        run.tick_until(at_ms);
        for series in &all {
            run.evaluator.observe(series, at_ms, value, &mut run.steps);
        }
        run.steps.clear();
        let told = all.first().and_then(|series| run.evaluator.explain(series));
        let state = told.as_ref().map_or(Phase::Ok, |told| told.phase);
        let looked_at = told.as_ref().and_then(|told| told.value);
        states.push(TestState {
            at_ms,
            value,
            state,
            severity: (state == Phase::Firing).then(|| rule.severity(looked_at)),
            text: told.map_or_else(
                || "the rule is not about this series: its matchers name none with these labels".to_owned(),
                |told| told.text,
            ),
        });
    }
    Ok(states)
}

/// When each value comes, and how much it is.
fn times(values: &[TestValue], interval_seconds: f64) -> Result<Vec<(u64, f64)>, Vec<FieldError>> {
    let mut errors = Vec::new();
    if values.is_empty() || values.len() > VALUES_MAX {
        let message = format!("must be 1 to {VALUES_MAX} values, not {}", values.len());
        errors.push(FieldError::new("/test_values", message));
        return Err(errors);
    }
    if !(0.001..=INTERVAL_SECONDS_MAX).contains(&interval_seconds) {
        let message = format!("must be 0.001 to {INTERVAL_SECONDS_MAX} seconds, not {interval_seconds}");
        errors.push(FieldError::new("/interval_seconds", message));
        return Err(errors);
    }
    let interval_ms = (interval_seconds * 1_000.0).round() as u64;
    let mut times: Vec<(u64, f64)> = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let next_ms = times.last().map_or(BEGIN_MS, |(at_ms, _)| at_ms + interval_ms);
        let (at_ms, value) = match *value {
            TestValue::Value(value) => (next_ms, value),
            TestValue::At { value, at } if (0.0..1e10).contains(&at) => {
                (BEGIN_MS + (at * 1_000.0).round() as u64, value)
            }
            TestValue::At { value, at } if (1e10..4.1e12).contains(&at) => (at.round() as u64, value),
            TestValue::At { at, .. } => {
                let message = format!("must be seconds from the begin, or milliseconds since 1970, not {at}");
                errors.push(FieldError::new(format!("/test_values/{index}/at"), message));
                continue;
            }
        };
        if times.last().is_some_and(|(before_ms, _)| at_ms <= *before_ms) {
            errors.push(FieldError::new(
                format!("/test_values/{index}"),
                "must come after the value before it",
            ));
        }
        times.push((at_ms, value));
    }
    if errors.is_empty() { Ok(times) } else { Err(errors) }
}
