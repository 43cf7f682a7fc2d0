//! The pure core of a topic: offsets, history, newest value per key. No clock, no IO, no actor.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::kind::{Bounds, Class};
use super::position::{Page, Position, Since};
use crate::ids::MessageId;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::protocol::server::Parts;
use crate::websocket::payload_of;

/// A message as the topic keeps it: the frame that subscribers got, and where its parts are.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Position in the epoch, from 1.
    pub offset: u64,
    /// Identity.
    pub id: MessageId,
    /// When the hub took it.
    pub unix_ms: u64,
    /// What it is the newest value of.
    pub key: Option<Arc<str>>,
    /// What its publisher calls it.
    pub event_type: Option<Arc<str>>,
    /// The request that caused it.
    pub correlation_id: Option<Arc<str>>,
    /// Its urgency.
    pub priority: Priority,
    /// The whole frame, shared with sockets.
    pub frame: SharedFrame,
    /// Where id, timestamp and payload lie in the JSON frame.
    pub parts: Parts,
}

impl Stored {
    /// The payload's JSON text.
    pub fn payload_text(&self) -> &str {
        self.text(&self.parts.payload)
    }

    /// `"id":..,"timestamp":..,"payload":..`
    pub fn body_text(&self) -> &str {
        self.text(&self.parts.body)
    }

    /// The whole frame's JSON text.
    pub fn frame_text(&self) -> &str {
        let frame = self.frame.as_json();
        let header = frame.len() - payload_of(frame).len();
        self.text(&(header..frame.len()))
    }

    fn text(&self, range: &Range<usize>) -> &str {
        let bytes = self.frame.as_json().get(range.clone()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or("null")
    }

    /// Bytes that it is counted with.
    pub fn bytes(&self) -> usize {
        self.frame.as_json().len()
    }
}

/// What a topic holds.
#[derive(Debug)]
pub struct Log {
    class: Class,
    bounds: Bounds,
    epoch: Arc<str>,
    next_offset: u64,
    /// Offset of the newest message that was remembered.
    top: u64,
    /// Messages above this offset are in `history`.
    floor: u64,
    history: VecDeque<Stored>,
    history_bytes: usize,
    newest: HashMap<Arc<str>, Stored>,
}

impl Log {
    /// An empty topic at the start of `epoch`.
    pub fn new(class: Class, bounds: Bounds, epoch: Arc<str>) -> Self {
        Self {
            class,
            bounds,
            epoch,
            next_offset: 1,
            top: 0,
            floor: 0,
            history: VecDeque::new(),
            history_bytes: 0,
            newest: HashMap::new(),
        }
    }

    /// Goes on where the store left off. `tail` are the newest messages, oldest first.
    pub fn resume(&mut self, epoch: Arc<str>, last_offset: u64, tail: Vec<Stored>) {
        *self = Self::new(self.class, self.bounds, epoch);
        self.next_offset = last_offset + 1;
        self.floor = tail.first().map_or(last_offset, |first| first.offset.saturating_sub(1));
        for message in tail {
            self.remember(message);
        }
        self.top = last_offset;
    }

    /// The epoch.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// The offset of the newest message; 0 before the first.
    pub fn offset(&self) -> u64 {
        self.top
    }

    /// Messages above this offset are held, those up to it are not.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The messages with these ids that are held.
    pub fn find(&self, ids: &[MessageId]) -> Vec<u64> {
        self.history
            .iter()
            .filter(|message| ids.contains(&message.id))
            .map(|message| message.offset)
            .collect()
    }

    /// Epoch and offset of the newest message.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), offset: self.top }
    }

    /// Takes the next offset.
    pub fn assign(&mut self) -> u64 {
        let offset = self.next_offset;
        self.next_offset += 1;
        offset
    }

    /// Remembers a message. Offsets come in rising order.
    pub fn remember(&mut self, message: Stored) {
        self.top = message.offset;
        match self.class {
            Class::Log => {
                self.history_bytes += message.bytes();
                let now_ms = message.unix_ms;
                self.history.push_back(message);
                self.trim(now_ms);
            }
            Class::Latest => {
                let key = message.key.clone().unwrap_or_else(|| Arc::from(""));
                if !self.newest.contains_key(&key) && self.newest.len() >= self.bounds.messages_max {
                    let oldest = self.newest.iter().min_by_key(|(_, m)| m.offset).map(|(k, _)| k.clone());
                    if let Some(oldest) = oldest {
                        self.newest.remove(&oldest);
                    }
                }
                self.newest.insert(key, message);
            }
        }
    }

    /// Forgets what is over a bound: count, bytes, age.
    pub fn trim(&mut self, now_ms: u64) {
        while let Some(oldest) = self.history.front() {
            let old =
                self.bounds.age_ms_max.is_some_and(|age_ms| oldest.unix_ms.saturating_add(age_ms) < now_ms);
            let over =
                self.history.len() > self.bounds.messages_max || self.history_bytes > self.bounds.bytes_max;
            if !(old || over) {
                return;
            }
            self.history_bytes -= oldest.bytes();
            self.floor = oldest.offset;
            self.history.pop_front();
        }
        if self.history.capacity() > 64 {
            // An idle topic holds no memory for the burst it once had.
            self.history.shrink_to_fit();
        }
    }

    /// Forgets all messages; offsets go on.
    pub fn forget(&mut self) {
        self.floor = self.top;
        self.history = VecDeque::new();
        self.history_bytes = 0;
        self.newest = HashMap::new();
    }

    /// Goes on after `offset`: what is up to it is lost.
    pub fn skip(&mut self, offset: u64) {
        self.forget();
        (self.top, self.floor) = (offset, offset);
    }

    /// Forgets the newest value of a key.
    pub fn forget_key(&mut self, key: &str) {
        self.newest.remove(key);
    }

    /// What stands with somebody who has seen `position`.
    pub fn since(&self, position: &Position) -> Since {
        if position.epoch != self.epoch || position.offset > self.top {
            return Since::Unknown;
        }
        if self.class == Class::Log && position.offset < self.floor {
            return Since::Trimmed;
        }
        Since::Known
    }

    /// Messages after `offset`, oldest first, `limit` at most; of a topic of newest values those values.
    pub fn after(&self, offset: u64, limit: usize) -> Vec<Stored> {
        match self.class {
            Class::Log => {
                let from = self.history.partition_point(|message| message.offset <= offset);
                self.history.iter().skip(from).take(limit).cloned().collect()
            }
            Class::Latest => {
                let mut values: Vec<_> =
                    self.newest.values().filter(|m| m.offset > offset).cloned().collect();
                values.sort_unstable_by_key(|m| m.offset);
                values.truncate(limit);
                values
            }
        }
    }

    /// At most `limit` of the newest messages, oldest first.
    pub fn tail(&self, limit: usize) -> Vec<Stored> {
        match self.class {
            Class::Log => {
                self.history.iter().skip(self.history.len().saturating_sub(limit)).cloned().collect()
            }
            Class::Latest => {
                let mut values = self.after(0, usize::MAX);
                values.split_off(values.len().saturating_sub(limit))
            }
        }
    }

    /// A page for a reader who is `Known` to stand at `offset`.
    pub fn page(&self, offset: u64, limit: usize) -> Page {
        self.page_of(self.after(offset, limit), limit)
    }

    /// The newest messages, for a reader who has nothing or whose place is lost.
    pub fn newest_page(&self, limit: usize, recovered: bool) -> Page {
        let messages = self.tail(limit);
        let truncated = messages.len() < self.history.len().max(self.newest.len());
        Page { messages, position: self.position(), recovered, truncated }
    }

    /// Messages that follow a reader's place, as a page of this log.
    pub fn page_of(&self, messages: Vec<Stored>, limit: usize) -> Page {
        let truncated = messages.len() >= limit && messages.last().is_none_or(|last| last.offset < self.top);
        Page { messages, position: self.position(), recovered: true, truncated }
    }

    /// When the newest message that is held was taken, unix milliseconds.
    pub fn newest_ms(&self) -> Option<u64> {
        let newest_values = self.newest.values().map(|message| message.unix_ms).max();
        self.history.back().map(|message| message.unix_ms).or(newest_values)
    }

    /// Messages and bytes held.
    pub fn held(&self) -> (usize, usize) {
        let newest_bytes: usize = self.newest.values().map(Stored::bytes).sum();
        (self.history.len() + self.newest.len(), self.history_bytes + newest_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(log: &mut Log, unix_ms: u64, key: Option<&str>, bytes: usize) -> Stored {
        Stored {
            offset: log.assign(),
            id: MessageId::at(unix_ms),
            unix_ms,
            key: key.map(Arc::from),
            event_type: None,
            priority: Priority::Normal,
            correlation_id: None,
            frame: SharedFrame::json(vec![b'x'; bytes].into()),
            parts: Parts { body: 0..bytes, payload: 0..bytes },
        }
    }

    fn log(class: Class, messages_max: usize, bytes_max: usize, age_ms_max: Option<u64>) -> Log {
        Log::new(class, Bounds { messages_max, bytes_max, age_ms_max }, "e".into())
    }

    #[test]
    fn latest_keeps_one_value_a_key_and_drops_the_stalest_key() {
        let mut log = log(Class::Latest, 2, 1000, None);
        for key in ["a", "b", "a", "c"] {
            let message = stored(&mut log, 0, Some(key), 1);
            log.remember(message);
        }
        let keys: Vec<_> = log.tail(9).into_iter().map(|m| (m.key.unwrap().to_string(), m.offset)).collect();
        assert_eq!(keys, [("a".to_owned(), 3), ("c".to_owned(), 4)]);
        assert_eq!(log.after(0, 9).len(), 2);
        assert_eq!(log.after(3, 9).len(), 1);
    }

    #[test]
    fn a_resumed_log_goes_on_with_the_next_offset() {
        let mut log = log(Class::Log, 10, 1000, None);
        log.resume("old".into(), 41, Vec::new());
        assert_eq!((log.offset(), log.assign()), (41, 42));
        assert_eq!(log.since(&Position { epoch: "old".into(), offset: 40 }), Since::Trimmed);
        assert_eq!(log.since(&Position { epoch: "old".into(), offset: 41 }), Since::Known);
    }

    proptest! {
        #[test]
        fn history_is_the_longest_suffix_within_all_bounds(
            steps in prop::collection::vec((1usize..40, 0u64..20), 1..60),
            messages_max in 1usize..20, bytes_max in 1usize..300, age_ms_max in 1u64..100,
        ) {
            let mut log = log(Class::Log, messages_max, bytes_max, Some(age_ms_max));
            let mut all = Vec::new();
            let mut now_ms = 1_000;
            for (bytes, pause_ms) in steps {
                now_ms += pause_ms;
                let message = stored(&mut log, now_ms, None, bytes);
                all.push((message.offset, now_ms, bytes));
                log.remember(message);
            }
            let fits = |from: usize| {
                let rest = &all[from..];
                rest.len() <= messages_max
                    && rest.iter().map(|m| m.2).sum::<usize>() <= bytes_max
                    && rest.iter().all(|m| m.1 + age_ms_max >= now_ms)
            };
            let from = (0..=all.len()).find(|from| fits(*from)).unwrap();
            let kept: Vec<_> = log.tail(usize::MAX).iter().map(|m| m.offset).collect();
            prop_assert_eq!(kept, all[from..].iter().map(|m| m.0).collect::<Vec<_>>());
            prop_assert_eq!(log.held().1, all[from..].iter().map(|m| m.2).sum::<usize>());
            // Whoever is known to stand somewhere gets all that came after, whoever is not is told.
            for offset in 0..=all.len() as u64 + 1 {
                let at = Position { epoch: "e".into(), offset };
                let rest: Vec<_> = log.after(offset, usize::MAX).iter().map(|m| m.offset).collect();
                match log.since(&at) {
                    Since::Known => prop_assert_eq!(rest, (offset + 1..=all.len() as u64).collect::<Vec<_>>()),
                    Since::Trimmed => prop_assert!(offset < from as u64),
                    Since::Unknown => prop_assert_eq!(offset, all.len() as u64 + 1),
                }
            }
        }
    }
}
