//! What the clients of a run read: the way to being ready, messages, answers.

use anyhow::{Result, bail};

use super::accepted::Accepted;
use super::crowd::{ATTEMPTS_MAX, Crowd, RETRY_NS};
use super::slot::{Fate, From, Role};
use crate::clients::{Clients, Link, Sockets, Stage};
use crate::frames;
use crate::net::now_ns;
use crate::plan::Scenario;
use crate::protocol::{self, Heard};
use crate::scanner::Messages;
use crate::upgrade;

impl Clients for Crowd<'_> {
    fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    fn link(&mut self, token: usize) -> Option<&mut Option<Link>> {
        self.slots.get_mut(token).map(|slot| &mut slot.link)
    }

    fn upgrade_request(&self, token: usize) -> String {
        let slot = &self.slots[token];
        let deflate = self.plan.deflate && slot.role == Role::Subscriber;
        upgrade::request(&format!("/ws/{}", slot.client_id), "127.0.0.1", self.token.as_deref(), deflate)
    }

    fn has_read(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
    }

    fn hear(&mut self, link: &mut Link, token: usize, payload: &[u8], received_ns: u64) -> Result<()> {
        match self.slots[token].role {
            _ if link.stage != Stage::Ready => self.advance(link, token, payload)?,
            // One that does not listen: it is slow.
            Role::Subscriber => {
                self.slots[token].has_caught_up |= protocol::heard(payload) == Heard::Pong;
            }
            Role::Agent => self.acknowledged(token, payload, received_ns),
            Role::Publisher => self.answered(payload),
        }
        Ok(())
    }

    fn is_listening(&self, link: &Link, token: usize) -> bool {
        let slot = &self.slots[token];
        link.stage == Stage::Ready && slot.role == Role::Subscriber && !slot.is_slow
    }

    fn receive(&mut self, token: usize, messages: &Messages, received_ns: u64) {
        let slot = &mut self.slots[token];
        let mut found = false;
        for run in &messages.runs {
            // Of an earlier run, or after the client was told to leave.
            let run = run.before(slot.until);
            if run.due_ns < self.start_ns || run.count == 0 {
                continue;
            }
            found = true;
            let new = self.counts.take(&mut slot.received, run.first, run.count);
            if new > 0 {
                let phase = self.timetable.phase_at(run.due_ns - self.start_ns);
                self.books.record(phase, received_ns.saturating_sub(run.due_ns), new);
            }
        }
        if found {
            self.last_arrival_ns = received_ns;
            if self.plan.scenario == Scenario::Reconnect
                && let Some(offset) = messages.last_offset
            {
                slot.offset = slot.offset.max(offset);
            }
        }
    }

    fn lose(&mut self, token: usize, stage: Stage, error: &anyhow::Error) {
        let Some(slot) = self.slots.get_mut(token) else { return };
        slot.link = None;
        let was_here = slot.fate == Fate::Here;
        let counts = slot.role != Role::Publisher;
        if was_here {
            self.ready -= usize::from(counts);
        } else {
            self.underway -= usize::from(counts);
        }
        match slot.fate {
            Fate::Here if slot.is_slow => {
                slot.fate = Fate::Left;
                self.slow_closed += 1;
                return;
            }
            Fate::Away if slot.attempts < ATTEMPTS_MAX => {
                slot.attempts += 1;
                self.away.push_back((now_ns() + RETRY_NS, token));
                return;
            }
            Fate::Coming => slot.fate = Fate::Failed,
            _ => slot.fate = Fate::Lost,
        }
        let role = slot.role;
        self.first_failure.get_or_insert_with(|| format!("{role:?} {token}, {stage:?}: {error:#}"));
    }
}

impl Crowd<'_> {
    /// A frame on the way to being ready.
    fn advance(&mut self, link: &mut Link, token: usize, payload: &[u8]) -> Result<()> {
        let slot = &self.slots[token];
        let poller = &self.sockets.poller;
        match (slot.role, link.stage, protocol::heard(payload)) {
            (_, _, Heard::Error) => bail!("{}", protocol::complaint(payload)),
            (Role::Agent, Stage::Greeted, Heard::Connected) => self.becomes_ready(link, token),
            (_, Stage::Greeted, Heard::Connected) => {
                let recover = self.epoch.as_deref().filter(|_| slot.fate == Fate::Away);
                let recover = recover.map(|epoch| (epoch, slot.offset));
                let request = protocol::subscribe(self.plan.read_topic(), recover);
                link.stage = Stage::Subscribing;
                link.say(frames::TEXT, request.as_bytes(), poller)?;
            }
            (Role::Publisher, Stage::Subscribing, Heard::Subscribed) => {
                if let Some((epoch, offset)) = protocol::position(payload) {
                    (self.epoch, self.accepted) = (Some(epoch), Accepted::after(offset));
                }
                link.stage = Stage::Unsubscribing;
                link.say(frames::TEXT, protocol::unsubscribe(self.plan.read_topic()).as_bytes(), poller)?;
            }
            (Role::Publisher, Stage::Unsubscribing, Heard::Unsubscribed) => self.becomes_ready(link, token),
            (Role::Subscriber, Stage::Subscribing, Heard::Subscribed) => {
                self.subscribed(link, token, payload);
            }
            _ => {}
        }
        Ok(())
    }

    fn subscribed(&mut self, link: &mut Link, token: usize, payload: &[u8]) {
        let position = protocol::position(payload);
        let is_shared = self.plan.scenario == Scenario::AlertLatency;
        let slot = &mut self.slots[token];
        if slot.fate == Fate::Away {
            self.recovered += u64::from(protocol::recovered(payload));
        } else {
            let from = match &position {
                Some((epoch, offset)) if self.epoch.as_ref() == Some(epoch) && !is_shared => {
                    From::Offset(*offset)
                }
                // The topic began anew, or has messages of others: what is published from now on.
                _ => From::Sequence(self.published),
            };
            slot.from = Some(from);
            slot.offset = position.map_or(0, |(_, offset)| offset);
        }
        self.becomes_ready(link, token);
    }

    fn becomes_ready(&mut self, link: &mut Link, token: usize) {
        let slot = &mut self.slots[token];
        let was_away = slot.fate == Fate::Away;
        (link.stage, slot.fate) = (Stage::Ready, Fate::Here);
        if slot.role == Role::Publisher {
            return;
        }
        self.ready += 1;
        self.underway -= 1;
        let now = now_ns();
        if was_away {
            self.returned += 1;
            self.books.returns.saturating_record(now - slot.cut_ns);
        } else {
            self.last_ready_ns = now;
            self.books.connects.saturating_record(now - slot.opened_ns);
        }
    }

    /// An answer to an agent.
    fn acknowledged(&mut self, token: usize, payload: &[u8], received_ns: u64) {
        let pushed = &mut self.slots[token].pushed;
        let durable = match protocol::heard(payload) {
            Heard::MetricsAck { durable } => durable,
            Heard::Error => false,
            _ => return,
        };
        let Some(sequence) = protocol::reply_to(payload) else { return };
        let Some(due_ns) = pushed.answered(sequence) else {
            pushed.duplicated += 1;
            self.counts.duplicated += u64::from(self.plan.scenario == Scenario::Ingest);
            return;
        };
        if !durable {
            pushed.refused += 1;
            self.first_failure
                .get_or_insert_with(|| format!("a frame was refused: {}", protocol::complaint(payload)));
            return;
        }
        pushed.acknowledged += 1;
        self.acknowledged += 1;
        self.last_arrival_ns = received_ns;
        let latency_ns = received_ns.saturating_sub(due_ns);
        self.books.acknowledgements.saturating_record(latency_ns);
        if self.plan.scenario == Scenario::Ingest {
            let phase = self.timetable.phase_at(due_ns - self.start_ns);
            self.books.record(phase, latency_ns, 1);
        }
    }

    /// An answer to the publisher.
    fn answered(&mut self, payload: &[u8]) {
        if protocol::heard(payload) == Heard::Error
            && let Some(sequence) = protocol::reply_to(payload)
        {
            self.accepted.refuse(sequence);
            self.first_failure
                .get_or_insert_with(|| format!("a message was refused: {}", protocol::complaint(payload)));
        }
    }
}
