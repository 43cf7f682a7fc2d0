//! The connection on which Redis tells what is new: kept, probed, made again.

use std::pin::pin;
use std::time::Duration;

use bb8_redis::redis::pipe;
use futures_util::StreamExt;
use futures_util::future::{Either, pending};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Carrier;
use crate::engine::EngineError;

/// First and longest pause before the next attempt to connect, in milliseconds.
const PAUSE_MS_MIN: u64 = 100;
const PAUSE_MS_MAX: u64 = 2_000;

/// Keeps the carrier's connection. Runs until it is dropped.
pub async fn run(carrier: Carrier) {
    let mut pause_ms = PAUSE_MS_MIN;
    loop {
        let outcome = connected(&carrier).await;
        carrier.0.redis.distrust();
        match outcome {
            // It stood: the next one is tried at once, and only when it fails as well is Redis gone.
            Ok(Ended::Closed) => pause_ms = PAUSE_MS_MIN,
            Ok(Ended::Failed(reason)) => {
                carrier.down(reason);
                pause_ms = PAUSE_MS_MIN;
            }
            Err(error) => {
                carrier.down(error.to_string());
                sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (2 * pause_ms).min(PAUSE_MS_MAX);
            }
        }
    }
}

/// Why a connection that stood has ended.
enum Ended {
    /// Redis, or the way to it, closed it.
    Closed,
    /// It is there, and nothing comes through.
    Failed(String),
}

/// Connects, says so, and hands pushes on while the connection stands.
async fn connected(carrier: &Carrier) -> Result<Ended, EngineError> {
    let redis = &carrier.0.redis;
    let (mut sink, mut pushes) = redis.subscriber().await?.split();
    let probe_channel = format!("infrawatch:probe:{}", uuid::Uuid::new_v4().simple());
    let mut channels: Vec<String> = carrier.0.listeners.lock().keys().cloned().collect();
    channels.push(probe_channel.clone());
    redis.in_time(sink.subscribe(&channels)).await?;
    redis.ask::<()>(pipe().cmd("PING").ignore()).await?;
    carrier.up(sink);

    let every = Duration::from_millis(carrier.0.probe_ms);
    let mut probes = interval(every);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut awaits_probe = false;
    loop {
        let ask = async {
            probes.tick().await;
            redis.ask::<()>(pipe().cmd("PUBLISH").arg(&probe_channel).arg("").ignore()).await
        };
        let mut asking = pin!(ask);
        let mut is_asking = true;
        while is_asking {
            let next = if is_asking { Either::Left(asking.as_mut()) } else { Either::Right(pending()) };
            tokio::select! {
                push = pushes.next() => match push {
                    None => return Ok(Ended::Closed),
                    Some(push) if push.get_channel_name() == probe_channel => awaits_probe = false,
                    Some(push) => carrier.hand_on(push.get_channel_name(), push.get_payload_bytes()),
                },
                asked = next => {
                    asked?;
                    is_asking = false;
                }
                () = carrier.0.suspected.notified() => {
                    return Ok(Ended::Failed(carrier.reason()));
                }
            }
        }
        // The answer to this probe is waited for until the next one.
        if std::mem::replace(&mut awaits_probe, true) {
            return Ok(Ended::Failed("what is published does not come back".to_owned()));
        }
    }
}
