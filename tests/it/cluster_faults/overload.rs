//! Five times the samples that the hub keeps up with, from senders that obey no `flow`, while PostgreSQL works and then while it is
//! stopped: 10 s each here, half of what `OVERLOAD_S` says otherwise (`make overload`: 600), and until the journal is full.
//!
//! The hub's memory stays level, what it does not keep it refuses, and what it acknowledged as durable is in PostgreSQL in the end, once.

mod agent;
mod memory;
mod outcome;
mod poster;
mod sender;
mod stage;
mod stored;

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use infrawatch::clock::system_unix_ms;
use infrawatch_servers::{Postgres, Redis};
use tokio::time::{Instant, sleep};

use crate::hub::{Hub, until};
use agent::{Agent, GAP_MS, bytes_in, longest_gap};
use memory::watch;
use outcome::Outcome;
use poster::post;
use sender::{SAMPLES, Sender};
use stage::{Phase, Stage};
use stored::Stored;

/// What they may have under way is more than the store's queue has places.
const SENDERS: usize = 40;

/// Of what the hub keeps up with.
const TIMES: u64 = 5;

/// How long the load may find its level at least, and how long it is measured then.
const SUSTAINED_MIN: Duration = Duration::from_secs(2);

/// A server that is stopped is taken for gone after 5 s; the journal begins then.
const WARM_UP_MIN: Duration = Duration::from_secs(6);

const AGENT: &str = "web-1";

/// What an agent promises when the store stops.
const SPOOLS_WITHIN: Duration = Duration::from_secs(2);

/// Until all that waited is in PostgreSQL. A full journal of 256 MiB is replayed in about a minute.
const DELIVERED_WITHIN: Duration = Duration::from_secs(300);

/// The bound of the journal in the short form.
const JOURNAL_BYTES: u64 = 4 << 20;

fn seconds() -> Option<u64> {
    std::env::var("OVERLOAD_S").ok().and_then(|text| text.parse().ok())
}

fn hub(redis: &Redis, postgres: &Postgres) -> Hub {
    let arguments = ["--redis-url", &redis.url(), "--postgres-url", &postgres.url(), "--limits", "off"];
    Hub::with_arguments(&arguments, |settings| {
        settings.breaker.open_ms = 500;
        // Histories are full before memory is measured.
        settings.topic.history_messages_max = 50;
        if seconds().is_none() {
            // Full before the test is over.
            settings.store.journal_bytes_max = JOURNAL_BYTES;
        }
    })
}

/// What the director saw.
struct Course {
    /// Frames a second that were durable before the overload.
    sustained_hz: u64,
    journal_bytes: u64,
    stopped_for: Duration,
    /// When PostgreSQL was let go on.
    back: Instant,
}

/// Moves the stage through its phases. Asks the hub nothing: it would answer late.
async fn direct(hub: &Hub, stage: &Stage, postgres: &Postgres, phase: Duration) -> Course {
    let sustained_hz = sustained(stage, SUSTAINED_MIN.max(phase / 20)).await;
    stage.rate_mhz.store(sustained_hz * 1_000 * TIMES / SENDERS as u64, Ordering::Relaxed);
    stage.enter(Phase::Overload);
    sleep(phase).await;
    // Stopped, not killed: nothing tells the hub that it is gone but its silence.
    stage.enter(Phase::Stopped);
    postgres.pause();
    let (stopped, before, mut journal_bytes) = (Instant::now(), stage.refused.load(Ordering::Relaxed), 0);
    let is_full = |bytes| bytes > JOURNAL_BYTES - (1 << 20) && stage.refused.load(Ordering::Relaxed) > before;
    while stopped.elapsed() < phase || !is_full(journal_bytes) {
        assert!(stopped.elapsed() < phase + DELIVERED_WITHIN, "the journal has {journal_bytes} bytes");
        sleep(Duration::from_millis(250)).await;
        journal_bytes = bytes_in(&hub.data_dir().join("journal")).max(journal_bytes);
    }
    let stopped_for = stopped.elapsed();
    stage.enter(Phase::Over);
    postgres.go_on();
    Course { sustained_hz, journal_bytes, stopped_for, back: Instant::now() }
}

/// How long after PostgreSQL was back all of the hub's was there, and all of the agent's.
async fn delivered(hub: &Hub, stored: &Stored, back: Instant) -> (Duration, Duration) {
    eventually("the journal is empty", async || hub.metric("infrawatch_journal_bytes").await == 0).await;
    let (by_the_hub, now_ms) = (back.elapsed(), system_unix_ms());
    eventually("the agent has sent all that it kept", async || {
        let moments = stored.moments(AGENT).await;
        let is_whole = longest_gap(&moments) < Duration::from_millis(GAP_MS);
        moments.last().is_some_and(|last| *last > now_ms) && is_whole
    })
    .await;
    (by_the_hub, back.elapsed())
}

/// Frames a second that are durable while senders wait for their answers.
async fn sustained(stage: &Stage, measured: Duration) -> u64 {
    sleep(measured).await;
    let (begun, before) = (Instant::now(), stage.durable.load(Ordering::Relaxed));
    sleep(measured).await;
    let durable = stage.durable.load(Ordering::Relaxed) - before;
    assert!(durable > 0, "nothing is durable");
    durable * 1_000 / begun.elapsed().as_millis() as u64
}

/// As [`until`], for what takes its time.
async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < DELIVERED_WITHIN, "{what}: not within {DELIVERED_WITHIN:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn memory_is_level_and_nothing_acknowledged_is_lost_under_five_times_the_load() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let hub = hub(&redis, &postgres);
    let (stage, begun_ms) = (Stage::default(), system_unix_ms() - 4 * 3_600_000);
    let agent = Agent::start(&hub, AGENT);
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        senders.push(Sender::open(&hub, &format!("load-{n}"), begun_ms, &stage).await);
    }
    let (phase, memory_at_start) = (Duration::from_secs(seconds().unwrap_or(20)) / 2, hub.resident_bytes());
    let warm_up = WARM_UP_MIN.max(phase / 10);
    let (course, memory, (posted, statuses), senders) = tokio::join!(
        direct(&hub, &stage, &postgres, phase),
        watch(&hub, &stage, warm_up),
        post(&hub, &stage),
        join_all(senders.into_iter().map(Sender::run)),
    );
    let stored = Stored::connect(&postgres.url()).await;
    let (by_the_hub, by_the_agent) = delivered(&hub, &stored, course.back).await;
    agent.kill();

    let there = stored.all().await;
    let outcome = Outcome::of(&senders, &there, begun_ms, memory);
    eprintln!(
        "{} frames/s of {SAMPLES} samples sustained; {phase:?} of overload, {:?} with PostgreSQL stopped\n{outcome}\n\
         journal {} KiB, empty after {:?}, the agent's spool after {:?}; posted: {statuses:?}; memory {} MiB at start, {} MiB in the end",
        course.sustained_hz,
        course.stopped_for,
        course.journal_bytes >> 10,
        by_the_hub,
        by_the_agent,
        memory_at_start >> 20,
        hub.resident_bytes() >> 20,
    );
    outcome.check();
    let lost: Vec<_> = posted.iter().filter(|at_ms| !there[poster::NODE].contains(at_ms)).collect();
    assert!(lost.is_empty() && !posted.is_empty(), "{} of {} posted ones are lost", lost.len(), posted.len());
    assert_eq!(hub.metric("infrawatch_samples_spilled_total{outcome=\"lost\"}").await, 0);
}

#[tokio::test]
async fn an_agent_spools_when_postgresql_stops_and_has_no_gap_when_it_is_back() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let hub = hub(&redis, &postgres);
    let agent = Agent::start(&hub, AGENT);
    let stored = Stored::connect(&postgres.url()).await;
    until("some samples are stored", async || (stored.moments(AGENT).await.len() >= 3).then_some(())).await;
    let before = agent.spooled();
    postgres.pause();
    let stopped = Instant::now();
    until("the agent spools", async || (agent.spooled() > before + 1_000).then_some(())).await;
    let took = stopped.elapsed();
    assert!(took < SPOOLS_WITHIN, "the agent spooled after {took:?}");
    postgres.go_on();
    let back_ms = system_unix_ms();
    until("the gap is filled", async || {
        let moments = stored.moments(AGENT).await;
        let is_whole = longest_gap(&moments) < Duration::from_millis(GAP_MS);
        (moments.last().is_some_and(|last| *last > back_ms) && is_whole).then_some(())
    })
    .await;
    agent.kill();
}
