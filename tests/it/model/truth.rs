//! The naive model: every message of every life of every topic, in plain lists.

use serde_json::{Value, json};

/// Keys that messages have.
pub(super) const KEYS: [&str; 3] = ["a", "b", "c"];
/// Values of the label `dc`.
pub(super) const PLACES: [&str; 2] = ["x", "y"];

/// How a topic of a history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    /// Only newest values matter.
    pub(super) latest: bool,
    /// Kept in the store.
    pub(super) stored: bool,
    /// Never has a critical message.
    pub(super) calm: bool,
}

/// What a subscriber asks for besides the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Nothing,
    /// Messages with the first or second key.
    Keys,
    /// Messages from the first place.
    Labels,
    Conflate,
    /// Five frames a second.
    Rate,
    /// A rate and a filter by key.
    RateOfKeys,
}

impl Asks {
    pub(super) fn passes(self, message: &Published) -> bool {
        match self {
            Self::Keys | Self::RateOfKeys => message.key.is_some_and(|key| key < 2),
            Self::Labels => message.place == 0,
            Self::Nothing | Self::Conflate | Self::Rate => true,
        }
    }

    pub(super) fn conflates(self) -> bool {
        matches!(self, Self::Conflate | Self::Rate | Self::RateOfKeys)
    }

    /// The fields of the request.
    pub(super) fn fields(self) -> Value {
        let keys = json!({ "keys": [KEYS[0], KEYS[1]] });
        match self {
            Self::Nothing => json!({}),
            Self::Keys => json!({ "filter": keys }),
            Self::Labels => json!({ "filter": { "labels": { "dc": PLACES[0] } } }),
            Self::Conflate => json!({ "conflate": true }),
            Self::Rate => json!({ "max_rate_hz": 5 }),
            Self::RateOfKeys => json!({ "max_rate_hz": 5, "filter": keys }),
        }
    }
}

/// One message that was published.
#[derive(Debug, Clone)]
pub(super) struct Published {
    /// Its number in the history, which its payload carries.
    pub(super) number: usize,
    pub(super) key: Option<usize>,
    pub(super) place: usize,
    pub(super) priority: &'static str,
    pub(super) at_ms: u64,
    pub(super) bytes: usize,
    /// By client: bytes that its socket had taken before this was published, where it must come next.
    pub(super) ahead_of: Vec<Option<u64>>,
}

impl Published {
    pub(super) fn payload(&self) -> Value {
        json!({ "n": self.number, "labels": { "dc": PLACES[self.place] }, "pad": "p".repeat(self.bytes) })
    }
}

/// One topic.
pub(super) struct TopicTruth {
    pub(super) name: String,
    pub(super) sort: Sort,
    /// A list a life, by offset from 1; the name of the life as the hub gave it.
    pub(super) lives: Vec<(String, Vec<Published>)>,
}

impl TopicTruth {
    pub(super) fn life(&self) -> &[Published] {
        self.lives.last().map_or(&[], |(_, messages)| messages)
    }

    pub(super) fn epoch(&self) -> &str {
        self.lives.last().map_or("", |(epoch, _)| epoch)
    }

    pub(super) fn index(&self, epoch: &str) -> Result<usize, String> {
        let at = self.lives.iter().position(|(known, _)| known == epoch);
        at.ok_or_else(|| format!("{}: epoch {epoch} never was", self.name))
    }

    pub(super) fn of(&self, epoch: &str) -> Result<&[Published], String> {
        Ok(&self.lives[self.index(epoch)?].1)
    }

    /// How many messages with offsets above `after` up to `until` somebody with this wish should get.
    pub(super) fn wanted(&self, epoch: &str, after: u64, until: u64, asks: Asks) -> Result<u64, String> {
        let messages = self.of(epoch)?;
        let between = messages.iter().take(until as usize).skip(after as usize);
        Ok(between.filter(|message| asks.passes(message)).count() as u64)
    }

    /// Offsets of the values that somebody who conflates must end with: of each key the newest above `after`.
    pub(super) fn newest(&self, epoch: &str, after: u64, asks: Asks) -> Result<Vec<u64>, String> {
        let mut newest = [None; KEYS.len() + 1];
        for (at, message) in self.of(epoch)?.iter().enumerate() {
            let passes = asks.passes(message);
            let slot = &mut newest[message.key.map_or(0, |key| key + 1)];
            // A topic of newest values has forgotten the older one before anybody's filter sees it.
            match (passes, self.sort.latest) {
                (true, _) => *slot = Some(at as u64 + 1),
                (false, true) => *slot = None,
                (false, false) => {}
            }
        }
        Ok(newest.into_iter().flatten().filter(|offset| *offset > after).collect())
    }
}
