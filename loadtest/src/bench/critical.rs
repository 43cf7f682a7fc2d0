//! How long a critical message takes to a client that has much of other topics to come, and to an idle one.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use crate::bench::dialogue::{Dialogue, outbox_bytes};
use crate::bench::hub::Hub;
use crate::latencies::histogram;
use crate::marker::{Marker, Search};
use crate::net::now_ns;

/// What waits in the hub for the client when the critical message is published.
const BACKLOG_BYTES: u64 = 512 * 1024;
/// The hub closes a client for which more waits.
const BACKLOG_BYTES_MAX: u64 = 1_000 * 1024;
/// Topics that make the backlog.
const TOPICS: u32 = 8;
const MESSAGE_BYTES: usize = 8 * 1024;
/// Messages that are added while the backlog is too small.
const STEP: u32 = 8;
/// How long the hub may hold normal messages back for a batch.
const FLUSH: Duration = Duration::from_millis(120);
const LISTENER: &str = "listener";

/// One client that listens, one that publishes.
struct Scene<'h> {
    hub: &'h Hub,
    listener: Dialogue,
    publisher: Dialogue,
    search: Search,
    /// The number of the next message, whatever its topic.
    sequence: u32,
    /// Messages that made the last backlog.
    backlog: u32,
    /// Messages of the other topics that were published and that the listener has.
    bulk: (u32, u32),
}

/// Latencies of one round in nanoseconds.
pub(crate) struct Latencies {
    pub(crate) idle: Histogram<u64>,
    pub(crate) behind: Histogram<u64>,
    /// The least that waited in the hub before a message of `behind`.
    pub(crate) backlog_bytes_min: u64,
    /// The most of other topics that still came before one: what was in the kernel, or begun.
    pub(crate) ahead_bytes_max: u64,
}

/// Measures `samples` messages each way, in turns.
pub(crate) fn measure(hub: &Hub, samples: u32) -> Result<Latencies> {
    let mut scene = Scene::open(hub)?;
    let (mut idle, mut behind) = (histogram()?, histogram()?);
    let (mut backlog_bytes_min, mut ahead_bytes_max) = (u64::MAX, 0);
    for sample in 0..samples + 3 {
        let idle_ns = scene.publish_critical()?;
        scene.pile_up()?;
        let waiting_bytes = outbox_bytes(hub, LISTENER)?;
        ensure!(waiting_bytes >= BACKLOG_BYTES, "the backlog shrank to {waiting_bytes} bytes");
        let heard = scene.bulk.1;
        let behind_ns = scene.publish_critical()?;
        let ahead_bytes = u64::from(scene.bulk.1 - heard) * MESSAGE_BYTES as u64;
        scene.read_the_rest()?;
        // The first ones warm both sides up.
        if sample >= 3 {
            idle.saturating_record(idle_ns);
            behind.saturating_record(behind_ns);
            backlog_bytes_min = backlog_bytes_min.min(waiting_bytes);
            ahead_bytes_max = ahead_bytes_max.max(ahead_bytes);
        }
    }
    Ok(Latencies { idle, behind, backlog_bytes_min, ahead_bytes_max })
}

impl<'h> Scene<'h> {
    fn open(hub: &'h Hub) -> Result<Self> {
        let mut listener = Dialogue::open(hub, LISTENER)?;
        let bulk: Vec<String> = (0..TOPICS).map(|n| format!(r#""bench:bulk-{n}""#)).collect();
        let request =
            format!(r#"{{"type":"subscribe","payload":{{"topics":["bench:urgent",{}]}}}}"#, bulk.join(","));
        listener.ask(request.as_bytes(), "subscribed")?;
        let publisher = Dialogue::open(hub, "publisher")?;
        Ok(Self {
            hub,
            listener,
            publisher,
            search: Search::new(),
            sequence: 0,
            backlog: 4 * STEP,
            bulk: (0, 0),
        })
    }

    fn publish(&mut self, topic: &str, priority: &str, bytes: usize) -> Result<Marker> {
        let marker = Marker { due_ns: now_ns(), sequence: self.sequence };
        self.sequence += 1;
        let mut request =
            format!(r#"{{"type":"publish","payload":{{"topic":"{topic}","priority":"{priority}","data":""#)
                .into_bytes();
        marker.write(bytes, &mut request);
        request.extend_from_slice(br#""}}"#);
        self.publisher.send(&request)?;
        Ok(marker)
    }

    /// Publishes to the other topics, while the listener reads nothing, until enough waits for it.
    fn pile_up(&mut self) -> Result<()> {
        let mut missing = self.backlog.saturating_sub(STEP).max(STEP);
        let mut published = 0;
        loop {
            for n in 0..missing {
                let topic = format!("bench:bulk-{}", n % TOPICS);
                self.publish(&topic, "normal", MESSAGE_BYTES)?;
                self.publisher.wait_for("published").context("publishing the backlog")?;
            }
            published += missing;
            self.bulk.0 += missing;
            thread::sleep(FLUSH);
            let waiting_bytes = outbox_bytes(self.hub, LISTENER)?;
            ensure!(waiting_bytes < BACKLOG_BYTES_MAX, "{waiting_bytes} bytes wait, more than planned");
            if waiting_bytes >= BACKLOG_BYTES {
                self.backlog = published;
                return Ok(());
            }
            missing = STEP;
        }
    }

    /// From publishing a critical message until the listener has it. The listener reads on when the publisher has
    /// its answer: the message is with the connection then, before loopback could have emptied the backlog.
    fn publish_critical(&mut self) -> Result<u64> {
        let marker = self.publish("bench:urgent", "critical", 0)?;
        self.publisher.wait_for("published").context("publishing a critical message")?;
        while !self.hears(Some(marker)).context("waiting for the critical message")? {}
        Ok(now_ns() - marker.due_ns)
    }

    fn read_the_rest(&mut self) -> Result<()> {
        while self.bulk.1 < self.bulk.0 {
            self.hears(None).context("reading the rest of the backlog")?;
        }
        Ok(())
    }

    /// Reads one frame of the listener and counts what is in it; whether this message was.
    fn hears(&mut self, wanted: Option<Marker>) -> Result<bool> {
        let Self { listener, search, bulk, .. } = self;
        listener.next(|payload| {
            let mut found = false;
            for marker in search.find(payload) {
                if Some(marker) == wanted {
                    found = true;
                } else {
                    bulk.1 += 1;
                }
            }
            Ok(found)
        })
    }
}
