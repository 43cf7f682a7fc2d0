//! What the clients of a run read: the way to being ready, messages, answers.

use anyhow::{Result, bail};
use memchr::memmem;

use super::accepted::Accepted;
use super::crowd::{Crowd, Desk};
use super::protocol::{self, Heard};
use super::received::Arrival;
use super::slot::{Fate, From, Role, Stage};
use crate::frames::{self, Frame};
use crate::marker::Marker;
use crate::net::{Peer, Ready, now_ns};
use crate::plan::Scenario;
use crate::upgrade;

impl Crowd<'_> {
    pub(super) fn serve(&mut self, peer: &mut Peer, ready: Ready, desk: &mut Desk) -> Result<()> {
        let Desk { scratch, inflater } = desk;
        let token = ready.token;
        if self.slots[token].stage == Stage::Connecting {
            peer.connected()?;
            self.ask_upgrade(peer, token)?;
        }
        if ready.writable {
            peer.flush(&self.poller)?;
        }
        if !ready.readable {
            return Ok(());
        }
        if peer.is_paused() {
            bail!("reset while it did not read");
        }
        let held_bytes = peer.held_bytes();
        let filled_bytes = peer.fill(scratch)?;
        if filled_bytes == 0 {
            return Ok(());
        }
        self.bytes_in += (filled_bytes - held_bytes) as u64;
        let mut rest = &scratch[..filled_bytes];
        if self.slots[token].stage == Stage::Upgrading {
            let Some(head_bytes) = memmem::find(rest, b"\r\n\r\n") else {
                peer.keep(rest);
                return Ok(());
            };
            upgrade::check(&rest[..head_bytes])?;
            self.slots[token].stage = Stage::Greeted;
            rest = &rest[head_bytes + 4..];
        }
        let received_ns = now_ns();
        while let Some(frame) = Frame::split(rest)? {
            rest = &rest[frame.wire_bytes..];
            let payload = frame.read(inflater)?;
            let slot = &self.slots[token];
            match frame.opcode {
                frames::PING => {
                    let mut pong = Vec::new();
                    frames::push_masked(frames::PONG, payload, &mut pong);
                    peer.send(&pong, &self.poller)?;
                }
                frames::CLOSE => bail!("closed by the hub: {}", close_reason(payload)),
                _ if slot.stage != Stage::Ready => self.advance(peer, token, payload)?,
                _ => match slot.role {
                    Role::Subscriber => self.messages(token, payload, received_ns),
                    Role::Agent => self.acknowledged(token, payload, received_ns),
                    Role::Publisher => self.answered(payload),
                },
            }
        }
        peer.keep(rest);
        Ok(())
    }

    fn ask_upgrade(&mut self, peer: &mut Peer, token: usize) -> Result<()> {
        let slot = &mut self.slots[token];
        slot.stage = Stage::Upgrading;
        let path = format!("/ws/{}", slot.client_id);
        let deflate = self.plan.deflate && slot.role == Role::Subscriber;
        let request = upgrade::request(&path, "127.0.0.1", self.token.as_deref(), deflate);
        Ok(peer.send(request.as_bytes(), &self.poller)?)
    }

    /// A frame on the way to being ready.
    fn advance(&mut self, peer: &mut Peer, token: usize, payload: &[u8]) -> Result<()> {
        let slot = &self.slots[token];
        match (slot.role, slot.stage, protocol::heard(payload)) {
            (_, _, Heard::Error) => bail!("{}", protocol::complaint(payload)),
            (Role::Agent, Stage::Greeted, Heard::Connected) => self.becomes_ready(token),
            (_, Stage::Greeted, Heard::Connected) => {
                let recover = self.epoch.as_deref().filter(|_| slot.fate == Fate::Away);
                let recover = recover.map(|epoch| (epoch, slot.offset));
                let request = protocol::subscribe(&self.plan.topic, recover);
                self.slots[token].stage = Stage::Subscribing;
                self.send_text(peer, &request)?;
            }
            (Role::Publisher, Stage::Subscribing, Heard::Subscribed) => {
                if let Some((epoch, offset)) = protocol::position(payload) {
                    (self.epoch, self.accepted) = (Some(epoch), Accepted::after(offset));
                }
                self.slots[token].stage = Stage::Unsubscribing;
                self.send_text(peer, &protocol::unsubscribe(&self.plan.topic))?;
            }
            (Role::Publisher, Stage::Unsubscribing, Heard::Unsubscribed) => self.becomes_ready(token),
            (Role::Subscriber, Stage::Subscribing, Heard::Subscribed) => self.subscribed(token, payload),
            _ => {}
        }
        Ok(())
    }

    fn subscribed(&mut self, token: usize, payload: &[u8]) {
        let position = protocol::position(payload);
        let slot = &mut self.slots[token];
        if slot.fate == Fate::Away {
            self.recovered += u64::from(protocol::recovered(payload));
        } else {
            let from = match &position {
                Some((epoch, offset)) if self.epoch.as_ref() == Some(epoch) => From::Offset(*offset),
                // The topic began anew: what is published from now on.
                _ => From::Sequence(self.published),
            };
            slot.from = Some(from);
            slot.offset = position.map_or(0, |(_, offset)| offset);
        }
        self.becomes_ready(token);
    }

    fn becomes_ready(&mut self, token: usize) {
        let slot = &mut self.slots[token];
        let was_away = slot.fate == Fate::Away;
        (slot.stage, slot.fate) = (Stage::Ready, Fate::Here);
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

    fn send_text(&self, peer: &mut Peer, text: &str) -> Result<()> {
        let mut frame = Vec::with_capacity(text.len() + 14);
        frames::push_masked(frames::TEXT, text.as_bytes(), &mut frame);
        Ok(peer.send(&frame, &self.poller)?)
    }

    /// A frame with messages for a subscriber.
    fn messages(&mut self, token: usize, payload: &[u8], received_ns: u64) {
        let slot = &mut self.slots[token];
        if slot.is_slow {
            slot.has_caught_up |= protocol::heard(payload) == Heard::Pong;
            return;
        }
        let mut found = false;
        for Marker { due_ns, sequence } in self.scanner.scan(payload) {
            // Of an earlier run, or after the client was told to leave.
            if due_ns < self.start_ns || slot.until.is_some_and(|until| sequence >= until) {
                continue;
            }
            found = true;
            match slot.received.take(sequence) {
                Arrival::Again => {
                    self.duplicated += 1;
                    continue;
                }
                Arrival::Late => self.reordered += 1,
                Arrival::New => {}
            }
            self.delivered += 1;
            let phase = self.timetable.phase_at(due_ns - self.start_ns);
            self.books.record(phase, received_ns.saturating_sub(due_ns));
        }
        if found {
            self.last_arrival_ns = received_ns;
            if self.plan.scenario == Scenario::Reconnect
                && let Some(offset) = protocol::last_offset(payload)
            {
                slot.offset = slot.offset.max(offset);
            }
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
            self.duplicated += u64::from(self.plan.scenario == Scenario::Ingest);
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
            self.books.record(phase, latency_ns);
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

fn close_reason(payload: &[u8]) -> String {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return "without a code".to_owned() };
    format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(reason))
}
