//! The agent at work: one loop that samples, connects, sends and listens, until it is told to stop.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{error, info, warn};

use super::frames::PayloadWriter;
use super::link::{Link, LinkSettings, Outbox};
use super::reconnect::{Ending, Reconnect, Verdict};
use super::settings::Target;
use super::socket::{Connect, Heard, Socket, Tcp, upgrade};
use super::{AgentError, AgentSettings, Inventory, Sampler, Snapshot};
use crate::clock::Clock;
use crate::spool::{Spool, WhenFull};

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where samples come from: the machine, or a test.
pub(super) trait Source {
    fn sample(&mut self) -> Snapshot;
    fn inventory(&self) -> Arc<Inventory>;
}

impl Source for Sampler {
    fn sample(&mut self) -> Snapshot {
        Self::sample(self)
    }

    fn inventory(&self) -> Arc<Inventory> {
        Self::inventory(self)
    }
}

/// Runs an agent until `shutdown` resolves, or until the hub wants it no more (an error that says why).
///
/// Samples this machine every `interval_ms`, streams to the hub, spools what the hub does not acknowledge,
/// reconnects for ever. On shutdown everything unacknowledged is in the spool and the socket is closed with 1000.
/// Sampling and spooling block for about a millisecond: a current-thread runtime is enough.
///
/// # Errors
/// [`AgentError`]: settings that cannot work, a spool that cannot be opened, a final close of the hub.
pub async fn run(settings: AgentSettings, shutdown: impl Future<Output = ()>) -> Result<(), AgentError> {
    let clock = Clock::system();
    let sampler = Sampler::new(clock.clone());
    Agent::new(&settings, sampler, Tcp, clock, rand::random)?.run(shutdown).await
}

pub(super) struct Agent<S, C: Connect> {
    target: Target,
    source: S,
    connect: C,
    clock: Clock,
    random: fn() -> f64,
    writer: PayloadWriter,
    link: Link,
    reconnect: Reconnect,
    interval: Duration,
    started: Instant,
    phase: Phase<C::Stream>,
}

type Opening<S> = Pin<Box<dyn Future<Output = Result<Box<Socket<S>>, Ending>>>>;

enum Phase<S> {
    Waiting(Instant),
    Opening(Opening<S>),
    Open(Box<Socket<S>>),
}

enum Step<S> {
    Retry,
    Opened(Result<Box<Socket<S>>, Ending>),
    Heard(Result<Heard, Ending>),
}

impl<S> Phase<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    /// Waits for what moves this phase on. Can be dropped and called again.
    async fn next(&mut self) -> Step<S> {
        match self {
            Self::Waiting(until) => {
                sleep_until(*until).await;
                Step::Retry
            }
            Self::Opening(opening) => Step::Opened(opening.await),
            Self::Open(socket) => Step::Heard(socket.next().await),
        }
    }
}

impl<S: Source, C: Connect> Agent<S, C> {
    pub(super) fn new(
        settings: &AgentSettings,
        source: S,
        connect: C,
        clock: Clock,
        random: fn() -> f64,
    ) -> Result<Self, AgentError> {
        settings.check()?;
        let target = settings.target()?;
        let spool = Spool::open(
            &settings.spool_dir.join(target.node.as_str()),
            settings.spool_bytes_max,
            WhenFull::DropOldest,
        )?;
        let link_settings = LinkSettings {
            labels: settings.labels.clone(),
            interval_ms: settings.interval_ms,
            replay_hz: settings.replay_hz,
        };
        let started = Instant::now();
        Ok(Self {
            writer: PayloadWriter::new(&target.node),
            link: Link::new(link_settings, spool),
            reconnect: Reconnect::default(),
            interval: Duration::from_millis(settings.interval_ms),
            started,
            phase: Phase::Waiting(started),
            target,
            source,
            connect,
            clock,
            random,
        })
    }

    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), AgentError> {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        info!(node = %self.target.node, hub = %self.target.uri, spooled_bytes = self.link.spool().bytes(), "the agent starts");
        loop {
            let now_ms = self.now_ms();
            let deadline = self.link.deadline_ms(now_ms).map(|ms| self.started + Duration::from_millis(ms));
            let stopped = tokio::select! {
                biased;
                () = &mut shutdown => break,
                _ = ticks.tick() => { self.sample(); Ok(()) }
                step = self.phase.next() => self.step(step),
                () = sleep_until(deadline.unwrap_or(self.started)), if deadline.is_some() => Ok(()),
            };
            if let Err(error) = stopped.and_then(|()| self.work()) {
                self.finish().await;
                return Err(error);
            }
        }
        self.finish().await;
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn sample(&mut self) {
        let snapshot = self.source.sample();
        let payloads = self.writer.write(&snapshot);
        let now_ms = self.now_ms();
        let mut unused = Outbox::new();
        let outbox = match &mut self.phase {
            Phase::Open(socket) => &mut socket.outbox,
            Phase::Waiting(_) | Phase::Opening(_) => &mut unused,
        };
        self.link.offer(now_ms, payloads, &self.source.inventory(), outbox);
    }

    fn step(&mut self, step: Step<C::Stream>) -> Result<(), AgentError> {
        match step {
            Step::Retry => self.open(),
            Step::Opened(Ok(socket)) => {
                self.link.opened(self.now_ms());
                self.phase = Phase::Open(socket);
            }
            Step::Heard(Ok(heard)) => self.heard(&heard),
            Step::Opened(Err(ending)) | Step::Heard(Err(ending)) => return self.ended(&ending),
        }
        Ok(())
    }

    fn open(&mut self) {
        let target = self.target.clone();
        let connecting = self.connect.clone().connect(target.host.clone(), target.port);
        let opening = async move {
            let socket = upgrade(connecting.await.map_err(Ending::Network)?, target).await?;
            Ok(Box::new(Socket::new(socket)))
        };
        self.phase = Phase::Opening(Box::pin(async move {
            timeout(OPEN_TIMEOUT, opening).await.unwrap_or(Err(Ending::NoAnswer))
        }));
    }

    fn heard(&mut self, heard: &Heard) {
        let now_ms = self.now_ms();
        self.link.heard(now_ms);
        if let Heard::Text(text) = heard {
            let before = self.link.is_connected();
            self.link.received(now_ms, text);
            if self.link.is_connected() && !before {
                info!(hub = %self.target.uri, spooled_bytes = self.link.spool().bytes(), "connected");
            }
        }
    }

    /// What is due by now: giving up a dead connection, replaying.
    fn work(&mut self) -> Result<(), AgentError> {
        let now_ms = self.now_ms();
        if let Some(ending) = self.link.overdue(now_ms) {
            return self.ended(&ending);
        }
        if let Phase::Open(socket) = &mut self.phase {
            self.link.replay(now_ms, &mut socket.outbox);
        }
        Ok(())
    }

    fn ended(&mut self, ending: &Ending) -> Result<(), AgentError> {
        let (lived_ms, hint_ms) = self.link.ended(self.now_ms());
        match self.reconnect.verdict(ending, lived_ms, hint_ms, (self.random)()) {
            Verdict::Stop(error) => {
                self.phase = Phase::Waiting(Instant::now());
                Err(error)
            }
            Verdict::RetryAfterMs(retry_after_ms) => {
                self.phase = Phase::Waiting(Instant::now() + Duration::from_millis(retry_after_ms));
                self.report(ending, retry_after_ms);
                Ok(())
            }
        }
    }

    fn report(&self, ending: &Ending, retry_after_ms: u64) {
        let hub = &self.target.uri;
        match ending {
            Ending::Refused { status: 401 | 403, .. } | Ending::Closed { code: 4009, .. } => {
                let expired = self.target.token_expires_unix_ms.is_some_and(|at| at <= self.clock.unix_ms());
                let advice = match expired {
                    true => "the token has run out: make a new one with `infrawatch token --role agent`",
                    false => {
                        "the token is not valid there: it must be made by this hub, for role agent and this node"
                    }
                };
                error!(%hub, %ending, advice, retry_after_ms, "the hub does not let this agent in");
            }
            _ => {
                let spooled_bytes = self.link.spool().bytes();
                warn!(%hub, %ending, retry_after_ms, spooled_bytes, "no connection; samples are spooled");
            }
        }
    }

    async fn finish(self) {
        match self.link.close() {
            Ok(counts) => info!(?counts, "the agent stops"),
            Err(error) => error!(%error, "the spool could not be closed"),
        }
        if let Phase::Open(socket) = self.phase
            && timeout(CLOSE_TIMEOUT, socket.close()).await.is_err()
        {
            warn!("the hub did not answer the goodbye");
        }
    }
}
