//! How the owner reads the stream.
//!
//! While it is behind, or Redis is gone, series may be silent because nobody hears them: silence counts from the end of
//! that on.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::redis::pipe;
use tokio::time::sleep;

use super::super::feed::Feed;
use super::super::rules::Rules;
use super::moment::{self, Moment};
use super::{Handover, RETRY_MS, STREAM};
use crate::engine::EngineError;
use crate::ownership::Fence;
use crate::store::Column;
use crate::telemetry::Cause;

/// How far the owner has read.
const PLACE: &str = "infrawatch:{alerts}:place";

/// Entries that are read at once.
const PAGE: usize = 256;

/// How long Redis waits for an entry before it answers that there is none, in milliseconds.
const BLOCK_MS: u64 = 100;

/// Time between two notes of the place, in milliseconds.
const NOTE_APART_MS: u64 = 1_000;

/// The place that is noted is that of so long ago, in milliseconds: what followed may not be committed yet.
const NOTE_BEHIND_MS: u64 = 3_000;

/// Time between two looks whether rules are evaluated here, in milliseconds.
const LOOK_MS: u64 = 50;

/// Nodes whose plans are remembered.
const FEEDS_MAX: usize = 10_000;

/// A rule whose mailbox is full is waited for so often, and so long, in milliseconds.
const WAITS_MAX: usize = 500;
const WAIT_MS: u64 = 2;

/// What XREAD answers: streams, their entries, the fields of those.
type Found = Option<Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>>;

impl Handover {
    /// Reads while rules are evaluated here, for ever. One caller at a time.
    pub(in super::super) async fn read(&self, rules: &Rules) {
        loop {
            match rules.serves_ready() {
                Some(fence) => self.read_in(rules, fence).await,
                None => sleep(Duration::from_millis(LOOK_MS)).await,
            }
        }
    }

    async fn read_in(&self, rules: &Rules, fence: Fence) {
        self.take_up(rules);
        let Some(mut place) = self.begin(rules, fence).await else { return };
        tracing::debug!(place, "samples of all hub nodes are read");
        let (mut feeds, mut notes) = (Feeds::default(), Notes::default());
        while rules.serves_ready() == Some(fence) {
            let found = self.after(&place).await;
            let is_behind = found.as_ref().map_or(true, |entries| entries.len() >= PAGE);
            if is_behind {
                rules.hears_from(rules.clock().unix_ms());
            }
            match found {
                Ok(entries) => {
                    for (id, entry) in entries {
                        for moment in moment::read(&entry) {
                            feeds.evaluate_patiently(rules, moment).await;
                        }
                        place = id;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "samples of other hub nodes not read");
                    sleep(Duration::from_millis(RETRY_MS)).await;
                }
            }
            if let Some(noted) = notes.next(rules.clock().monotonic_ms(), &place)
                && let Err(error) = self.note(&noted).await
            {
                tracing::debug!(%error, "place among the samples not noted");
            }
        }
    }

    /// Where the former owner was. `None`: rules are not evaluated here any more.
    async fn begin(&self, rules: &Rules, fence: Fence) -> Option<String> {
        while rules.serves_ready() == Some(fence) {
            rules.hears_from(rules.clock().unix_ms());
            let asked: Result<(Option<String>,), _> = self.0.redis.ask(pipe().cmd("GET").arg(PLACE)).await;
            match asked {
                Ok((place,)) => return Some(place.unwrap_or_else(|| "0".to_owned())),
                Err(error) => tracing::debug!(%error, "place among the samples not read"),
            }
            sleep(Duration::from_millis(RETRY_MS)).await;
        }
        None
    }

    async fn after(&self, place: &str) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
        let mut commands = pipe();
        commands
            .cmd("XREAD")
            .arg("COUNT")
            .arg(PAGE)
            .arg("BLOCK")
            .arg(BLOCK_MS)
            .arg("STREAMS")
            .arg(STREAM)
            .arg(place);
        let (found,): (Found,) = self.0.redis.ask(&commands).await?;
        let entries = found.into_iter().flatten().flat_map(|(_, entries)| entries);
        Ok(entries.map(|(id, fields)| (id, fields.into_iter().nth(1).unwrap_or_default())).collect())
    }

    async fn note(&self, place: &str) -> Result<(), EngineError> {
        self.0.redis.ask(pipe().cmd("SET").arg(PLACE).arg(place).ignore()).await
    }
}

/// Places of the last seconds. Pure.
#[derive(Default)]
struct Notes {
    places: VecDeque<(u64, String)>,
}

impl Notes {
    /// The place to note, if it is time for one.
    fn next(&mut self, now_ms: u64, place: &str) -> Option<String> {
        let is_due = self.places.back().is_none_or(|(at_ms, _)| at_ms + NOTE_APART_MS <= now_ms);
        if !is_due {
            return None;
        }
        self.places.push_back((now_ms, place.to_owned()));
        let mut noted = None;
        while self.places.front().is_some_and(|(at_ms, _)| at_ms + NOTE_BEHIND_MS <= now_ms) {
            noted = self.places.pop_front().map(|(_, place)| place);
        }
        noted
    }
}

/// What rules want of the nodes that are read.
#[derive(Default)]
pub(super) struct Feeds(HashMap<String, Feed>);

impl Feeds {
    /// Offers the samples to the rules. `false`: a mailbox was full; it is counted when that is wished.
    pub(super) fn evaluate(&mut self, rules: &Rules, moment: Moment, is_counted: bool) -> bool {
        let Moment { node, labels, at_ms, columns, values } = moment;
        if self.0.len() >= FEEDS_MAX && !self.0.contains_key(node.as_str()) {
            self.0.clear();
        }
        let columns: Arc<[Column]> = columns.into();
        let feed = self.0.entry(node.to_string()).or_default();
        rules.evaluate(feed, (&node, &labels), (at_ms, &columns, &values), &Cause::own(), is_counted)
    }

    /// The same, and a full mailbox is waited for.
    async fn evaluate_patiently(&mut self, rules: &Rules, moment: Moment) {
        for _ in 0..WAITS_MAX {
            // Rules that had it already ignore it.
            if self.evaluate(rules, moment.clone(), false) {
                return;
            }
            sleep(Duration::from_millis(WAIT_MS)).await;
        }
        self.evaluate(rules, moment, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_that_is_noted_is_that_of_some_seconds_ago() {
        let mut notes = Notes::default();
        let noted: Vec<_> = (0..70).map(|n| notes.next(n * 100, &n.to_string())).collect();
        assert!(noted[..30].iter().all(Option::is_none));
        assert_eq!(noted.iter().flatten().collect::<Vec<_>>(), ["0", "10", "20", "30"]);
        assert_eq!(notes.next(60_000, "600").as_deref(), Some("60"));
    }
}
