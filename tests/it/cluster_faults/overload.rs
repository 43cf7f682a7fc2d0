//! Five times the samples that the hub keeps up with, from senders that obey no `flow`, while PostgreSQL works and then while it is
//! stopped: 8 s each here, half of what `OVERLOAD_S` says otherwise (`make overload`: 600), and until the journal is full.
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
use tokio::time::{Instant, interval, sleep};

use crate::hub::{Hub, until};
use agent::{Agent, GAP_MS, longest_gap};
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

/// How long the load may find its level, and how long it is measured then.
const SUSTAINED: Duration = Duration::from_secs(2);

/// A server that is stopped is taken for gone after 5 s; the journal begins then.
const WARM_UP_MIN: Duration = Duration::from_secs(6);

const AGENT: &str = "web-1";

/// What an agent promises when the store stops.
const SPOOLS_WITHIN: Duration = Duration::from_secs(2);

/// Until all that waited is in PostgreSQL. A full journal of 256 MiB is replayed in about a minute.
const DELIVERED_WITHIN: Duration = Duration::from_secs(300);

/// Samples that the full journal did not take.
const REFUSED: &str = "infrawatch_samples_spilled_total{outcome=\"refused\"}";

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
            settings.store.journal_bytes_max = 4 << 20;
        }
    })
}

/// What the director saw.
struct Course {
    /// Frames a second that were durable before the overload.
    sustained_hz: u64,
    journal_bytes: u64,
    stopped_for: Duration,
    delivered_after: Duration,
    agent_after: Duration,
}

/// Moves the stage through its phases, and waits until all is delivered.
async fn direct(hub: &Hub, stage: &Stage, postgres: &Postgres, phase: Duration) -> Course {
    let sustained_hz = sustained(hub, stage).await;
    stage.rate_mhz.store(sustained_hz * 1_000 * TIMES / SENDERS as u64, Ordering::Relaxed);
    stage.enter(Phase::Overload);
    sleep(phase).await;
    // Stopped, not killed: nothing tells the hub that it is gone but its silence.
    stage.enter(Phase::Stopped);
    postgres.pause();
    let (stopped, mut journal_bytes, mut pace) = (Instant::now(), 0, interval(Duration::from_secs(1)));
    let refused = async || hub.metric(REFUSED).await > 0;
    while stopped.elapsed() < phase || !refused().await {
        assert!(stopped.elapsed() < phase + DELIVERED_WITHIN, "the journal never refuses");
        pace.tick().await;
        journal_bytes = hub.metric("infrawatch_journal_bytes").await.max(journal_bytes);
    }
    let stopped_for = stopped.elapsed();
    stage.enter(Phase::Over);
    postgres.go_on();
    let back = Instant::now();
    eventually("the journal is empty", async || hub.metric("infrawatch_journal_bytes").await == 0).await;
    let delivered_after = back.elapsed();
    let (stored, back_ms) = (Stored::connect(&postgres.url()).await, system_unix_ms());
    eventually("the agent has sent all that it kept", async || {
        let moments = stored.moments(AGENT).await;
        moments.last().is_some_and(|last| *last > back_ms)
            && longest_gap(&moments) < Duration::from_millis(GAP_MS)
    })
    .await;
    Course { sustained_hz, journal_bytes, stopped_for, delivered_after, agent_after: back.elapsed() }
}

/// Frames a second that are durable while senders wait for their answers.
async fn sustained(hub: &Hub, stage: &Stage) -> u64 {
    sleep(SUSTAINED).await;
    let (begun, before) = (Instant::now(), stage.durable.load(Ordering::Relaxed));
    sleep(SUSTAINED).await;
    let durable = stage.durable.load(Ordering::Relaxed) - before;
    assert!(durable > 0, "{} samples were taken", hub.metric("infrawatch_samples_accepted_total").await);
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
    let (phase, memory_at_start) = (Duration::from_secs(seconds().unwrap_or(16)) / 2, hub.resident_bytes());
    let warm_up = WARM_UP_MIN.max(phase / 10);
    let (course, memory, (posted, statuses), senders) = tokio::join!(
        direct(&hub, &stage, &postgres, phase),
        watch(&hub, &stage, warm_up),
        post(&hub, &stage),
        join_all(senders.into_iter().map(Sender::run)),
    );
    agent.kill();

    let there = Stored::connect(&postgres.url()).await.all().await;
    let outcome = Outcome::of(&senders, &there, begun_ms, memory);
    eprintln!(
        "{} frames/s of {SAMPLES} samples sustained; {phase:?} of overload, {:?} with PostgreSQL stopped\n{outcome}\n\
         journal {} KiB, empty after {:?}, the agent's spool after {:?}; posted: {statuses:?}; memory {} MiB at start, {} MiB in the end",
        course.sustained_hz,
        course.stopped_for,
        course.journal_bytes >> 10,
        course.delivered_after,
        course.agent_after,
        memory_at_start >> 20,
        hub.resident_bytes() >> 20,
    );
    outcome.check();
    let lost: Vec<_> = posted.iter().filter(|at_ms| !there[poster::NODE].contains(at_ms)).collect();
    assert!(lost.is_empty() && posted.len() > 10, "{} of {} posted ones are lost", lost.len(), posted.len());
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
