//! All clients of a run: who comes, goes, is cut off, and what is sent. What they read is in `reading`.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use anyhow::{Context as _, Result, bail};

use super::accepted::Accepted;
use super::books::Books;
use super::slot::{Fate, Role, Slot};
use crate::clients::{Clients as _, Link, Sockets, Stage, Staged};
use crate::frames;
use crate::marker::Marker;
use crate::net::now_ns;
use crate::plan::{Plan, Priority, Scenario};
use crate::protocol;
use crate::received::Counts;
use crate::schedule::Timetable;

/// What the kernel takes in for a client that does not read.
const SLOW_RECEIVE_BYTES: usize = 16 * 1024;
/// What the publisher's socket did not take; nothing is staged beyond it, and keeps its planned time.
const UNSENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Frames without an answer of one agent; what is due beyond them is not sent and counts as lost.
const WAITING_MAX: usize = 4_096;
/// How often somebody who was cut off tries, and the time between two attempts.
pub(super) const ATTEMPTS_MAX: u32 = 20;
pub(super) const RETRY_NS: u64 = 250_000_000;
/// How long a client that leaves waits for what is due to it.
const LEAVE_NS: u64 = 5_000_000_000;

/// The clients of a run. Slot 0 is the publisher.
pub(crate) struct Crowd<'p> {
    pub(super) plan: &'p Plan,
    pub(super) timetable: Timetable,
    address: SocketAddrV4,
    pub(super) token: Option<String>,
    /// What agents say of their nodes.
    about_nodes: String,
    /// Part of all client ids, so that two runs do not take each other's sessions over.
    run_id: String,
    pub(super) sockets: Sockets,
    pub(crate) slots: Vec<Slot>,
    /// Frames of the publisher that are not handed to its socket yet.
    staged: Staged,
    /// The frame that an agent sends.
    pushing: Staged,
    pub(crate) books: Books,
    /// Zero of the run, on the monotonic clock.
    pub(crate) start_ns: u64,
    pub(crate) epoch: Option<String>,
    pub(crate) accepted: Accepted,
    pub(crate) published: u32,
    pub(crate) frames: u64,
    /// Subscribers and agents that are ready.
    pub(crate) ready: usize,
    /// Those between opening and being ready.
    pub(super) underway: usize,
    pub(super) away: VecDeque<(u64, usize)>,
    leaving: Vec<usize>,
    pub(crate) bytes_in: u64,
    /// Of messages; with `ingest` answers that came twice are among the duplicated.
    pub(crate) counts: Counts,
    pub(crate) acknowledged: u64,
    pub(crate) recovered: u64,
    pub(crate) returned: u64,
    pub(crate) slow_closed: u64,
    pub(crate) last_arrival_ns: u64,
    /// When the last client became ready for the first time.
    pub(crate) last_ready_ns: u64,
    /// Why the first client failed or was lost.
    pub(crate) first_failure: Option<String>,
}

impl<'p> Crowd<'p> {
    pub(crate) fn new(plan: &'p Plan, address: SocketAddrV4, token: Option<String>) -> Result<Self> {
        let timetable = Timetable::new(&plan.phases);
        let books = Books::new(plan.phases.len(), timetable.end_ns())?;
        Ok(Self {
            plan,
            timetable,
            address,
            token,
            about_nodes: protocol::about_nodes(plan),
            run_id: format!("load-{:x}-{:x}", std::process::id(), now_ns() & 0xffff_ffff),
            sockets: Sockets::new()?,
            slots: Vec::new(),
            staged: Staged::default(),
            pushing: Staged::default(),
            books,
            start_ns: now_ns(),
            epoch: None,
            accepted: Accepted::default(),
            published: 0,
            frames: 0,
            ready: 0,
            underway: 0,
            away: VecDeque::new(),
            leaving: Vec::new(),
            bytes_in: 0,
            counts: Counts::default(),
            acknowledged: 0,
            recovered: 0,
            returned: 0,
            slow_closed: 0,
            last_arrival_ns: 0,
            last_ready_ns: 0,
            first_failure: None,
        })
    }

    /// Told apart from other runs by this.
    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// How many slots there are besides the publisher's.
    pub(crate) fn planned(&self) -> usize {
        self.slots.len().saturating_sub(1)
    }

    /// Whether one more may be opened now.
    pub(crate) fn has_room(&self) -> bool {
        self.underway < self.plan.inflight
    }

    /// Opens a new client.
    pub(crate) fn open(&mut self, role: Role, is_slow: bool) -> Result<()> {
        let token = self.slots.len();
        let mut slot = Slot::new(role, format!("{}-{token}", self.run_id));
        slot.is_slow = is_slow;
        if role == Role::Agent {
            // The hub forgets them when the run is over; history, which it keeps, has the same names in every run.
            slot.pushed.node = format!("load-test-{token}");
        }
        self.slots.push(slot);
        self.connect(token)
    }

    fn connect(&mut self, token: usize) -> Result<()> {
        let Some(slot) = self.slots.get_mut(token) else { return Ok(()) };
        let receive_bytes = slot.is_slow.then_some(SLOW_RECEIVE_BYTES);
        slot.link = Some(Link::open(self.address, token, &self.sockets.poller, receive_bytes)?);
        slot.opened_ns = now_ns();
        if slot.role != Role::Publisher {
            self.underway += 1;
        }
        Ok(())
    }

    /// Opens the publisher and waits until it knows where the topic stands and may publish.
    pub(crate) fn open_publisher(&mut self) -> Result<()> {
        self.open(Role::Publisher, false)?;
        self.await_publisher(0)?;
        self.check_publisher()
    }

    /// Keeps slot 0 free when nothing is published.
    pub(crate) fn without_publisher(&mut self) {
        let mut slot = Slot::new(Role::Publisher, String::new());
        slot.fate = Fate::Here;
        self.slots.push(slot);
    }

    /// An error when the publisher is gone.
    pub(crate) fn check_publisher(&self) -> Result<()> {
        match self.slots.first() {
            Some(slot) if slot.fate != Fate::Here => {
                bail!("no publisher: {}", self.first_failure.as_deref().unwrap_or("it is gone"))
            }
            _ => Ok(()),
        }
    }

    /// Puts a message behind those that [`Crowd::send_staged`] will send; false when too much waits already.
    pub(crate) fn stage(&mut self, due_ns: u64) -> bool {
        let link = self.slots.first().and_then(|slot| slot.link.as_ref());
        let waiting_bytes = link.map_or(0, |link| link.peer.waiting_bytes());
        if waiting_bytes + self.staged.bytes() > UNSENT_BYTES_MAX {
            return false;
        }
        let marker = Marker { due_ns: self.start_ns + due_ns, sequence: self.published };
        let Plan { topic, payload_bytes, priority, .. } = self.plan;
        let data = |out: &mut Vec<u8>| marker.write_quoted(*payload_bytes, out);
        if self.plan.scenario == Scenario::AlertLatency {
            let about = &self.about_nodes;
            self.staged.stage(|out| protocol::write_breach(about, marker, out));
        } else {
            self.staged.stage(|out| {
                protocol::write_publish(marker.sequence, topic, Priority::name(*priority), data, out);
            });
        }
        self.published += 1;
        let phase = self.timetable.phase_at(due_ns);
        self.books.published[phase] += 1;
        true
    }

    pub(crate) fn send_staged(&mut self) -> Result<()> {
        let link = self.slots.first_mut().and_then(|slot| slot.link.as_mut());
        self.staged.send(link, &self.sockets.poller).context("the publisher lost its connection")
    }

    /// Lets an agent send a frame, if it can.
    pub(crate) fn push(&mut self, token: usize, due_ns: u64) {
        self.frames += 1;
        if self.plan.scenario == Scenario::Ingest {
            let phase = self.timetable.phase_at(due_ns);
            self.books.published[phase] += 1;
        }
        let Some(slot) = self.slots.get_mut(token) else { return };
        let sequence = slot.pushed.due;
        slot.pushed.due += 1;
        if slot.fate != Fate::Here || slot.pushed.waiting.len() >= WAITING_MAX {
            return;
        }
        let (node, about, samples) = (&slot.pushed.node, &self.about_nodes, self.plan.samples_per_frame);
        self.pushing.stage(|out| protocol::write_metrics(node, about, sequence, samples, out));
        match self.pushing.send(slot.link.as_mut(), &self.sockets.poller) {
            Ok(()) => slot.pushed.waiting.push_back((sequence, self.start_ns + due_ns)),
            Err(error) => self.lose(token, Stage::Ready, &error.into()),
        }
    }

    /// Cuts a client off without a word; it comes back as soon as it can.
    pub(crate) fn cut(&mut self, token: usize) {
        let Some(slot) = self.slots.get_mut(token) else { return };
        slot.link = None;
        (slot.fate, slot.cut_ns, slot.attempts) = (Fate::Away, now_ns(), 0);
        slot.cuts += 1;
        self.ready -= 1;
        self.away.push_back((0, token));
    }

    /// Lets those who were cut off come back whose time it is.
    pub(crate) fn bring_back(&mut self) -> Result<()> {
        for _ in 0..self.away.len() {
            let Some((not_before_ns, token)) = self.away.pop_front() else { break };
            if not_before_ns > now_ns() || !self.has_room() {
                self.away.push_back((not_before_ns, token));
                continue;
            }
            self.connect(token)?;
        }
        Ok(())
    }

    /// Whether somebody who was cut off is not back yet.
    pub(crate) fn awaits_somebody(&self) -> bool {
        self.slots.iter().any(|slot| slot.fate == Fate::Away)
    }

    /// Tells a client to leave: it goes when it has everything published so far.
    pub(crate) fn leave(&mut self, token: usize) {
        if let Some(slot) = self.slots.get_mut(token).filter(|slot| slot.stays()) {
            (slot.until, slot.leaving_ns) = (Some(self.published), now_ns());
            self.leaving.push(token);
        }
    }

    /// Ends the connections of those who leave and have everything.
    pub(crate) fn see_off(&mut self) {
        let mut leaving = std::mem::take(&mut self.leaving);
        leaving.retain(|token| {
            let due = self.due(*token);
            let Some(slot) = self.slots.get_mut(*token).filter(|slot| slot.fate == Fate::Here) else {
                return false;
            };
            if u64::from(slot.received.delivered) < due && now_ns() < slot.leaving_ns + LEAVE_NS {
                return true;
            }
            (slot.fate, slot.link) = (Fate::Left, None);
            self.ready -= 1;
            false
        });
        self.leaving = leaving;
    }

    pub(crate) fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Messages due to a subscriber so far.
    pub(crate) fn due(&self, token: usize) -> u64 {
        self.range(token).map_or(0, |(from, until)| self.accepted.between(from, until))
    }

    /// The numbers of the messages due to a subscriber: from one to before another.
    pub(crate) fn range(&self, token: usize) -> Option<(u32, u32)> {
        use super::slot::From;
        let slot = self.slots.get(token).filter(|slot| !slot.is_slow)?;
        let from = match slot.from? {
            From::Offset(offset) => self.accepted.first_after(offset),
            From::Sequence(sequence) => sequence,
        };
        Some((from, slot.until.unwrap_or(self.published)))
    }

    /// Lets the slow clients stop reading, or read on. Whether the hub closed one that did not read shows when it does:
    /// it is asked for a sign of life.
    pub(crate) fn pause_slow(&mut self, paused: bool) {
        for token in 0..self.slots.len() {
            let slot = &mut self.slots[token];
            let Some(link) = slot.link.as_mut().filter(|_| slot.is_slow && slot.fate == Fate::Here) else {
                continue;
            };
            if link.peer.is_paused() == paused {
                continue;
            }
            let poller = &self.sockets.poller;
            let mut done = link.peer.pause(paused, poller);
            if !paused {
                done = done.and_then(|()| link.say(frames::TEXT, protocol::PING.as_bytes(), poller));
            }
            if let Err(error) = done {
                self.lose(token, Stage::Ready, &error.into());
            }
        }
    }
}
