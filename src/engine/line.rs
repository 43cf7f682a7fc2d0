//! The one connection on which Redis pushes, and the probe of the way there and back.
//!
//! A connection that breaks, or is silent, is made again, with back-off; what was published meanwhile is read by the topics.
//! Redis counts as gone when no probe came back from one of its servers for two intervals, and as back when all do.

use std::pin::pin;
use std::time::Duration;

use bb8_redis::redis::cmd;
use tokio::time::{sleep, timeout};

use super::EngineError;
use super::carried::Arrival;
use super::carrier::{Carrier, Way, Wish};
use super::probes;
use super::pushes::{Channels, Push, Pushes};
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
                Ok((mut channels, mut pushes)) => {
                    backoff_ms = BACKOFF_MS.0;
                    self.may_have_missed();
                    let mut silence = pin!(self.silence());
                    loop {
                        tokio::select! {
                            push = pushes.next() => {
                                if !push.is_some_and(|push| self.pushed(push)) {
                                    break;
                                }
                            }
                            () = self.0.redis.cut() => break,
                            () = &mut silence => break,
                            Some(wish) = wishes.recv() => {
                                if let Err(error) = self.fulfil(&mut channels, wish).await {
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

    /// What came while nobody listened is in Redis.
    fn may_have_missed(&self) {
        self.tell_all(|| Arrival::CatchUp);
        self.notices_missed();
    }

    /// A connection that has all channels that are wanted.
    async fn connect(&self) -> Result<(Channels, Pushes), EngineError> {
        let slots: Vec<_> = self.0.redis.masters().await?.iter().map(|master| master.slots).collect();
        let (mut sink, pushes) = self.0.redis.subscriber().await?;
        self.0.probes.renew(probes::channels(&self.0.instance, &slots));
        let mut channels = self.channels();
        channels.extend(self.0.probes.channels());
        channels.extend(self.notice_channels());
        for some in channels.chunks(CHANNELS_MAX) {
            self.in_time(sink.subscribe(some)).await?;
        }
        Ok((sink, pushes))
    }

    /// Resolves when no probe has come on a line for as long as makes Redis count as gone: the line itself may be dead, and
    /// whoever cut it does not say so.
    async fn silence(&self) {
        let made_ms = self.0.clock.monotonic_ms();
        let silence_ms = self.0.settings.probe_ms * 2;
        loop {
            let heard_ms = self.0.probes.silent_since_ms().max(made_ms);
            let left_ms = (heard_ms + silence_ms).saturating_sub(self.0.clock.monotonic_ms());
            if left_ms == 0 {
                return;
            }
            sleep(Duration::from_millis(left_ms.max(LOOK_MS))).await;
        }
    }

    async fn fulfil(&self, channels: &mut Channels, wish: Wish) -> Result<(), EngineError> {
        if wish.follow {
            self.in_time(channels.subscribe(std::slice::from_ref(&wish.channel))).await?;
            // Who asked may not wait any more.
            _ = wish.done.send(());
        } else if !self.channels().contains(&wish.channel) {
            self.in_time(channels.unsubscribe(&wish.channel)).await?;
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

    /// Whether the line is still good after that.
    fn pushed(&self, push: Push) -> bool {
        match push {
            Push::Message { channel, text } => self.came(&channel, text.as_deref()),
            Push::Missed => self.may_have_missed(),
            // Where its slot is now, the next line finds.
            Push::Left(channel) => return !self.wants(&channel),
        }
        true
    }

    fn came(&self, channel: &str, text: Option<&str>) {
        let now_ms = self.0.clock.monotonic_ms();
        if self.0.probes.heard(channel, now_ms) {
            self.judge(!self.is_silent());
        } else if let Some(text) = text
            && !self.noticed(channel, text)
        {
            self.arrived(channel, text);
        }
    }

    fn wants(&self, channel: &String) -> bool {
        [self.channels(), self.0.probes.channels(), self.notice_channels()].concat().contains(channel)
    }

    fn is_silent(&self) -> bool {
        let silent_ms = self.0.clock.monotonic_ms().saturating_sub(self.0.probes.silent_since_ms());
        silent_ms > self.0.settings.probe_ms * 2
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
            if self.is_silent() {
                self.judge(false);
            }
            self.tell_missed();
        }
    }

    /// Sends a probe on its way through each server.
    async fn probe(&self) -> Result<(), EngineError> {
        let probe = |channel| {
            let mut probe = cmd(self.0.redis.publishing());
            probe.arg(channel).arg(1);
            probe
        };
        let probes: Vec<_> = self.0.probes.channels().into_iter().map(probe).collect();
        self.0.redis.ask_each::<()>(&probes).await.map(drop)
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
