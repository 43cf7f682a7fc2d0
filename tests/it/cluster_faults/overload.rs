//! Five times the samples that the hub can keep, from senders that obey no `flow`, with PostgreSQL at work and then stopped: 20 s in
//! all here, as many as `OVERLOAD_S` says otherwise (`make overload`: 600).
//!
//! The hub's memory stays level, what it refuses it says so of, and what it acknowledged as durable is in PostgreSQL afterwards, once.

mod agent;
mod sender;
mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use infrawatch::clock::system_unix_ms;
use infrawatch_servers::{Postgres, Redis};
use tokio::time::{Instant, interval, sleep};

use crate::hub::Hub;
use agent::frames_of;
use sender::{Sender, Tally};
use stage::{Phase, Stage};

/// Their windows together are more than the store's queue has places.
const SENDERS: usize = 40;

const TIMES: u64 = 5;

/// How long the sustainable rate is measured, after as long without measuring.
const MEASURED: Duration = Duration::from_secs(2);

fn seconds() -> Option<u64> {
    std::env::var("OVERLOAD_S").ok().and_then(|text| text.parse().ok())
}

fn hub(redis: &Redis, postgres: &Postgres) -> Hub {
    let arguments = ["--redis-url", &redis.url(), "--postgres-url", &postgres.url(), "--limits", "off"];
    Hub::with_arguments(&arguments, |settings| {
        settings.breaker.open_ms = 500;
        if seconds().is_none() {
            // Full before the short test is over.
            settings.store.journal_bytes_max = 4 << 20;
        }
    })
}

/// What was seen from outside, a phase.
#[derive(Debug, Default)]
struct Seen {
    /// Since the phase began, and resident bytes.
    memory: Vec<(Duration, u64)>,
    journal_bytes: u64,
}

async fn watch(hub: &Hub, stage: &Stage) -> BTreeMap<u8, Seen> {
    let (mut seen, mut pace) = (BTreeMap::<u8, Seen>::new(), interval(Duration::from_millis(250)));
    let mut phase = (Phase::Sustained, Instant::now());
    while stage.phase() != Phase::Over {
        pace.tick().await;
        if stage.phase() != phase.0 {
            phase = (stage.phase(), Instant::now());
        }
        let of = seen.entry(phase.0 as u8).or_default();
        of.memory.push((phase.1.elapsed(), hub.resident_bytes()));
        of.journal_bytes = of.journal_bytes.max(hub.metric("infrawatch_journal_bytes").await);
    }
    seen
}

async fn direct(hub: &Hub, stage: &Stage, postgres: &Postgres) {
    let phase = Duration::from_secs(seconds().unwrap_or(20)) / 2;
    sleep(MEASURED).await;
    let count = async || hub.metric("infrawatch_samples_accepted_total").await;
    let (begun, before) = (Instant::now(), count().await);
    sleep(MEASURED).await;
    let frames = (count().await - before) / sender::SAMPLES as u64;
    let hz = frames as f64 / begun.elapsed().as_secs_f64();
    eprintln!("sustained {hz}");
    stage.rate_mhz.store((hz * 1e3) as u64 * TIMES / SENDERS as u64, std::sync::atomic::Ordering::Relaxed);
    stage.enter(Phase::Overload);
    sleep(phase).await;
    stage.enter(Phase::Stopped);
    postgres.pause();
    sleep(phase).await;
    stage.enter(Phase::Over);
    postgres.go_on();
    let back = Instant::now();
    while hub.metric("infrawatch_journal_bytes").await > 0 {
        assert!(back.elapsed() < Duration::from_secs(300));
        sleep(Duration::from_millis(20)).await;
    }
    eprintln!("journal empty after {:?}", back.elapsed());
}

#[tokio::test]
async fn memory_is_level_and_nothing_acknowledged_is_lost_under_five_times_the_load_with_postgresql_and_without()
 {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let hub = hub(&redis, &postgres);
    let (stage, begun_ms) = (Stage::default(), system_unix_ms() - 4 * 3_600_000);
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        senders.push(Sender::open(&hub, &format!("load-{n}"), begun_ms, &stage).await);
    }
    let at_start = hub.resident_bytes();
    let ((), seen, senders) = tokio::join!(
        direct(&hub, &stage, &postgres),
        watch(&hub, &stage),
        join_all(senders.into_iter().map(Sender::run)),
    );
    eprintln!("{at_start} {seen:?}");
    for phase in 0..Phase::COUNT {
        let mut all = Tally::default();
        senders.iter().for_each(|sender| all.add(&sender.tallies[phase]));
        eprintln!("{phase}: {all:?}");
    }
    let stored = frames_of(&postgres.url()).await;
    let (mut lost, mut durable) = (0, 0);
    for sender in &senders {
        let there = stored.get(&sender.node);
        durable += sender.ledger.count();
        for n in 0..sender.ledger.len() {
            if sender.ledger.has(n) && !there.is_some_and(|there| there.contains(&(begun_ms + n))) {
                lost += 1;
            }
        }
    }
    eprintln!("{durable} durable, {lost} lost, {} stored", stored.values().map(|v| v.len()).sum::<usize>());
}
