//! Nothing is lost, order is kept, limits are obeyed.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::time::Instant;

use super::hub::{Frame, Line, run_agent, settings};
use crate::agent::link::{ACK_TIMEOUT_MS, IN_FLIGHT_MAX, NOT_DURABLE_RETRY_MS};

const SECOND: Duration = Duration::from_secs(1);

fn samples(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|frame| frame.sample).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_of_a_connection_describes_the_node() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        for _ in 0..2 {
            let mut line = hub.accept().await;
            assert_eq!(line.request.path, "/ws/agent-web-1");
            assert_eq!(line.request.authorization, format!("Bearer {}", super::hub::TOKEN));
            assert_eq!(line.request.protocols, "infrawatch.v1.json");
            let first = line.next_acknowledged().await;
            assert_eq!(first.payload["labels"], json!({"service": "api"}));
            assert_eq!(first.payload["inventory"]["hostname"], "web");
            assert_eq!(first.payload["interval_ms"], 1_000);
            let second = line.next_acknowledged().await;
            assert_eq!(second.payload.get("inventory"), None);
        }
    })
    .await
    .unwrap();
}

#[derive(Default)]
struct Got {
    /// A hub that did not acknowledge a sample may have lost it, so only these count.
    acknowledged: BTreeSet<u64>,
    /// The agent has certainly read the acknowledgement.
    settled: BTreeSet<u64>,
}

/// Reads some frames of one connection and acknowledges each with the given probability.
async fn serve(line: &mut Line, frames: usize, acknowledge: f64, rng: &mut SmallRng, got: &mut Got) {
    let mut order = Vec::new();
    for _ in 0..frames {
        let frame = line.next().await;
        assert!(!got.settled.contains(&frame.sample), "{} was acknowledged long ago", frame.sample);
        order.push(frame.sample);
        if rng.random_bool(acknowledge) {
            line.acknowledge(&frame, true).await;
            got.acknowledged.insert(frame.sample);
        }
    }
    let first_live = order.first().copied().unwrap_or_default();
    let (live, spooled): (Vec<_>, Vec<_>) = order.into_iter().partition(|sample| *sample >= first_live);
    assert!(live.is_sorted_by(|a, b| a < b), "live ones in order: {live:?}");
    assert!(spooled.is_sorted_by(|a, b| a < b), "spooled ones in order, each once: {spooled:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_however_often_the_connection_breaks() {
    for seed in 0..40 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        run_agent(&settings, async |hub| {
            let mut got = Got::default();
            for _ in 0..rng.random_range(2..8) {
                if rng.random_bool(0.3) {
                    hub.stay_away(SECOND * rng.random_range(1..90)).await;
                }
                let mut line = hub.accept().await;
                let frames = rng.random_range(0..25);
                let acknowledge = [0.0, 0.5, 1.0][rng.random_range(0..3)];
                serve(&mut line, frames, acknowledge, &mut rng, &mut got).await;
                if rng.random_bool(0.5) {
                    // The acknowledgements arrive before the cut: none of these may come again.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    got.settled.extend(&got.acknowledged);
                }
            }
            let all = hub.samples_taken() + 3;
            let mut line = hub.accept().await;
            while (1..=all).any(|sample| !got.acknowledged.contains(&sample)) {
                let frame = line.next_within(SECOND * 60).await.expect("frames until all came");
                line.acknowledge(&frame, true).await;
                assert!(!got.settled.contains(&frame.sample), "seed {seed}: {} again", frame.sample);
                got.acknowledged.insert(frame.sample);
                assert!(frame.sample < all + 600, "seed {seed}: some never came");
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_live_samples_come_first_and_spooled_ones_in_order_at_the_set_rate() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.replay_hz = 10;
    run_agent(&settings, async |hub| {
        hub.stay_away(SECOND * 120).await;
        let mut line = hub.accept().await;
        let outage = hub.samples_taken();
        let mut frames = Vec::new();
        while frames.len() < outage as usize {
            frames.push(line.next_acknowledged().await);
        }
        assert!(frames[0].sample > outage, "a live sample first: {}", frames[0].sample);
        let (spooled, live): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.sample <= outage);
        assert_eq!(samples(&spooled), (1..=spooled.len() as u64).collect::<Vec<_>>());
        assert!(live.is_sorted_by(|a, b| a.sample + 1 == b.sample), "{:?}", samples(&live));
        assert!(live.len() >= spooled.len() / 10, "live samples went on: {}", live.len());
        for pair in spooled.windows(2) {
            let apart = pair[1].at - pair[0].at;
            assert!(apart >= Duration::from_millis(100), "{apart:?}");
        }
        for pair in live.windows(2) {
            assert_eq!((pair[1].at - pair[0].at).as_secs_f64().round(), 1.0, "on time");
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn withheld_acknowledgements_stop_the_sending_at_the_window_and_then_the_connection() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.interval_ms = 200;
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        let mut frames = Vec::new();
        let begin = Instant::now();
        while let Some(frame) = line.next_within(SECOND * 20).await {
            frames.push(frame);
        }
        assert_eq!(samples(&frames).len(), IN_FLIGHT_MAX);
        // One acknowledgement makes room for one more.
        line.acknowledge(&frames[0], true).await;
        let more = line.next().await;
        assert!(more.sample > IN_FLIGHT_MAX as u64, "a live one");
        assert!(line.next_within(SECOND).await.is_none());
        drop(line);
        let mut again = hub.accept().await;
        assert!(begin.elapsed() < Duration::from_millis(2 * ACK_TIMEOUT_MS));
        let live = again.next_acknowledged().await;
        let mut spooled = Vec::new();
        while spooled.len() < 100 {
            let frame = again.next_acknowledged().await;
            if frame.sample < live.sample {
                spooled.push(frame.sample);
            }
        }
        let expected = (1..).filter(|sample| *sample != frames[0].sample).take(100);
        assert_eq!(spooled, expected.collect::<Vec<_>>(), "all but the acknowledged one, in order");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_never_acknowledges_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        let first = line.next().await;
        // Alive, as its frames show, but deaf.
        let left_at = line.answer_until_gone("pong").await;
        let lasted = left_at - first.at;
        let limit = Duration::from_millis(ACK_TIMEOUT_MS);
        assert!(lasted >= limit && lasted < limit + SECOND, "{lasted:?}");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn flow_is_obeyed_and_what_it_held_back_follows() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        // The one taken before the connection stood is replayed beside the first live one.
        let begin = [line.next_acknowledged().await, line.next_acknowledged().await];
        assert_eq!(samples(&begin), [2, 1]);
        let ordered = Instant::now();
        line.send("flow", json!({"max_rate_hz": 0.5, "pause_ms": 7_000, "reason": "busy"})).await;
        let mut frames = Vec::new();
        for _ in 0..6 {
            frames.push(line.next_acknowledged().await);
        }
        assert!(frames[0].at - ordered >= SECOND * 7, "paused");
        for pair in frames.windows(2) {
            assert!(pair[1].at - pair[0].at >= SECOND * 2, "{:?}", pair[1].at - pair[0].at);
        }
        assert!(samples(&frames).is_sorted(), "all live");
        line.send("flow", json!({"max_rate_hz": null, "pause_ms": 0, "reason": "calm"})).await;
        let held_back: Vec<_> = (3..frames[5].sample).filter(|n| !samples(&frames).contains(n)).collect();
        let mut replayed = Vec::new();
        while replayed.len() < held_back.len() {
            let frame = line.next_acknowledged().await;
            if frame.sample < frames[5].sample {
                replayed.push(frame.sample);
            }
        }
        assert_eq!(replayed, held_back);
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_durable_is_sent_again_later() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        line.next_acknowledged().await;
        let refused = line.next().await;
        line.acknowledge(&refused, false).await;
        let again = loop {
            let frame = line.next_acknowledged().await;
            if frame.sample == refused.sample {
                break frame;
            }
        };
        assert!(again.at - refused.at >= Duration::from_millis(NOT_DURABLE_RETRY_MS));
        assert_eq!(again.payload["timestamp"], refused.payload["timestamp"]);
        for _ in 0..60 {
            assert_ne!(line.next_acknowledged().await.sample, refused.sample, "durable now");
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_are_retried_only_when_the_hub_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    run_agent(&settings, async |hub| {
        let mut line = hub.accept().await;
        line.next_acknowledged().await;
        let busy = line.next().await;
        let error = json!({"code": "overloaded", "message": "m", "retryable": true, "retry_after_ms": 9_000});
        line.reply("error", &busy, error).await;
        let wrong = line.next().await;
        line.reply("error", &wrong, json!({"code": "invalid_field", "message": "m", "retryable": false}))
            .await;
        line.send_text("not json").await;
        line.send("metrics_ack", json!({"durable": true})).await;
        let mut later = Vec::new();
        for _ in 0..60 {
            later.push(line.next_acknowledged().await);
        }
        let again: Vec<_> = later.iter().filter(|frame| frame.sample == busy.sample).collect();
        assert_eq!(again.len(), 1);
        assert!(again[0].at - busy.at >= SECOND * 9);
        assert!(!samples(&later).contains(&wrong.sample), "it would fail again");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_spool_drops_the_oldest_and_keeps_the_newest_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.spool_bytes_max = 1024 * 1024;
    settings.replay_hz = 1_000;
    run_agent(&settings, async |hub| {
        hub.stay_away(SECOND * 12_000).await;
        let outage = hub.samples_taken();
        let mut line = hub.accept().await;
        let live = line.next_acknowledged().await;
        assert!(live.sample > outage);
        let first = line.next_acknowledged().await.sample;
        assert!(
            first > 1_000 && first < outage / 2,
            "the oldest are gone, the newest half is there: {first}"
        );
        for expected in first + 1..=first + 2_000 {
            let mut frame = line.next_acknowledged().await;
            while frame.sample > outage {
                frame = line.next_acknowledged().await;
            }
            assert_eq!(frame.sample, expected);
        }
    })
    .await
    .unwrap();
}
