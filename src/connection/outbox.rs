//! What waits for one client: three lanes by urgency and a small one for control. Pure.
//!
//! Bounded in bytes. Within a topic the order of pushing is kept whatever the lanes: a message that is
//! more urgent than what waits of its topic takes that along.
//!
//! A client that falls behind loses the least it can, step by step: over half of the bound a newest value
//! replaces the one of its key that waits; over three quarters what is low is dropped, and the client is told;
//! at the bound what is low goes first, then the client itself.

mod firsts;

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::priority::Priority;
use firsts::Firsts;

/// Answers and pushes that belong to no topic.
pub const NO_TOPIC: u32 = 0;

/// Replaced entries that may lie in a lane before it is cleared of them.
const STALE_MAX: usize = 64;

/// The lane or the whole outbox is at its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One frame of data.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its topic, or [`NO_TOPIC`].
    pub topic: u32,
    /// Its urgency.
    pub priority: Priority,
    /// Offset of the first message in it; 0 when it has none.
    pub offset: u64,
    /// How many messages are in it.
    pub messages: u32,
    /// Of a newest value: whose. It may replace the one that waits.
    pub key: Option<Arc<str>>,
    /// The bytes.
    pub frame: Bytes,
}

/// What a topic lost on its way to a client that is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: u32,
    /// Messages that were dropped.
    pub dropped: u64,
    /// Messages that a newer value replaced.
    pub conflated: u64,
}

#[derive(Debug)]
struct Waiting {
    sequence: u64,
    entry: Entry,
}

/// What may wait, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Data frames.
    pub bytes_max: usize,
    /// Control frames.
    pub control_bytes_max: usize,
}

/// The outbox of one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The rest of a frame of which the socket has taken a part; nothing may come before it.
    begun: Bytes,
    /// What that frame is of; nothing for a control frame or an answer.
    begun_topic: u32,
    /// That frame, and what was dropped at the end.
    unsent: Firsts,
    control: VecDeque<Bytes>,
    lanes: [VecDeque<Waiting>; 3],
    /// Which entry holds the newest value of a key; an older one with that key is stale.
    newest: HashMap<(u32, Arc<str>), u64>,
    stale: usize,
    next_sequence: u64,
    bytes: usize,
    control_bytes: usize,
    bounds: Bounds,
    lags: Vec<Lag>,
    /// What was dropped as low, until the frame that tells the client of it is out.
    untold: Firsts,
    /// The data was dropped: the connection ends.
    is_over: bool,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.bytes == 0 && self.control_bytes == 0
    }

    /// Nothing waits and nothing is left to be told: it can be thrown away.
    pub fn is_spent(&self) -> bool {
        self.is_empty() && self.lags.is_empty() && self.untold.is_empty() && !self.is_over
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.begun.len() + self.bytes + self.control_bytes
    }

    /// Bytes that wait by urgency, most urgent first.
    pub fn bytes_by_priority(&self) -> [usize; 3] {
        let [critical, normal, low, _control] = self.depths();
        [critical.1, normal.1, low.1]
    }

    /// Frames and bytes that wait by urgency, most urgent first, and last those of the control lane.
    pub fn depths(&self) -> [(usize, usize); 4] {
        let lane = |lane: &VecDeque<Waiting>| {
            let waiting = lane.iter().filter(|w| !self.is_stale(w));
            waiting.fold((0, 0), |(frames, bytes), w| (frames + 1, bytes + w.entry.frame.len()))
        };
        let [critical, normal, low] = &self.lanes;
        [lane(critical), lane(normal), lane(low), (self.control.len(), self.control_bytes)]
    }

    /// Something critical waits.
    pub fn has_critical(&self) -> bool {
        !self.lanes[Priority::Critical.index()].is_empty()
    }

    /// Over half of the bound: newest values come one by one, so that they can be replaced.
    pub fn conflates(&self) -> bool {
        self.bytes > self.bounds.bytes_max / 2
    }

    /// Over three quarters of the bound: what is low is dropped.
    fn sheds(&self) -> bool {
        self.bytes > self.bounds.bytes_max / 4 * 3
    }

    /// Queues a data frame behind what waits of its topic and of its lane.
    pub fn push(&mut self, entry: Entry) -> Result<(), Full> {
        if entry.priority == Priority::Low && self.sheds() {
            self.lose(&entry);
            return Ok(());
        }
        self.replace(&entry);
        if self.bytes + entry.frame.len() > self.bounds.bytes_max {
            self.shed();
        }
        if self.bytes + entry.frame.len() > self.bounds.bytes_max {
            return if entry.priority == Priority::Low {
                self.lose(&entry);
                Ok(())
            } else {
                Err(Full)
            };
        }
        if entry.topic != NO_TOPIC {
            self.take_along(entry.topic, entry.priority);
        }
        self.bytes += entry.frame.len();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        if let Some(key) = &entry.key {
            self.newest.insert((entry.topic, key.clone()), sequence);
        }
        self.lanes[entry.priority.index()].push_back(Waiting { sequence, entry });
        Ok(())
    }

    /// Takes the older value of the entry's key out, if one waits.
    fn replace(&mut self, entry: &Entry) {
        let Some(key) = &entry.key else { return };
        let Some(sequence) = self.newest.remove(&(entry.topic, key.clone())) else { return };
        let older = self.lanes.iter_mut().flatten().find(|waiting| waiting.sequence == sequence);
        if let Some(older) = older {
            self.bytes -= older.entry.frame.len();
            older.entry.frame = Bytes::new();
            self.stale += 1;
            self.lag(entry.topic, 0, 1);
        }
        if self.stale > STALE_MAX {
            for lane in &mut self.lanes {
                lane.retain(|waiting| !waiting.entry.frame.is_empty());
            }
            self.stale = 0;
        }
    }

    fn is_stale(&self, waiting: &Waiting) -> bool {
        waiting.entry.frame.is_empty()
    }

    /// Drops what is low.
    fn shed(&mut self) {
        for waiting in std::mem::take(&mut self.lanes[Priority::Low.index()]) {
            self.forget(&waiting);
            if waiting.entry.frame.is_empty() {
                self.stale -= 1;
            } else {
                self.lose(&waiting.entry);
            }
        }
    }

    /// An entry is dropped.
    fn lose(&mut self, entry: &Entry) {
        self.untold.note(entry.topic, entry.offset);
        self.lag(entry.topic, u64::from(entry.messages), 0);
    }

    fn lag(&mut self, topic: u32, dropped: u64, conflated: u64) {
        match self.lags.iter_mut().find(|lag| lag.topic == topic) {
            Some(lag) => {
                lag.dropped += dropped;
                lag.conflated += conflated;
            }
            None => self.lags.push(Lag { topic, dropped, conflated }),
        }
    }

    /// What each topic lost since this was last asked.
    pub fn take_lags(&mut self) -> Vec<Lag> {
        std::mem::take(&mut self.lags)
    }

    /// Control frames are out as far as the outbox knows: whatever was to be told is told.
    pub fn control_is_out(&mut self) {
        if self.lags.is_empty() && self.control.is_empty() {
            self.untold = Firsts::default();
        }
    }

    /// Whether a topic lost messages that the client has not been told of.
    pub fn has_dropped(&self) -> bool {
        self.lags.iter().any(|lag| lag.dropped > 0)
    }

    /// Forgets what waits of a topic: nobody wants it any more, or somebody wants it from another place on.
    pub fn forget_topic(&mut self, topic: u32) {
        self.untold.forget(topic);
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].iter().all(|w| w.entry.topic != topic) {
                continue;
            }
            let (gone, stay) =
                std::mem::take(&mut self.lanes[lane]).into_iter().partition(|w| w.entry.topic == topic);
            let gone: VecDeque<Waiting> = gone;
            self.lanes[lane] = stay;
            for waiting in gone {
                self.stale -= usize::from(self.is_stale(&waiting));
                self.forget(&waiting);
            }
        }
    }

    /// Moves what waits of `topic` in less urgent lanes to the end of this one, in order.
    fn take_along(&mut self, topic: u32, priority: Priority) {
        for less_urgent in priority.index() + 1..self.lanes.len() {
            if self.lanes[less_urgent].iter().all(|w| w.entry.topic != topic) {
                continue;
            }
            let (along, stay) = std::mem::take(&mut self.lanes[less_urgent])
                .into_iter()
                .partition(|w| w.entry.topic == topic);
            let along: VecDeque<Waiting> = along;
            self.lanes[less_urgent] = stay;
            self.lanes[priority.index()].extend(along);
        }
    }

    /// Offset of the first message of `topic` that did not go out whole, or was dropped and the client may not know.
    pub fn first_offset(&self, topic: u32) -> Option<u64> {
        let of_topic = |w: &&Waiting| w.entry.topic == topic && w.entry.offset > 0 && !self.is_stale(w);
        let waiting = self.lanes.iter().flatten().filter(of_topic).map(|w| w.entry.offset);
        waiting.chain(self.unsent.of(topic)).chain(self.untold.of(topic)).min()
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: Bytes) -> Result<(), Full> {
        if self.control_bytes + frame.len() > self.bounds.control_bytes_max {
            return Err(Full);
        }
        self.control_bytes += frame.len();
        self.control.push_back(frame);
        Ok(())
    }

    /// The rest of a frame that the socket has begun to take; only into an outbox without one.
    pub fn begin(&mut self, rest: Bytes, topic: u32, offset: u64) {
        debug_assert!(self.begun.is_empty());
        self.begun = rest;
        self.begun_topic = topic;
        self.unsent = Firsts::default();
        self.unsent.note(topic, offset);
    }

    /// Forgets the data; what is begun and control stay.
    pub fn drop_data(&mut self) {
        for waiting in self.lanes.iter().flatten() {
            self.unsent.note(waiting.entry.topic, waiting.entry.offset);
        }
        self.lanes = Default::default();
        self.newest = HashMap::new();
        self.stale = 0;
        self.bytes = 0;
        self.is_over = true;
    }

    /// Fills `slices` with what goes out next; returns how many are filled. What is begun, control and what is
    /// critical is whole; less urgent frames only fill that up to `bytes_max`.
    pub fn head<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let [critical, less_urgent @ ..] = &self.lanes;
        let begun = std::iter::once(&self.begun).filter(|b| !b.is_empty());
        let frame = |waiting: &'a Waiting| (!self.is_stale(waiting)).then_some(&waiting.entry.frame);
        let urgent = begun.chain(&self.control).chain(critical.iter().filter_map(frame));
        let frames = urgent
            .map(|frame| (frame, true))
            .chain(less_urgent.iter().flatten().filter_map(frame).map(|frame| (frame, false)));
        let (mut filled, mut room) = (0, bytes_max);
        for (slice, (frame, is_urgent)) in slices.iter_mut().zip(frames) {
            let part = if is_urgent { frame } else { frame.get(..room).unwrap_or(frame) };
            if part.is_empty() {
                break;
            }
            *slice = IoSlice::new(part);
            room = room.saturating_sub(part.len());
            filled += 1;
        }
        filled
    }

    /// The socket took `written` bytes of the head.
    pub fn advance(&mut self, mut written: usize) {
        if !self.begun.is_empty() {
            let part = written.min(self.begun.len());
            self.begun = self.begun.slice(part..);
            written -= part;
            if self.begun.is_empty() && !self.is_over {
                self.unsent = Firsts::default();
            }
        }
        while written > 0 {
            let Some((topic, offset, mut frame)) = self.pop() else { break };
            let part = written.min(frame.len());
            written -= part;
            if part < frame.len() {
                self.begin(frame.split_off(part), topic, offset);
            }
        }
        if self.begun.is_empty() || self.begun_topic != NO_TOPIC {
            self.control_is_out();
        }
    }

    fn pop(&mut self) -> Option<(u32, u64, Bytes)> {
        if let Some(frame) = self.control.pop_front() {
            self.control_bytes -= frame.len();
            return Some((NO_TOPIC, 0, frame));
        }
        loop {
            let waiting = self.lanes.iter_mut().find_map(VecDeque::pop_front)?;
            self.forget(&waiting);
            if waiting.entry.frame.is_empty() {
                self.stale -= 1;
                continue;
            }
            return Some((waiting.entry.topic, waiting.entry.offset, waiting.entry.frame));
        }
    }

    /// An entry has left its lane.
    fn forget(&mut self, waiting: &Waiting) {
        self.bytes -= waiting.entry.frame.len();
        if let Some(key) = &waiting.entry.key {
            let key = (waiting.entry.topic, key.clone());
            if self.newest.get(&key) == Some(&waiting.sequence) {
                self.newest.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
