//! How samples reach the hub node that evaluates rules: all hub nodes write what they take into one stream in Redis, and
//! the owner reads it.
//!
//! Its own samples take the same way, so that there is one order, and the next owner finds all that this one had. While
//! Redis is gone each hub keeps what it could not hand over, and the owner evaluates its own samples at once. The owner
//! notes how far it has read, a little behind: the next one reads that part again, which changes nothing, because
//! samples that are not newer than the newest of their series are ignored, and breaches that are over by then are known.
//!
//! - here: the ways in and out; `moment`: how samples travel; `waiting`: what Redis did not take yet

mod moment;
mod reading;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::redis::pipe;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::rules::Rules;
use crate::engine::{EngineError, Redis};
use crate::ids::NodeName;
use crate::store::Column;
use crate::telemetry::Counter;
use waiting::Waiting;

/// The stream.
const STREAM: &str = "infrawatch:{alerts}:samples";

/// Entries that the stream keeps, of 16 KiB each at most as a rule.
const STREAM_ENTRIES: usize = 16_384;

/// Entries that are sent at once.
const ENTRIES_AT_ONCE: usize = 16;

/// How long samples wait for others to travel with, in milliseconds.
const LINGER_MS: u64 = 5;

/// Between two tries of what Redis did not do, in milliseconds.
const RETRY_MS: u64 = 250;

/// Hands samples to the owner of rules, and reads them there. Cheap to clone.
#[derive(Clone)]
pub struct Handover(Arc<Shared>);

struct Shared {
    redis: Redis,
    outgoing: Mutex<Outgoing>,
    has_come: Notify,
}

#[derive(Default)]
struct Outgoing {
    waiting: Waiting,
    /// Redis is gone: what comes is evaluated here, if rules are.
    is_cut_off: bool,
}

impl Handover {
    /// The way through that Redis.
    pub fn new(redis: Redis) -> Self {
        Self(Arc::new(Shared { redis, outgoing: Mutex::default(), has_come: Notify::new() }))
    }

    /// Sends samples on their way. Returns whether they are to be evaluated here, because they will not come back soon.
    pub(super) fn hand_over(
        &self,
        source: (&NodeName, &BTreeMap<String, String>),
        (at_ms, columns, values): (u64, &[Column], &[f64]),
    ) -> bool {
        let Some(moment) = moment::write(source, (at_ms, columns, values)) else {
            Counter::RuleMomentsDropped.add(1);
            return true;
        };
        let mut outgoing = self.0.outgoing.lock();
        let dropped = outgoing.waiting.push(moment);
        Counter::RuleMomentsDropped.add(dropped);
        self.0.has_come.notify_one();
        outgoing.is_cut_off
    }

    /// Sends what comes, for ever. One caller at a time.
    pub(super) async fn send(&self, rules: &Rules) {
        loop {
            if self.0.outgoing.lock().waiting.is_empty() {
                self.0.has_come.notified().await;
                sleep(Duration::from_millis(LINGER_MS)).await;
            }
            let (entries, before) = self.0.outgoing.lock().waiting.next(ENTRIES_AT_ONCE);
            if entries.is_empty() {
                continue;
            }
            match self.add(&entries).await {
                Ok(()) => {
                    let mut outgoing = self.0.outgoing.lock();
                    outgoing.waiting.sent(before);
                    if std::mem::replace(&mut outgoing.is_cut_off, false) {
                        tracing::info!("samples reach the owner of alerts again");
                    }
                }
                Err(error) => {
                    self.cut_off(rules, &error);
                    sleep(Duration::from_millis(RETRY_MS)).await;
                }
            }
        }
    }

    async fn add(&self, entries: &[Vec<u8>]) -> Result<(), EngineError> {
        let mut commands = pipe();
        for entry in entries {
            let add = commands.cmd("XADD").arg(STREAM).arg("MAXLEN").arg("~").arg(STREAM_ENTRIES);
            add.arg("*").arg("m").arg(&entry[..]).ignore();
        }
        self.0.redis.ask(&commands).await
    }

    /// From now on what comes is evaluated here, behind what waits.
    fn cut_off(&self, rules: &Rules, error: &EngineError) {
        let mut outgoing = self.0.outgoing.lock();
        if outgoing.is_cut_off {
            return;
        }
        tracing::warn!(%error, "samples do not reach the owner of alerts");
        outgoing.is_cut_off = true;
        evaluate_all(&outgoing.waiting, rules);
    }

    /// Rules are evaluated here from now on: what waits because Redis is gone is evaluated.
    fn take_up(&self, rules: &Rules) {
        let outgoing = self.0.outgoing.lock();
        if outgoing.is_cut_off {
            evaluate_all(&outgoing.waiting, rules);
        }
    }
}

fn evaluate_all(waiting: &Waiting, rules: &Rules) {
    if rules.serves().is_none() {
        return;
    }
    let mut feeds = reading::Feeds::default();
    for moment in waiting.all().flat_map(|moment| moment::read(moment)) {
        // What a full mailbox does not take is counted there.
        _ = feeds.evaluate(rules, moment, true);
    }
}
