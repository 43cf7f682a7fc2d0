//! What waits for one client: three lanes by urgency and a small one for control. Pure.
//!
//! Bounded in bytes. Within a topic the order of pushing is kept whatever the lanes: a message that is
//! more urgent than what waits of its topic takes that along.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::protocol::priority::Priority;

/// Answers and pushes that belong to no topic.
pub const NO_TOPIC: u32 = 0;

/// The lane or the whole outbox is at its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
struct Waiting {
    topic: u32,
    frame: Bytes,
}

/// The outbox of one connection. Holds no memory while it is empty.
#[derive(Debug)]
pub struct Outbox {
    /// The rest of a frame of which the socket has taken a part; nothing may come before it.
    begun: Bytes,
    control: VecDeque<Bytes>,
    lanes: [VecDeque<Waiting>; 3],
    bytes: usize,
    control_bytes: usize,
    bytes_max: usize,
    control_bytes_max: usize,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(bytes_max: usize, control_bytes_max: usize) -> Self {
        Self {
            begun: Bytes::new(),
            control: VecDeque::new(),
            lanes: Default::default(),
            bytes: 0,
            control_bytes: 0,
            bytes_max,
            control_bytes_max,
        }
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.bytes == 0 && self.control_bytes == 0
    }

    /// The bound of what waits.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.begun.len() + self.bytes + self.control_bytes
    }

    /// Queues a data frame behind what waits of its topic and of its lane.
    pub fn push(&mut self, topic: u32, priority: Priority, frame: Bytes) -> Result<(), Full> {
        if self.bytes + frame.len() > self.bytes_max {
            return Err(Full);
        }
        if topic != NO_TOPIC {
            self.take_along(topic, priority);
        }
        self.bytes += frame.len();
        self.lanes[priority.index()].push_back(Waiting { topic, frame });
        Ok(())
    }

    /// Moves what waits of `topic` in less urgent lanes to the end of this one, in order.
    fn take_along(&mut self, topic: u32, priority: Priority) {
        for less_urgent in priority.index() + 1..self.lanes.len() {
            if self.lanes[less_urgent].iter().all(|w| w.topic != topic) {
                continue;
            }
            let (along, stay) =
                std::mem::take(&mut self.lanes[less_urgent]).into_iter().partition(|w| w.topic == topic);
            let along: VecDeque<Waiting> = along;
            self.lanes[less_urgent] = stay;
            self.lanes[priority.index()].extend(along);
        }
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: Bytes) -> Result<(), Full> {
        if self.control_bytes + frame.len() > self.control_bytes_max {
            return Err(Full);
        }
        self.control_bytes += frame.len();
        self.control.push_back(frame);
        Ok(())
    }

    /// The rest of a frame that the socket has begun to take; only into an outbox without one.
    pub fn begin(&mut self, rest: Bytes) {
        debug_assert!(self.begun.is_empty());
        self.begun = rest;
    }

    /// Forgets the data; what is begun and control stay.
    pub fn drop_data(&mut self) {
        self.lanes = Default::default();
        self.bytes = 0;
    }

    /// Fills `slices` with what goes out next; returns how many.
    pub fn head<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let begun = std::iter::once(&self.begun).filter(|b| !b.is_empty());
        let data = self.lanes.iter().flatten().map(|w| &w.frame);
        let mut filled = 0;
        for (slice, frame) in slices.iter_mut().zip(begun.chain(&self.control).chain(data)) {
            *slice = IoSlice::new(frame);
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
        }
        while written > 0 {
            let Some(mut frame) = self.pop() else { break };
            let part = written.min(frame.len());
            written -= part;
            if part < frame.len() {
                self.begun = frame.split_off(part);
            }
        }
        if self.is_empty() {
            // An idle connection holds no buffers.
            *self = Self::new(self.bytes_max, self.control_bytes_max);
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.control.pop_front() {
            self.control_bytes -= frame.len();
            return Some(frame);
        }
        let waiting = self.lanes.iter_mut().find_map(VecDeque::pop_front)?;
        self.bytes -= waiting.frame.len();
        Some(waiting.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(outbox: &mut Outbox, chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outbox.head(&mut slices);
            let head: Vec<u8> = slices[..filled].iter().flat_map(|s| s.iter().copied()).collect();
            let written = chunk.min(head.len());
            out.extend_from_slice(&head[..written]);
            outbox.advance(written);
        }
        out
    }

    #[test]
    fn urgent_topics_overtake_but_never_within_a_topic() {
        let mut outbox = Outbox::new(100, 100);
        outbox.push(1, Priority::Normal, "a1".into()).unwrap();
        outbox.push(2, Priority::Normal, "b1".into()).unwrap();
        outbox.push(3, Priority::Low, "c1".into()).unwrap();
        outbox.push(2, Priority::Critical, "b2".into()).unwrap();
        outbox.push_control("!".into()).unwrap();
        assert_eq!(drain(&mut outbox, 3), b"!b1b2a1c1");
    }

    #[test]
    fn a_begun_frame_is_finished_before_control() {
        let mut outbox = Outbox::new(100, 100);
        outbox.begin("rest".into());
        outbox.push_control("!".into()).unwrap();
        outbox.push(1, Priority::Critical, "x".into()).unwrap();
        assert_eq!(drain(&mut outbox, 100), b"rest!x");
    }

    #[test]
    fn both_bounds_hold() {
        let mut outbox = Outbox::new(4, 2);
        outbox.push(1, Priority::Low, "1234".into()).unwrap();
        assert_eq!(outbox.push(1, Priority::Critical, "5".into()), Err(Full));
        outbox.push_control("!!".into()).unwrap();
        assert_eq!(outbox.push_control("!".into()), Err(Full));
        outbox.drop_data();
        assert_eq!(outbox.bytes(), 2);
    }

    proptest! {
        #[test]
        fn every_frame_comes_out_once_and_in_order_of_its_topic(
            pushes in prop::collection::vec((1u32..4, 0usize..3), 1..60), chunk in 1usize..9,
        ) {
            let mut outbox = Outbox::new(10_000, 100);
            for (n, (topic, priority)) in pushes.iter().enumerate() {
                let frame = Bytes::from(vec![*topic as u8, n as u8]);
                outbox.push(*topic, Priority::ALL[*priority], frame).unwrap();
            }
            let out = drain(&mut outbox, chunk);
            prop_assert_eq!(out.len(), pushes.len() * 2);
            for topic in 1u8..4 {
                let seen: Vec<u8> = out.chunks(2).filter(|f| f[0] == topic).map(|f| f[1]).collect();
                let sent: Vec<u8> =
                    (0..pushes.len()).filter(|n| pushes[*n].0 == u32::from(topic)).map(|n| n as u8).collect();
                prop_assert_eq!(seen, sent);
            }
        }
    }
}
