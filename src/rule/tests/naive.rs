//! The same semantics without any state but the whole past: second by second, everything looked up anew.

use std::collections::BTreeMap;

use crate::rule::definition::NoData;
use crate::rule::{Phase, Times};

/// What a moment with a sample says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    Judged(Option<bool>),
    Ended,
}

/// All of the past: what was said, the phases, and when silence fired.
struct Past<'a> {
    moments: &'a BTreeMap<u64, Moment>,
    phases: Vec<Phase>,
    fired_by_silence: Vec<u64>,
}

impl Past<'_> {
    fn phase(&self) -> Phase {
        self.phases.last().copied().unwrap_or_default()
    }

    /// When the phase that stands began.
    fn entered(&self) -> u64 {
        let same = self.phases.iter().rev().take_while(|phase| **phase == self.phase()).count();
        (self.phases.len() - same) as u64
    }

    fn last_hit(&self, now: u64) -> u64 {
        let hits = self.moments.range(..=now).rev().find(|(_, said)| **said == Moment::Judged(Some(true)));
        let silence = self.fired_by_silence.iter().rev().find(|at| **at <= now);
        hits.map(|(at, _)| *at).max(silence.copied()).unwrap_or_default()
    }

    fn first_miss(&self, now: u64) -> u64 {
        let from = self.last_hit(now).max(self.entered());
        let mut misses =
            self.moments.range(from..=now).filter(|(_, said)| **said == Moment::Judged(Some(false)));
        misses.next().map_or(now, |(at, _)| *at)
    }

    fn judged(&self, now: u64, said: Option<bool>, times: &Times) -> Phase {
        match (said, self.phase()) {
            (Some(true), Phase::Ok) if times.for_ms > 0 => Phase::Pending,
            (Some(true), Phase::Pending) if (now - self.entered()) * 1_000 < times.for_ms => Phase::Pending,
            (Some(true), _) => Phase::Firing,
            (Some(false), Phase::Firing) if (now - self.first_miss(now)) * 1_000 < times.keep_firing_ms => {
                Phase::Firing
            }
            (None, Phase::Firing) => Phase::Firing,
            _ => Phase::Ok,
        }
    }

    fn auto_resolved(&self, now: u64, phase: Phase, times: &Times) -> Phase {
        let is_over = times.auto_resolve_ms.is_some_and(|ms| (now - self.last_hit(now)) * 1_000 >= ms);
        if is_over && phase == Phase::Firing { Phase::Ok } else { phase }
    }
}

fn ended(phase: Phase, times: &Times) -> Phase {
    match (times.no_data, phase) {
        (NoData::Alert | NoData::Keep, Phase::Firing) => Phase::Firing,
        _ => Phase::Ok,
    }
}

/// Whether the silence of the series is an alert at the end of each second.
pub(super) fn silences(moments: &BTreeMap<u64, Moment>, times: &Times, until: u64) -> Vec<bool> {
    let is_silent = |now: u64| {
        // The newest sample, and when it was known that it is the last one.
        let (heard, end) =
            moments.range(..=now).rev().fold((None, None), |(heard, end), (at, said)| match (heard, said) {
                (None, Moment::Judged(_)) => (Some(*at), end),
                (None, Moment::Ended) => (None, Some(*at)),
                (Some(_), _) => (heard, end),
            });
        let lapse = heard.map(|at| at + times.no_data_ms / 1_000);
        let Some(since) = end.into_iter().chain(lapse).min().filter(|since| *since <= now) else {
            return false;
        };
        times.no_data == NoData::Alert && times.auto_resolve_ms.is_none_or(|ms| (now - since) * 1_000 < ms)
    };
    (0..=until).map(is_silent).collect()
}

/// The phase at the end of each second.
pub(super) fn phases(moments: &BTreeMap<u64, Moment>, times: &Times, until: u64) -> Vec<Phase> {
    let mut past = Past { moments, phases: Vec::new(), fired_by_silence: Vec::new() };
    for now in 0..=until {
        let mut phase = match moments.get(&now) {
            Some(Moment::Ended) => ended(past.phase(), times),
            Some(Moment::Judged(said)) => past.judged(now, *said, times),
            None => past.phase(),
        };
        let last = moments.range(..=now).next_back();
        if let Some((at, Moment::Judged(_))) = last
            && (now - at) * 1_000 == times.no_data_ms
        {
            phase = ended(phase, times);
        }
        phase = past.auto_resolved(now, phase, times);
        past.phases.push(phase);
    }
    past.phases
}

/// The phase at the end of each second, of an absence: moments are samples.
pub(super) fn absent_phases(
    moments: &BTreeMap<u64, Moment>,
    times: &Times,
    absent: u64,
    until: u64,
) -> Vec<Phase> {
    let mut past = Past { moments, phases: Vec::new(), fired_by_silence: Vec::new() };
    for now in 0..=until {
        let mut phase = past.phase();
        if moments.contains_key(&now) {
            phase = past.judged(now, Some(false), times);
        }
        let last = moments.range(..=now).next_back().map(|(at, _)| *at);
        let begins = last.is_some_and(|at| now - at == absent);
        let holds = phase == Phase::Pending && (now - past.entered()) * 1_000 >= times.for_ms;
        if begins || holds {
            phase = past.judged(now, Some(true), times);
            past.fired_by_silence.push(now);
        }
        phase = past.auto_resolved(now, phase, times);
        past.phases.push(phase);
    }
    past.phases
}
