//! What a topic holds back so that it goes out in fewer frames. Pure.
//!
//! A message waits at most the time of its priority, counted from its own arrival; what is due takes all that
//! waits along, in order. A critical message is due at once. On a topic of the newest values a message
//! replaces the one of the same key that still waits.

use std::collections::HashMap;
use std::sync::Arc;

use super::kind::{Class, Pace};
use crate::protocol::priority::Priority;

/// Messages of one topic that wait for their flush.
#[derive(Debug)]
pub struct Coalescer<M> {
    class: Class,
    pace: Pace,
    /// In order of arrival; `None` where a newer value took over.
    held: Vec<Option<Held<M>>>,
    /// Where the newest value of a key waits.
    places: HashMap<Arc<str>, usize>,
    messages: usize,
    bytes: usize,
    due_ms: Option<u64>,
    urgency: Priority,
    conflated: u64,
}

#[derive(Debug)]
struct Held<M> {
    bytes: usize,
    message: M,
}

/// What goes out together.
#[derive(Debug)]
pub struct Flush<M> {
    /// In order.
    pub messages: Vec<M>,
    /// The most urgent of their priorities.
    pub priority: Priority,
    /// Messages that a newer value of their key replaced.
    pub conflated: u64,
}

impl<M> Coalescer<M> {
    /// Nothing waits.
    pub fn new(class: Class, pace: Pace) -> Self {
        Self {
            class,
            pace,
            held: Vec::new(),
            places: HashMap::new(),
            messages: 0,
            bytes: 0,
            due_ms: None,
            urgency: Priority::Low,
            conflated: 0,
        }
    }

    /// Takes a message in at `now_ms` of any clock that never goes back.
    pub fn push(
        &mut self,
        now_ms: u64,
        priority: Priority,
        key: Option<&Arc<str>>,
        bytes: usize,
        message: M,
    ) {
        let wait_ms = match priority {
            Priority::Critical => 0,
            Priority::Normal => self.pace.normal_ms,
            Priority::Low => self.pace.low_ms,
        };
        let due_ms = now_ms.saturating_add(wait_ms);
        self.due_ms = Some(self.due_ms.map_or(due_ms, |earlier| earlier.min(due_ms)));
        self.urgency = self.urgency.min(priority);
        if self.class == Class::Latest {
            let key = key.cloned().unwrap_or_else(|| Arc::from(""));
            let replaced = self.places.insert(key, self.held.len());
            if let Some(older) = replaced.and_then(|at| self.held.get_mut(at)).and_then(Option::take) {
                self.messages -= 1;
                self.bytes -= older.bytes;
                self.conflated += 1;
            }
        }
        self.messages += 1;
        self.bytes += bytes;
        self.held.push(Some(Held { bytes, message }));
        // `held` is bounded also where nothing but one key changes.
        let full = self.held.len() >= self.pace.messages_max || self.bytes >= self.pace.bytes_max;
        if full {
            self.due_ms = Some(now_ms);
        }
    }

    /// When what waits must go; `None` while nothing waits.
    pub fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.messages
    }

    /// All that waits, if anything does.
    pub fn flush(&mut self) -> Option<Flush<M>> {
        let fresh = Self::new(self.class, self.pace);
        let Self { held, urgency, conflated, messages, .. } = std::mem::replace(self, fresh);
        (messages > 0).then(|| Flush {
            messages: held.into_iter().flatten().map(|held| held.message).collect(),
            priority: urgency,
            conflated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACE: Pace = Pace { normal_ms: 100, low_ms: 1_000, messages_max: 1_000, bytes_max: 1 << 20 };

    #[test]
    fn each_priority_waits_its_own_time_and_takes_along_what_waits() {
        let mut topic = Coalescer::new(Class::Log, PACE);
        topic.push(0, Priority::Low, None, 1, 'a');
        assert_eq!(topic.due_ms(), Some(1_000));
        topic.push(950, Priority::Normal, None, 1, 'b');
        assert_eq!(topic.due_ms(), Some(1_000), "the low one is due before the normal one");
        topic.push(960, Priority::Critical, None, 1, 'c');
        assert_eq!(topic.due_ms(), Some(960));
        let flush = topic.flush().unwrap();
        assert_eq!((flush.messages, flush.priority), (vec!['a', 'b', 'c'], Priority::Critical));
        assert_eq!(topic.due_ms(), None);
        assert!(topic.flush().is_none());
    }

    #[test]
    fn a_topic_of_newest_values_holds_one_message_a_key() {
        let mut topic = Coalescer::new(Class::Latest, PACE);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for (n, key) in [(1, &a), (2, &b), (3, &a), (4, &a)] {
            topic.push(0, Priority::Normal, Some(key), 10, n);
        }
        assert_eq!(topic.waiting(), 2);
        let flush = topic.flush().unwrap();
        assert_eq!((flush.messages, flush.conflated), (vec![2, 4], 2));
    }

    #[test]
    fn what_reaches_a_bound_is_due_at_once() {
        let mut topic = Coalescer::new(Class::Log, Pace { messages_max: 3, bytes_max: 100, ..PACE });
        topic.push(5, Priority::Low, None, 10, 1);
        topic.push(5, Priority::Low, None, 10, 2);
        assert_eq!(topic.due_ms(), Some(1_005));
        topic.push(6, Priority::Low, None, 10, 3);
        assert_eq!(topic.due_ms(), Some(6));
        topic.flush();
        topic.push(7, Priority::Low, None, 200, 4);
        assert_eq!(topic.due_ms(), Some(7));
    }

    proptest! {
        /// A flush every time one is due: order is kept, nobody waits longer than the time of its priority
        /// (low is never starved), and frames are as rare as the shortest wait allows.
        #[test]
        fn order_is_kept_and_nobody_waits_beyond_its_time(
            arrivals in prop::collection::vec((0u64..300, 0usize..3), 1..80),
        ) {
            let mut topic = Coalescer::new(Class::Log, PACE);
            let (mut now_ms, mut out) = (0, Vec::new());
            let mut normal_flushes = Vec::new();
            let mut sent = Vec::new();
            for (n, (pause_ms, priority)) in arrivals.iter().enumerate() {
                let arrival_ms = now_ms + pause_ms;
                while let Some(due_ms) = topic.due_ms().filter(|due_ms| *due_ms <= arrival_ms) {
                    let flush = topic.flush().unwrap();
                    if flush.priority == Priority::Normal {
                        normal_flushes.push(due_ms);
                    }
                    out.extend(flush.messages.into_iter().map(|m| (m, due_ms)));
                }
                now_ms = arrival_ms;
                sent.push((now_ms, Priority::ALL[*priority]));
                topic.push(now_ms, Priority::ALL[*priority], None, 1, n);
                if topic.due_ms() == Some(now_ms) {
                    out.extend(topic.flush().unwrap().messages.into_iter().map(|m| (m, now_ms)));
                }
            }
            if let Some(due_ms) = topic.due_ms() {
                out.extend(topic.flush().unwrap().messages.into_iter().map(|m| (m, due_ms)));
            }
            prop_assert_eq!(out.iter().map(|(m, _)| *m).collect::<Vec<_>>(), (0..arrivals.len()).collect::<Vec<_>>());
            for (message, at_ms) in out {
                let (arrived_ms, priority) = sent[message];
                let wait_ms = match priority {
                    Priority::Critical => 0,
                    Priority::Normal => 100,
                    Priority::Low => 1_000,
                };
                prop_assert!(at_ms <= arrived_ms + wait_ms);
            }
            prop_assert!(normal_flushes.windows(2).all(|pair| pair[1] > pair[0]));
        }
    }
}
