//! What happens when: who opens, publishes, pushes, leaves, is cut off, stops reading. One table of ticks a run.

use std::time::Duration;

use anyhow::Result;

use super::crowd::Crowd;
use super::slot::{Fate, Role};
use crate::plan::{PhaseKind, Plan, Scenario};
use crate::schedule::{Ticks, Timetable};

/// Messages staged before the sockets are looked after again.
const BURST_MAX: u32 = 256;
const WAIT_NS_MAX: u64 = 20_000_000;

/// Directs a run by its plan.
pub(crate) struct Director<'p> {
    plan: &'p Plan,
    timetable: Timetable,
    publish: Option<Ticks>,
    push: Option<Ticks>,
    churn: Option<Ticks>,
    cuts: Option<Ticks>,
    /// Agents that frames were due to, in turns.
    pushed: usize,
    /// Cuts that are due and found nobody.
    owed_cuts: u32,
    /// Where the search for somebody to cut off or to replace goes on.
    cursor: usize,
    opened: usize,
    agents_opened: usize,
    phase: Option<usize>,
    /// The slots of a storm's spike, and how many of it are still to be opened.
    spike: Vec<usize>,
    spike_to_open: usize,
}

impl<'p> Director<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        let timetable = Timetable::new(&plan.phases);
        let is = |scenarios: &[Scenario]| scenarios.contains(&plan.scenario);
        let ticks = |wanted: bool, rate_hz: f64| wanted.then(|| timetable.ticks(rate_hz));
        let cuts_hz = f64::from(plan.reconnects) / timetable.load_s();
        Self {
            plan,
            publish: ticks(!is(&[Scenario::Fanout, Scenario::Ingest]), plan.rate_hz),
            push: ticks(plan.agents() > 0, plan.rate_hz * plan.agents() as f64),
            churn: ticks(is(&[Scenario::Churn, Scenario::Mixed]), plan.churn_hz),
            cuts: ticks(is(&[Scenario::Reconnect]), cuts_hz),
            timetable,
            pushed: 0,
            owed_cuts: 0,
            cursor: 0,
            opened: 0,
            agents_opened: 0,
            phase: None,
            spike: Vec::new(),
            spike_to_open: 0,
        }
    }

    /// Does what is due at `now_ns` of the run.
    pub(crate) fn act(&mut self, crowd: &mut Crowd<'_>, now_ns: u64) -> Result<()> {
        let phase = self.timetable.phase_at(now_ns);
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.enter(crowd, phase);
        }
        self.open(crowd, now_ns)?;
        self.publish(crowd, now_ns)?;
        while let Some(due_ns) = self.push.as_mut().and_then(|ticks| ticks.take(now_ns)) {
            // The publisher has slot 0, the agents come after it.
            crowd.push(1 + self.pushed % self.plan.agents(), due_ns);
            self.pushed += 1;
        }
        while self.churn.as_mut().and_then(|ticks| ticks.take(now_ns)).is_some() {
            self.replace_one(crowd)?;
        }
        self.cut_due(crowd, now_ns);
        Ok(())
    }

    /// Cuts off whose time it is, as far as somebody is here; whether some of it is still to be done.
    pub(crate) fn cut_due(&mut self, crowd: &mut Crowd<'_>, now_ns: u64) -> bool {
        while self.cuts.as_mut().and_then(|ticks| ticks.take(now_ns)).is_some() {
            self.owed_cuts += 1;
        }
        while self.owed_cuts > 0 && self.cut_one(crowd) {
            self.owed_cuts -= 1;
        }
        self.owed_cuts > 0
    }

    fn enter(&mut self, crowd: &mut Crowd<'_>, phase: usize) {
        let Some(phase) = self.plan.phases.get(phase) else { return };
        if self.plan.scenario == Scenario::SlowReader && phase.kind != PhaseKind::RampUp {
            crowd.pause_slow(phase.kind != PhaseKind::Recovery);
        }
        if self.plan.scenario == Scenario::Storm {
            for token in self.spike.drain(..) {
                crowd.leave(token);
            }
            let extra = (self.plan.connections as f64 * (phase.load() - 1.0)) as usize;
            self.spike_to_open = if phase.kind == PhaseKind::Spike { extra } else { 0 };
        }
    }

    /// Opens the planned clients whose time it is: agents first, so that their slots are known.
    fn open(&mut self, crowd: &mut Crowd<'_>, now_ns: u64) -> Result<()> {
        let (agents, subscribers) = (self.plan.agents(), self.plan.subscribers());
        let storms = self.plan.scenario == Scenario::Storm;
        let arrived = match self.plan.phases.first() {
            // A storm breaks when the ramp is over.
            Some(first) if storms && first.kind == PhaseKind::RampUp && self.phase == Some(0) => 0,
            _ => self.timetable.arrived(agents + subscribers, now_ns),
        };
        while self.opened < arrived && crowd.has_room() {
            self.opened += 1;
            if self.agents_opened < agents {
                self.agents_opened += 1;
                crowd.open(Role::Agent, false)?;
            } else {
                let slow = self.opened - agents <= self.plan.slow_readers();
                crowd.open(Role::Subscriber, slow)?;
            }
        }
        while self.spike_to_open > 0 && crowd.has_room() {
            self.spike_to_open -= 1;
            self.spike.push(crowd.slots.len());
            crowd.open(Role::Subscriber, false)?;
        }
        Ok(())
    }

    fn publish(&mut self, crowd: &mut Crowd<'_>, now_ns: u64) -> Result<()> {
        for _ in 0..BURST_MAX {
            let Some(due_ns) = self.next_message(crowd, now_ns) else { break };
            if !crowd.stage(due_ns) {
                break;
            }
            if let Some(ticks) = &mut self.publish {
                ticks.take(now_ns);
            }
        }
        crowd.send_staged()
    }

    /// When the next message that is due now was planned.
    fn next_message(&self, crowd: &Crowd<'_>, now_ns: u64) -> Option<u64> {
        if let Some(ticks) = &self.publish {
            return ticks.peek().filter(|due_ns| *due_ns <= now_ns);
        }
        let load = self.timetable.spans[self.timetable.phase_at(now_ns)].load;
        if self.plan.scenario != Scenario::Fanout || load == 0.0 || crowd.ready == 0 {
            return None;
        }
        let done = crowd.counts.delivered / crowd.ready as u64;
        let in_flight = u64::from(crowd.published).saturating_sub(done);
        (in_flight < (f64::from(self.plan.window) * load) as u64).then_some(now_ns)
    }

    /// The next subscriber in turns that is here and stays.
    fn next_here(&mut self, crowd: &Crowd<'_>) -> Option<usize> {
        let slots = crowd.slots.len();
        for step in 0..slots {
            let token = (self.cursor + step) % slots;
            let slot = &crowd.slots[token];
            if slot.role == Role::Subscriber && slot.stays() {
                self.cursor = token + 1;
                return Some(token);
            }
        }
        None
    }

    /// The one that is here longest leaves, a new one comes.
    fn replace_one(&mut self, crowd: &mut Crowd<'_>) -> Result<()> {
        if let Some(token) = self.next_here(crowd) {
            crowd.leave(token);
            crowd.open(Role::Subscriber, false)?;
        }
        Ok(())
    }

    /// Cuts off the next one whose turn it is; false when nobody is here.
    fn cut_one(&mut self, crowd: &mut Crowd<'_>) -> bool {
        let found = self.next_here(crowd);
        if let Some(token) = found {
            crowd.cut(token);
        }
        found.is_some()
    }

    /// How long nothing is due.
    pub(crate) fn wait(&self, now_ns: u64) -> Duration {
        let ticks = [&self.publish, &self.push, &self.churn, &self.cuts];
        let next_ns = ticks.into_iter().flatten().filter_map(Ticks::peek).min().unwrap_or(u64::MAX);
        // Whole milliseconds: what the kernel is asked for, it rounds up.
        Duration::from_millis(next_ns.saturating_sub(now_ns).min(WAIT_NS_MAX) / 1_000_000)
    }

    /// Whether everything that was asked for is done: nobody comes or goes, and all have what is due to them.
    pub(crate) fn is_complete(crowd: &Crowd<'_>) -> bool {
        if crowd.awaits_somebody() || crowd.is_leaving() {
            return false;
        }
        (1..crowd.slots.len()).all(|token| {
            let slot = &crowd.slots[token];
            let has_all = u64::from(slot.received.delivered) >= crowd.due(token);
            match slot.fate {
                Fate::Coming => false,
                Fate::Here if slot.is_slow => slot.has_caught_up,
                Fate::Here => has_all && slot.pushed.waiting.is_empty(),
                _ => true,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn cuts_that_found_nobody_are_owed_also_when_the_time_is_over() {
        let plan = Plan { reconnects: 7, ..Plan::of(Scenario::Reconnect) }.complete().unwrap();
        let address = std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);
        let (mut director, mut crowd) = (Director::new(&plan), Crowd::new(&plan, address, None).unwrap());
        assert!(!director.cut_due(&mut crowd, 0), "none is due yet");
        assert!(director.cut_due(&mut crowd, u64::MAX));
        assert_eq!(director.owed_cuts, 7);
    }
}
