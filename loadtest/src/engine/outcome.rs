//! From what the clients have to what the run found.

use super::crowd::Crowd;
use super::slot::{Fate, Role, Slot};
use crate::latencies::percentiles;
use crate::plan::{Plan, Scenario};
use crate::result::{
    Connections, Connects, Ingest, Messages, PhaseResult, Reconnects, RunResult, SlowReaders, Status,
};
use crate::thresholds;

/// How a run ended.
#[derive(Debug)]
pub(crate) enum End {
    /// All phases went by.
    Reached,
    /// It was told to stop at this time of the run.
    Cancelled(u64),
    /// It could not go on.
    Broken(String),
}

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// When the first connection was opened.
    pub(crate) begin_ns: u64,
    pub(crate) duration_s: f64,
    /// CPU time of the server since publishing began.
    pub(crate) server_s: Option<f64>,
    pub(crate) client_cpu_percent: f64,
}

impl Crowd<'_> {
    fn is_ingest(&self) -> bool {
        self.plan.scenario == Scenario::Ingest
    }

    /// What counts as delivered: with `ingest` acknowledged frames.
    pub(crate) fn delivered_or_acknowledged(&self) -> u64 {
        if self.is_ingest() { self.acknowledged } else { self.counts.delivered }
    }

    /// What counts as published: with `ingest` frames.
    pub(crate) fn published_or_pushed(&self) -> u64 {
        if self.is_ingest() { self.frames } else { u64::from(self.published) }
    }

    /// Messages that were overtaken and are not there, the refused ones aside.
    pub(crate) fn missing(&self) -> u64 {
        if self.is_ingest() {
            return self.slots.iter().map(|slot| u64::from(slot.pushed.refused)).sum();
        }
        let readers = self.slots.iter().filter(|slot| slot.role == Role::Subscriber && !slot.is_slow);
        let missing: u64 = readers.clone().map(|slot| u64::from(slot.received.missing())).sum();
        missing.saturating_sub(self.accepted.refused() * readers.count() as u64)
    }

    /// Got everything due to it, once, in order, and stayed.
    fn succeeded(&self, token: usize, slot: &Slot) -> bool {
        let stayed = matches!(slot.fate, Fate::Here | Fate::Left);
        let received = &slot.received;
        let in_order = received.duplicated + received.reordered == 0;
        let pushed = &slot.pushed;
        let acknowledged = pushed.acknowledged == pushed.due && pushed.duplicated == 0;
        stayed && in_order && acknowledged && u64::from(received.delivered) == self.due(token)
    }
}

/// Puts the result together.
pub(crate) fn result(plan: &Plan, crowd: &Crowd<'_>, end: End, spent: Spent) -> RunResult {
    let connections = connections(crowd);
    let messages = messages(crowd);
    let succeeded = clients(crowd).filter(|(token, slot)| crowd.succeeded(*token, slot)).count();
    let load_begin_ns = crowd.start_ns + crowd.timetable.load_begin_ns();
    let load_end_ns = match end {
        End::Cancelled(at_ns) => crowd.start_ns + at_ns,
        _ => crowd.start_ns + crowd.timetable.end_ns(),
    };
    let load_s = load_end_ns.max(crowd.last_arrival_ns).saturating_sub(load_begin_ns) as f64 / 1e9;
    let per_million = |server_s: f64| server_s / (messages.delivered.max(1) as f64 / 1e6);
    let mut result = RunResult {
        name: plan.name.clone(),
        scenario: plan.scenario,
        status: Status::Completed,
        success_rate: succeeded as f64 * 100.0 / connections.planned.max(1) as f64,
        connections,
        messages,
        latency: crowd.books.all(),
        deliveries_per_s: if load_s > 0.0 { messages.delivered as f64 / load_s } else { 0.0 },
        bytes_in: crowd.bytes_in,
        duration_s: spent.duration_s,
        server_cpu_s_per_million: spent.server_s.map(per_million),
        phases: phases(plan, crowd, load_end_ns - crowd.start_ns),
        thresholds: Vec::new(),
        histogram: crowd.books.buckets(),
        reconnects: (plan.scenario == Scenario::Reconnect).then(|| reconnects(crowd)),
        failure: None,
        connects: connects(crowd, spent.begin_ns),
        slow_readers: (plan.scenario == Scenario::SlowReader).then(|| SlowReaders {
            clients: clients(crowd).filter(|(_, slot)| slot.is_slow).count() as u64,
            closed: crowd.slow_closed,
        }),
        ingest: (plan.agents() > 0).then(|| ingest(plan, crowd)),
        timeline: crowd.books.timeline.clone(),
        server: crowd.books.server.clone(),
        client_cpu_percent: spent.client_cpu_percent,
        plan: Some(plan.clone()),
    };
    result.thresholds = thresholds::evaluate(&plan.thresholds, &result);
    (result.status, result.failure) = verdict(&result, end, crowd.first_failure.as_deref());
    result
}

fn verdict(result: &RunResult, end: End, first_failure: Option<&str>) -> (Status, Option<String>) {
    let because = |reason: String| match first_failure {
        Some(first) if !reason.contains(first) => format!("{reason}; the first failure: {first}"),
        _ => reason,
    };
    match end {
        End::Broken(reason) => (Status::Failed, Some(because(reason))),
        End::Cancelled(_) => (Status::Cancelled, None),
        End::Reached => match thresholds::missed(&result.thresholds) {
            Some(missed) => (Status::Failed, Some(because(missed))),
            None => (Status::Completed, None),
        },
    }
}

/// The clients that the plan has; the publisher is none of them.
fn clients<'c>(crowd: &'c Crowd<'_>) -> impl Iterator<Item = (usize, &'c Slot)> {
    crowd.slots.iter().enumerate().filter(|(_, slot)| slot.role != Role::Publisher)
}

fn connections(crowd: &Crowd<'_>) -> Connections {
    // Those that a run that broke off had not opened yet are planned all the same.
    let plan = crowd.plan;
    let planned = (plan.subscribers() + plan.agents()).max(crowd.planned()) as u64;
    let count = |fates: &[Fate]| clients(crowd).filter(|(_, slot)| fates.contains(&slot.fate)).count() as u64;
    // Who is still away at the end did not come back.
    let lost = count(&[Fate::Lost, Fate::Away]);
    let connected = count(&[Fate::Here, Fate::Left]) + lost;
    Connections { planned, connected, failed: planned - connected, lost }
}

fn messages(crowd: &Crowd<'_>) -> Messages {
    let refused_frames: u64 = clients(crowd).map(|(_, slot)| u64::from(slot.pushed.refused)).sum();
    if crowd.is_ingest() {
        let (published, delivered) = (crowd.frames, crowd.acknowledged);
        return Messages {
            published,
            expected: published,
            delivered,
            lost: published - delivered - refused_frames,
            duplicated: crowd.counts.duplicated,
            reordered: 0,
            refused: refused_frames,
        };
    }
    let expected = clients(crowd).map(|(token, _)| crowd.due(token)).sum();
    // Each client's own: more than was due to one does not make up for what another lacks.
    let delivered =
        clients(crowd).map(|(token, slot)| crowd.due(token).min(slot.received.delivered.into())).sum();
    Messages {
        published: crowd.published.into(),
        expected,
        delivered,
        lost: expected - delivered,
        duplicated: crowd.counts.duplicated,
        reordered: crowd.counts.reordered,
        refused: crowd.accepted.refused(),
    }
}

fn phases(plan: &Plan, crowd: &Crowd<'_>, end_ns: u64) -> Vec<PhaseResult> {
    let mut first = 0u32;
    let rows = plan.phases.iter().zip(&crowd.timetable.spans).enumerate().map(|(index, (phase, span))| {
        let published = crowd.books.published[index];
        let after = first + u32::try_from(published).unwrap_or(u32::MAX);
        let expected: u64 = if crowd.is_ingest() {
            published
        } else {
            let ranges = clients(crowd).filter_map(|(token, _)| crowd.range(token));
            ranges.map(|(from, until)| crowd.accepted.between(from.max(first), until.min(after))).sum()
        };
        first = after;
        let (delivered, latency) = crowd.books.phase(index);
        let duration_s = (span.end_ns.min(end_ns).saturating_sub(span.begin_ns)) as f64 / 1e9;
        PhaseResult {
            name: phase.name.clone(),
            kind: phase.kind,
            duration_s,
            published,
            delivered,
            lost: expected.saturating_sub(delivered),
            deliveries_per_s: if duration_s > 0.0 { delivered as f64 / duration_s } else { 0.0 },
            latency,
        }
    });
    rows.collect()
}

fn reconnects(crowd: &Crowd<'_>) -> Reconnects {
    let cut = || clients(crowd).filter(|(_, slot)| slot.cuts > 0);
    let attempted: u64 = cut().map(|(_, slot)| u64::from(slot.cuts)).sum();
    let back = percentiles(&crowd.books.returns);
    let gap = |token, slot: &Slot| crowd.due(token).saturating_sub(slot.received.delivered.into());
    Reconnects {
        attempted,
        succeeded: crowd.returned,
        success_rate: crowd.returned as f64 * 100.0 / attempted.max(1) as f64,
        recovered: crowd.recovered,
        gaps: cut().map(|(token, slot)| gap(token, slot)).sum(),
        duplicates: cut().map(|(_, slot)| u64::from(slot.received.duplicated)).sum(),
        back_p50_ms: back.p50_ms,
        back_p99_ms: back.p99_ms,
    }
}

fn connects(crowd: &Crowd<'_>, begin_ns: u64) -> Connects {
    let first_ns = clients(crowd).map(|(_, slot)| slot.opened_ns).min().unwrap_or(begin_ns);
    let took_s = crowd.last_ready_ns.saturating_sub(first_ns) as f64 / 1e9;
    let per_s = if took_s > 0.0 { crowd.books.connects.len() as f64 / took_s } else { 0.0 };
    Connects { per_s, latency: percentiles(&crowd.books.connects) }
}

fn ingest(plan: &Plan, crowd: &Crowd<'_>) -> Ingest {
    Ingest {
        agents: plan.agents() as u64,
        frames: crowd.frames,
        acknowledged: crowd.acknowledged,
        refused: clients(crowd).map(|(_, slot)| u64::from(slot.pushed.refused)).sum(),
        samples: crowd.acknowledged * plan.samples_per_frame as u64,
        latency: percentiles(&crowd.books.acknowledgements),
    }
}
