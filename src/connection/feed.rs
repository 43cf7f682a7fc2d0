//! How one subscriber gets one topic when it does not simply get every bundle. Pure.
//!
//! A feed exists while something stands between topic and socket: the answer to `subscribe` is not out, messages
//! that were missed are being paged out, or the subscriber asked for a filter, a rate or conflation. What comes
//! meanwhile waits here in order; a conflating feed keeps the newest message of each key only.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::throttle::Throttle;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::topic::Filter;
use crate::topic::log::Stored;

/// What a subscriber asked for.
#[derive(Debug, Clone, Default)]
pub struct FeedOptions {
    /// Which messages it wants.
    pub filter: Option<Arc<Filter>>,
    /// How often it wants a frame; implies conflation.
    pub throttle: Option<Throttle>,
    /// Only the newest message of each key while it is behind.
    pub conflate: bool,
}

impl FeedOptions {
    /// Whether it asked for nothing.
    pub fn is_plain(&self) -> bool {
        self.filter.is_none() && self.throttle.is_none() && !self.conflate
    }

    fn conflates(&self) -> bool {
        self.conflate || self.throttle.is_some()
    }
}

/// What waits in a feed.
#[derive(Debug, Clone)]
pub enum Item {
    /// A message of the topic.
    Message(Stored),
    /// A frame that has no place in the topic's order, such as who joined a room.
    Push(SharedFrame, Priority),
}

impl Item {
    /// The frame.
    pub fn frame(&self) -> &SharedFrame {
        match self {
            Self::Message(message) => &message.frame,
            Self::Push(frame, _) => frame,
        }
    }

    /// Its urgency.
    pub fn priority(&self) -> Priority {
        match self {
            Self::Message(message) => message.priority,
            Self::Push(_, priority) => *priority,
        }
    }

    /// Position in the topic; 0 when it has none.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Message(message) => message.offset,
            Self::Push(..) => 0,
        }
    }

    fn bytes(&self) -> usize {
        self.frame().as_json().len()
    }
}

/// More waits than the subscriber may have waiting.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// One subscriber's way to one topic.
#[derive(Debug)]
pub struct Feed {
    /// The topic's number.
    pub topic: u32,
    /// Its name.
    pub name: Arc<str>,
    /// The epoch of what waits.
    epoch: Arc<str>,
    options: FeedOptions,
    /// The answer is out.
    open: bool,
    /// What was missed; these count nowhere, they are the history's own.
    missed: VecDeque<Stored>,
    /// What came after that, with its bytes.
    live: VecDeque<Item>,
    live_bytes: usize,
    /// Of a conflating feed: the newest message of each key, by offset.
    newest: BTreeMap<u64, Stored>,
    newest_bytes: usize,
    /// The offset that a key has there.
    keys: HashMap<Arc<str>, u64>,
    conflated: u64,
}

impl Feed {
    /// A closed feed that begins with what was missed, which has passed the filter.
    pub fn new(
        topic: u32,
        name: Arc<str>,
        epoch: Arc<str>,
        options: FeedOptions,
        missed: Vec<Stored>,
    ) -> Self {
        let mut feed = Self {
            topic,
            name,
            epoch,
            options,
            open: false,
            missed: VecDeque::new(),
            live: VecDeque::new(),
            live_bytes: 0,
            newest: BTreeMap::new(),
            newest_bytes: 0,
            keys: HashMap::new(),
            conflated: 0,
        };
        if feed.options.conflates() {
            missed.into_iter().for_each(|message| feed.conflate(message));
        } else {
            feed.missed = missed.into();
        }
        feed
    }

    /// The answer is out: what waits may follow.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Whether the answer is out.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The epoch of what it sends.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Whether it sends the newest of each key, in frames of its own.
    pub fn conflates(&self) -> bool {
        self.options.conflates()
    }

    /// A message of the topic came; `bytes_max` may wait.
    pub fn offer(&mut self, epoch: &Arc<str>, message: &Stored, bytes_max: usize) -> Result<(), Full> {
        let passes = self.options.filter.as_ref();
        if passes.is_some_and(|f| !f.lets_through(message.key.as_deref(), message.payload_text())) {
            return Ok(());
        }
        if self.options.conflates() {
            if *epoch != self.epoch {
                // The topic has crashed: values of its former life may never come again.
                self.conflated += self.clear_newest().len() as u64;
            }
            self.epoch = epoch.clone();
            self.conflate(message.clone());
            return if self.newest_bytes > bytes_max { Err(Full) } else { Ok(()) };
        }
        self.epoch = epoch.clone();
        self.wait(Item::Message(message.clone()), bytes_max)
    }

    /// A frame without a place in the order came.
    pub fn push(&mut self, frame: &SharedFrame, priority: Priority, bytes_max: usize) -> Result<(), Full> {
        self.wait(Item::Push(frame.clone(), priority), bytes_max)
    }

    fn wait(&mut self, item: Item, bytes_max: usize) -> Result<(), Full> {
        self.live_bytes += item.bytes();
        self.live.push_back(item);
        if self.live_bytes > bytes_max { Err(Full) } else { Ok(()) }
    }

    fn conflate(&mut self, message: Stored) {
        let key = message.key.clone().unwrap_or_else(|| Arc::from(""));
        if let Some(older) = self.keys.insert(key, message.offset).and_then(|at| self.newest.remove(&at)) {
            self.newest_bytes -= older.bytes();
            self.conflated += 1;
        }
        self.newest_bytes += message.bytes();
        self.newest.insert(message.offset, message);
    }

    fn clear_newest(&mut self) -> BTreeMap<u64, Stored> {
        self.keys.clear();
        self.newest_bytes = 0;
        std::mem::take(&mut self.newest)
    }

    /// What goes out next, in order: about `bytes_max` of it, at least one item when anything may go.
    pub fn take(&mut self, bytes_max: usize) -> Vec<Item> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while self.open && bytes < bytes_max {
            let item = match self.missed.pop_front() {
                Some(message) => Item::Message(message),
                None => {
                    let Some(item) = self.live.pop_front() else { break };
                    self.live_bytes -= item.bytes();
                    item
                }
            };
            bytes += item.bytes();
            items.push(item);
        }
        items
    }

    /// Of a conflating feed: the newest of every key that changed, if the rate allows a frame at `now_ms`.
    pub fn take_newest(&mut self, now_ms: u64) -> Vec<Stored> {
        if !self.open || self.newest.is_empty() {
            return Vec::new();
        }
        if self.options.throttle.as_mut().is_some_and(|throttle| !throttle.admit(now_ms)) {
            return Vec::new();
        }
        self.clear_newest().into_values().collect()
    }

    /// When the rate allows what waits; `None` when nothing waits or no rate holds it back.
    pub fn due_ms(&self) -> Option<u64> {
        let waits = self.open && !self.newest.is_empty();
        self.options.throttle.as_ref().filter(|_| waits).map(Throttle::next_ms)
    }

    /// Messages that newer ones of their key replaced since this was last asked.
    pub fn take_conflated(&mut self) -> u64 {
        std::mem::take(&mut self.conflated)
    }

    /// Whether what was missed is still being paged out.
    pub fn is_catching_up(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Whether the next message is critical.
    pub fn is_critical(&self) -> bool {
        self.missed.front().is_some_and(|message| message.priority == Priority::Critical)
    }

    /// Whether anything waits.
    pub fn waits(&self) -> bool {
        !(self.missed.is_empty() && self.live.is_empty() && self.newest.is_empty())
    }

    /// Whether it is done: from now on the subscriber simply gets every bundle.
    pub fn is_done(&self) -> bool {
        self.open && self.options.is_plain() && !self.waits()
    }

    /// Offset of the first message that waits.
    pub fn first_offset(&self) -> Option<u64> {
        let live = self.live.iter().map(Item::offset).find(|offset| *offset > 0);
        let newest = self.newest.keys().next().copied();
        self.missed.front().map(|message| message.offset).or(live).or(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MessageId;
    use crate::protocol::server::Parts;
    use proptest::prelude::*;

    fn message(offset: u64, key: Option<&str>) -> Stored {
        Stored {
            offset,
            id: MessageId::at(1),
            unix_ms: 1,
            key: key.map(Arc::from),
            event_type: None,
            correlation_id: None,
            priority: Priority::Normal,
            frame: SharedFrame::json(vec![b'x'; 10].into()),
            parts: Parts { body: 0..0, payload: 0..0 },
        }
    }

    fn feed(options: FeedOptions, missed: Vec<Stored>) -> Feed {
        Feed::new(7, "t".into(), "e".into(), options, missed)
    }

    fn offsets(items: &[Item]) -> Vec<u64> {
        items.iter().map(Item::offset).collect()
    }

    #[test]
    fn nothing_goes_out_before_the_answer_and_then_what_was_missed_comes_first() {
        let mut feed = feed(FeedOptions::default(), vec![message(1, None), message(2, None)]);
        feed.offer(&"e".into(), &message(3, None), 100).unwrap();
        assert!(feed.take(100).is_empty() && !feed.is_done());
        assert_eq!(feed.first_offset(), Some(1));
        feed.open();
        assert_eq!(offsets(&feed.take(15)), [1, 2], "a page is full with the item that fills it");
        feed.offer(&"e".into(), &message(4, None), 100).unwrap();
        assert_eq!(offsets(&feed.take(100)), [3, 4]);
        assert!(feed.is_done());
    }

    #[test]
    fn what_was_missed_counts_nowhere_what_comes_after_it_does() {
        let missed = (1..=50).map(|offset| message(offset, None)).collect();
        let mut feed = feed(FeedOptions::default(), missed);
        for offset in 51..=53 {
            feed.offer(&"e".into(), &message(offset, None), 30).unwrap();
        }
        assert_eq!(feed.offer(&"e".into(), &message(54, None), 30), Err(Full));
    }

    #[test]
    fn a_rate_sends_the_newest_of_each_key_once_an_interval() {
        let options = FeedOptions { throttle: Throttle::new(10.0), ..FeedOptions::default() };
        let mut feed = feed(options, Vec::new());
        feed.open();
        let epoch = "e".into();
        for (offset, key) in [(1, "a"), (2, "b"), (3, "a")] {
            feed.offer(&epoch, &message(offset, Some(key)), 100).unwrap();
        }
        let taken: Vec<_> = feed.take_newest(1_000).iter().map(|m| m.offset).collect();
        assert_eq!((taken, feed.take_conflated()), (vec![2, 3], 1));
        feed.offer(&epoch, &message(4, Some("a")), 100).unwrap();
        assert!(feed.take_newest(1_050).is_empty());
        assert_eq!(feed.due_ms(), Some(1_100));
        assert_eq!(feed.take_newest(1_100).len(), 1);
        assert!(!feed.is_done(), "it keeps its rate");
    }

    proptest! {
        /// Whatever the pages, whenever the answer: all that passes comes out once, in order.
        #[test]
        fn a_plain_feed_loses_and_repeats_nothing(
            missed in 0u64..20, live in 0u64..20, pages in prop::collection::vec(1usize..60, 1..80), opens_at in 0usize..10,
        ) {
            let mut feed = feed(FeedOptions::default(), (1..=missed).map(|o| message(o, None)).collect());
            let mut next = missed + 1;
            let mut out = Vec::new();
            for (n, bytes) in pages.iter().enumerate() {
                if n == opens_at {
                    feed.open();
                }
                if next <= missed + live {
                    feed.offer(&"e".into(), &message(next, None), usize::MAX).unwrap();
                    next += 1;
                }
                out.extend(offsets(&feed.take(*bytes)));
            }
            feed.open();
            while feed.waits() {
                out.extend(offsets(&feed.take(25)));
            }
            prop_assert_eq!(out, (1..next).collect::<Vec<_>>());
        }

        /// A conflating feed always gives the newest value of every key, in order of offsets.
        #[test]
        fn a_conflating_feed_ends_with_the_newest_of_every_key(
            keys in prop::collection::vec((0usize..4, any::<bool>()), 1..60),
        ) {
            let mut feed = feed(FeedOptions { conflate: true, ..FeedOptions::default() }, Vec::new());
            feed.open();
            let names = ["a", "b", "c", "d"];
            let mut seen: HashMap<String, u64> = HashMap::new();
            let mut last = 0;
            let mut expected: HashMap<String, u64> = HashMap::new();
            for (n, (key, take)) in keys.iter().enumerate() {
                let offset = n as u64 + 1;
                expected.insert(names[*key].to_owned(), offset);
                feed.offer(&"e".into(), &message(offset, Some(names[*key])), 1_000).unwrap();
                if *take || n + 1 == keys.len() {
                    for message in feed.take_newest(0) {
                        prop_assert!(message.offset > last);
                        last = message.offset;
                        seen.insert(message.key.unwrap().to_string(), message.offset);
                    }
                }
            }
            prop_assert_eq!(seen, expected);
        }
    }
}
