//! The one connection on which Redis pushes, and the probe of the way there and back.
//!
//! A connection that breaks is made again, with back-off; what was published meanwhile is read by the topics. Redis
//! counts as gone when no probe came back for two intervals, and as back with the next that does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bb8_redis::redis::aio::{PubSubSink, PubSubStream};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::EngineError;
use super::carried::Arrival;
use super::carrier::{Carrier, Way, Wish};
use crate::telemetry::{Counter, Gauge};

/// The wait before a connection is made again, doubled up to the second, in milliseconds.
const BACKOFF_MS: (u64, u64) = (50, 1_000);

/// Time between two looks at what came back, in milliseconds.
const LOOK_MS: u64 = 100;

/// While Redis is gone it is probed this often at least, in milliseconds.
const PROBE_DOWN_MS: u64 = 250;

/// Channels in one command.
const CHANNELS_MAX: usize = 256;

impl Carrier {
    /// Keeps the connection and probes, for ever. One caller at a time.
    pub async fn run(&self) {
        tokio::join!(self.keep_line(), self.keep_probing(), self.keep_looking(), self.keep_saying());
    }

    async fn keep_line(&self) {
        let mut wishes = self.0.wished.lock().await;
        let mut backoff_ms = BACKOFF_MS.0;
        loop {
            match self.connect().await {
                Ok((mut sink, mut stream)) => {
                    backoff_ms = BACKOFF_MS.0;
                    // What came while nobody listened is in Redis.
                    self.tell_all(|| Arrival::CatchUp);
                    self.notices_missed();
                    loop {
                        tokio::select! {
                            message = stream.next() => {
                                let Some(message) = message else { break };
                                self.pushed(message.get_channel_name(), message.get_payload::<String>().ok());
                            }
                            () = self.0.redis.cut() => break,
                            Some(wish) = wishes.recv() => {
                                if let Err(error) = self.fulfil(&mut sink, wish).await {
                                    tracing::debug!(%error, "connection to Redis given up");
                                    break;
                                }
                            }
                        }
                    }
                    Counter::EngineReconnects.add(1);
                }
                Err(error) => tracing::debug!(%error, "no connection to Redis"),
            }
            sleep(Duration::from_millis(backoff_ms)).await;
            backoff_ms = (backoff_ms * 2).min(BACKOFF_MS.1);
        }
    }

    /// A connection that has all channels that are wanted.
    async fn connect(&self) -> Result<(PubSubSink, PubSubStream), EngineError> {
        let (mut sink, stream) = self.0.redis.subscriber().await?.split();
        let mut channels = self.channels();
        channels.push(self.probe_channel());
        channels.extend(self.notice_channels());
        for some in channels.chunks(CHANNELS_MAX) {
            self.in_time(sink.subscribe(some)).await?;
        }
        Ok((sink, stream))
    }

    async fn fulfil(&self, sink: &mut PubSubSink, wish: Wish) -> Result<(), EngineError> {
        if wish.follow {
            self.in_time(sink.subscribe(&wish.channel)).await?;
            // Who asked may not wait any more.
            _ = wish.done.send(());
        } else if !self.channels().contains(&wish.channel) {
            self.in_time(sink.unsubscribe(&wish.channel)).await?;
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, bb8_redis::redis::RedisError>>,
    ) -> Result<T, EngineError> {
        match timeout(Duration::from_millis(self.0.settings.call_ms_max), asked).await {
            Ok(answer) => answer.map_err(|error| EngineError::of_command(&error)),
            Err(_elapsed) => Err(EngineError::NoAnswer("a subscription was not confirmed".to_owned())),
        }
    }

    fn pushed(&self, channel: &str, text: Option<String>) {
        if channel == self.probe_channel() {
            self.0.heard_ms.store(self.0.clock.monotonic_ms(), Ordering::Relaxed);
            self.judge(true);
        } else if let Some(text) = text
            && !self.noticed(channel, &text)
        {
            self.arrived(channel, &text);
        }
    }

    async fn keep_probing(&self) {
        loop {
            if let Err(error) = self.probe().await {
                tracing::debug!(%error, "probe of Redis not sent");
            }
            let up_ms = self.0.settings.probe_ms;
            let wait_ms = if self.way().is_up { up_ms } else { up_ms.min(PROBE_DOWN_MS) };
            sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    async fn keep_looking(&self) {
        loop {
            sleep(Duration::from_millis(LOOK_MS)).await;
            let silent_ms =
                self.0.clock.monotonic_ms().saturating_sub(self.0.heard_ms.load(Ordering::Relaxed));
            if silent_ms > self.0.settings.probe_ms * 2 {
                self.judge(false);
            }
            self.tell_missed();
        }
    }

    /// Takes note that Redis is there or not, and tells when that is new.
    fn judge(&self, is_up: bool) {
        if self.way().is_up == is_up {
            return;
        }
        let since_ms = self.0.clock.unix_ms();
        Gauge::EngineUp.set(u64::from(is_up));
        self.0.way.send_replace(Way { is_up, since_ms });
        if is_up {
            tracing::info!("Redis is back: topics in memory are the same on all nodes again");
            self.tell_all(|| Arrival::Up);
        } else {
            Counter::EngineOutages.add(1);
            tracing::warn!("Redis is gone: topics in memory are this node's own");
            self.tell_all(|| Arrival::Down);
        }
    }
}
