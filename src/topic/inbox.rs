//! What a session has taken out of a personal topic, and so what still waits for it there. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::log::{Log, Stored};

/// Acknowledged offsets beyond the first gap that one session keeps.
const BEYOND_MAX: usize = 4_096;

/// How far a session is in a personal topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Start of the session, unix milliseconds: what is older is not its.
    pub began_ms: u64,
    /// The epoch of the offsets; `None` before anything was acknowledged.
    pub epoch: Option<Arc<str>>,
    /// Everything up to this offset is acknowledged.
    pub offset: u64,
    /// Acknowledged beyond that, one by one.
    pub beyond: BTreeSet<u64>,
}

/// What waits for a session in a personal topic.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// Oldest first.
    pub messages: Vec<Stored>,
    /// Messages that went unseen because the queue was full or they were too old.
    pub dropped: u64,
}

impl Taken {
    /// Nothing taken by a session that begins now.
    pub fn nothing(began_ms: u64) -> Self {
        Self { began_ms, ..Self::default() }
    }

    /// Everything up to `offset` is acknowledged.
    pub fn acknowledge_to(&mut self, epoch: &Arc<str>, offset: u64) {
        self.enter(epoch);
        self.offset = self.offset.max(offset);
        self.settle();
    }

    /// One message is acknowledged.
    pub fn acknowledge(&mut self, epoch: &Arc<str>, offset: u64) {
        self.enter(epoch);
        if offset > self.offset {
            self.beyond.insert(offset);
        }
        self.settle();
    }

    fn enter(&mut self, epoch: &Arc<str>) {
        if self.epoch.as_ref() != Some(epoch) {
            *self = Self { epoch: Some(epoch.clone()), ..Self::nothing(self.began_ms) };
        }
    }

    fn settle(&mut self) {
        self.beyond = self.beyond.split_off(&(self.offset + 1));
        while self.beyond.remove(&(self.offset + 1)) {
            self.offset += 1;
        }
        while self.beyond.len() > BEYOND_MAX {
            // Far more than a queue holds: the oldest are out of it.
            self.beyond.pop_first();
        }
    }

    /// What of `log` still waits. `started` is the offset at which the hub began to keep the topic in this
    /// process: for a session that never acknowledged anything, what was dropped counts from there.
    pub fn waiting_in(&self, log: &Log, started: u64) -> Waiting {
        let same = self.epoch.as_ref() == Some(log.epoch());
        let from = if same { self.offset } else { started };
        let floor = log.floor();
        let seen = if same { self.beyond.range(..=floor).count() as u64 } else { 0 };
        let dropped = floor.saturating_sub(from).saturating_sub(seen);
        let after = if same { self.offset } else { 0 };
        let mut messages = log.after(after, usize::MAX);
        messages.retain(|message| {
            message.unix_ms >= self.began_ms && !(same && self.beyond.contains(&message.offset))
        });
        Waiting { messages, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MessageId;
    use crate::protocol::frame::SharedFrame;
    use crate::protocol::priority::Priority;
    use crate::protocol::server::Parts;
    use crate::topic::kind::{Bounds, Class};
    use proptest::prelude::*;

    fn log(messages: u64, messages_max: usize) -> Log {
        let bounds = Bounds { messages_max, bytes_max: 1 << 20, age_ms_max: None };
        let mut log = Log::new(Class::Log, bounds, "e".into());
        for n in 1..=messages {
            let offset = log.assign();
            log.remember(Stored {
                offset,
                id: MessageId::at(n),
                unix_ms: n,
                key: None,
                event_type: None,
                correlation_id: None,
                priority: Priority::Normal,
                frame: SharedFrame::json(vec![b'x'; 4].into()),
                parts: Parts { body: 0..0, payload: 0..0 },
            });
        }
        log
    }

    fn offsets(waiting: &Waiting) -> Vec<u64> {
        waiting.messages.iter().map(|message| message.offset).collect()
    }

    #[test]
    fn a_session_gets_what_came_since_it_began_until_it_acknowledges() {
        let mut taken = Taken::nothing(3);
        let log = log(6, 100);
        assert_eq!(offsets(&taken.waiting_in(&log, 0)), [3, 4, 5, 6]);
        taken.acknowledge(log.epoch(), 5);
        assert_eq!(offsets(&taken.waiting_in(&log, 0)), [3, 4, 6]);
        taken.acknowledge_to(log.epoch(), 4);
        assert_eq!(taken.offset, 5, "the gap is closed");
        assert_eq!(offsets(&taken.waiting_in(&log, 0)), [6]);
        assert!(taken.beyond.is_empty());
    }

    #[test]
    fn an_epoch_that_is_gone_takes_its_acknowledgements_along() {
        let mut taken = Taken::nothing(0);
        taken.acknowledge_to(&"former".into(), 40);
        assert_eq!(offsets(&taken.waiting_in(&log(2, 100), 0)), [1, 2]);
    }

    proptest! {
        /// Every message is acknowledged, waits, or is counted as dropped.
        #[test]
        fn what_is_dropped_is_counted(
            messages in 0u64..40, kept in 1usize..20, to in 0u64..20, single in prop::collection::btree_set(1u64..40, 0..10),
        ) {
            let log = log(messages, kept);
            let mut taken = Taken::nothing(0);
            taken.acknowledge_to(log.epoch(), to.min(messages));
            let single: Vec<u64> = single.into_iter().filter(|offset| *offset <= messages).collect();
            single.iter().for_each(|offset| taken.acknowledge(log.epoch(), *offset));
            let acknowledged = (1..=messages).filter(|o| *o <= to || single.contains(o)).count() as u64;
            let waiting = taken.waiting_in(&log, 0);
            prop_assert_eq!(acknowledged + waiting.messages.len() as u64 + waiting.dropped, messages);
        }
    }
}
