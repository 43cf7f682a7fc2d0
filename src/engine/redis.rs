//! Questions to a Redis (or Valkey), one server or a cluster, over a pool of connections.
//!
//! A question has a deadline. A connection that did not answer is not used again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bb8_redis::bb8::{ManageConnection, Pool, PooledConnection};
use bb8_redis::redis::{Cmd, FromRedisValue, Pipeline, RedisError, Script, ScriptInvocation, cmd, pipe};
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::EngineError;
use super::advice::ServerSettings;
use super::masters::{Master, masters};
use super::pushes::{self, Channels, Pushes};
use super::server::{Connection, Server};
use crate::config::EngineSection;
use crate::fault::{Faults, RedisFault};
use crate::telemetry::Counter;

/// Time between two looks whether the way is to fail on purpose, in milliseconds.
const FAULT_LOOK_MS: u64 = 50;

/// Questions to Redis. Cheap to clone; clones share the pool.
#[derive(Debug, Clone)]
pub struct Redis {
    pool: Pool<Lines>,
    pool_size: u32,
    server: Server,
    call: Duration,
    /// What is to go wrong with it on purpose.
    faults: Option<Arc<Faults>>,
}

impl Redis {
    /// Questions to the Redis of that URL: `redis://HOST:PORT/DATABASE`, or `redis+cluster://HOST:PORT,HOST:PORT` for a
    /// cluster. Connects when it is first asked.
    ///
    /// # Errors
    ///
    /// [`EngineError::Url`] when the text is no URL of Redis.
    pub fn new(url: &str, settings: &EngineSection) -> Result<Self, EngineError> {
        let call = Duration::from_millis(settings.call_ms_max);
        let server = Server::parse(url, call)?;
        let pool_size = settings.connections_max;
        Ok(Self { pool: pool(pool_size, call), pool_size, server, call, faults: None })
    }

    /// The same, which fails when it is to.
    pub fn with_faults(self, faults: Option<Arc<Faults>>) -> Self {
        Self { faults, ..self }
    }

    /// Fails as the way to Redis is to fail on purpose.
    async fn suffer(&self) -> Result<(), EngineError> {
        match self.faults.as_ref().map(|faults| faults.redis()).unwrap_or_default() {
            RedisFault::None => Ok(()),
            RedisFault::Gone => {
                Counter::FaultsInjected.add_for("redis_gone", 1);
                Err(EngineError::Unreachable("fault scenario redis_gone".to_owned()))
            }
            RedisFault::Silent => {
                Counter::FaultsInjected.add_for("partition", 1);
                sleep(self.call).await;
                Err(EngineError::NoAnswer(self.late()))
            }
        }
    }

    /// Resolves when nothing comes from Redis on purpose.
    pub(super) async fn cut(&self) {
        let Some(faults) = &self.faults else { return std::future::pending().await };
        while faults.redis() == RedisFault::None {
            sleep(Duration::from_millis(FAULT_LOOK_MS)).await;
        }
    }

    /// Asks with a script: one round trip, and a second one the first time.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, EngineError> {
        self.on_a_line(async |connection| script.invoke_async(connection).await).await
    }

    /// Asks with several commands in one round trip. In a cluster, their keys and channels have one slot.
    pub async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, EngineError> {
        self.on_a_line(async |connection| commands.query_async(connection).await).await
    }

    /// Asks with several commands whose keys may have any slot: one round trip to one server, or one each to a cluster.
    pub async fn ask_each<T: FromRedisValue>(&self, commands: &[Cmd]) -> Result<Vec<T>, EngineError> {
        self.on_a_line(async |connection| match connection {
            Connection::One(one) => {
                let mut together = pipe();
                for command in commands {
                    together.add_command(command.clone());
                }
                together.query_async(one).await
            }
            Connection::Cluster(_) => {
                let asked = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { command.query_async(&mut connection).await }
                });
                try_join_all(asked).await
            }
        })
        .await
    }

    /// The command that publishes to a channel: in a cluster, at the server that has its slot.
    pub fn publishing(&self) -> &'static str {
        match self.server {
            Server::One(_) => "PUBLISH",
            Server::Cluster { .. } => "SPUBLISH",
        }
    }

    /// The servers of a cluster that have slots; none when it is no cluster.
    pub(super) async fn masters(&self) -> Result<Vec<Master>, EngineError> {
        if matches!(self.server, Server::One(_)) {
            return Ok(Vec::new());
        }
        let mut asked = cmd("CLUSTER");
        asked.arg("SLOTS");
        let ranges: Vec<_> = self.on_a_line(async |connection| asked.query_async(connection).await).await?;
        Ok(masters(&ranges))
    }

    /// Each of its servers by itself: those of a cluster with their addresses.
    pub async fn servers(&self) -> Result<Vec<(Option<String>, Self)>, EngineError> {
        let mut servers = Vec::new();
        for Master { address, .. } in self.masters().await? {
            let one = Self {
                pool: pool(self.pool_size, self.call),
                server: self.server.one(&address)?,
                ..self.clone()
            };
            servers.push((Some(address), one));
        }
        if servers.is_empty() {
            servers.push((None, self.clone()));
        }
        Ok(servers)
    }

    /// Makes Redis know a script, so that [`Redis::run`] takes one round trip.
    pub async fn load(&self, script: &Script) -> Result<(), EngineError> {
        self.on_a_line(async |connection| script.load_async(connection).await).await.map(drop)
    }

    /// Settings and version of a server, by name. A service that hides its settings tells only the version.
    pub async fn settings(&self) -> Result<ServerSettings, EngineError> {
        let info: (String,) = self.ask(pipe().cmd("INFO").arg("server")).await?;
        let told: Result<(ServerSettings,), _> = self.ask(pipe().cmd("CONFIG").arg("GET").arg("*")).await;
        let mut settings = match told {
            Ok((settings,)) => settings,
            Err(EngineError::Refused(_)) => ServerSettings::new(),
            Err(error) => return Err(error),
        };
        let version = info.0.lines().find_map(|line| line.strip_prefix("redis_version:"));
        settings.extend(version.map(|version| ("redis_version".to_owned(), version.to_owned())));
        Ok(settings)
    }

    /// A connection of its own on which Redis pushes what is published.
    pub(super) async fn subscriber(&self) -> Result<(Channels, Pushes), EngineError> {
        self.suffer().await?;
        match timeout(self.call, pushes::connect(&self.server)).await {
            Ok(connected) => connected.map_err(|error| EngineError::Unreachable(error.to_string())),
            Err(_elapsed) => Err(EngineError::Unreachable(self.late())),
        }
    }

    async fn on_a_line<T>(
        &self,
        ask: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, EngineError> {
        self.suffer().await?;
        let mut line = self.line().await?;
        let Some(connection) = &mut line.connection else {
            return Err(EngineError::Unreachable(self.late()));
        };
        let answer = match timeout(self.call, ask(connection)).await {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_elapsed) => Err(EngineError::NoAnswer(self.late())),
        };
        if answer.as_ref().is_err_and(EngineError::is_outage) {
            line.connection = None;
        }
        answer
    }

    /// A place of the pool with a connection. Whoever waits is told why there is none: the pool itself would only tell
    /// that time ran out.
    async fn line(&self) -> Result<PooledConnection<'_, Lines>, EngineError> {
        let free = self.pool.get().await;
        let mut line =
            free.map_err(|_elapsed| EngineError::Unreachable("all connections are in use".to_owned()))?;
        if line.connection.is_none() {
            let connected = timeout(self.call, self.server.connect(self.call)).await;
            let connected = connected.map_err(|_elapsed| EngineError::Unreachable(self.late()))?;
            let connection = connected.map_err(|error| EngineError::Unreachable(error.to_string()))?;
            line.connection = Some(connection);
        }
        Ok(line)
    }

    fn failed(&self, error: &RedisError) -> EngineError {
        // One server says this of a cluster that the URL does not name; a cluster of slots that are on their way.
        if matches!(self.server, Server::Cluster { .. }) && error.is_cluster_error() {
            return EngineError::Unreachable(error.to_string());
        }
        EngineError::of_command(error)
    }

    fn late(&self) -> String {
        format!("nothing came within {} ms", self.call.as_millis())
    }
}

fn pool(size: u32, call: Duration) -> Pool<Lines> {
    Pool::builder().max_size(size).connection_timeout(call).test_on_check_out(false).build_unchecked(Lines)
}

/// Makes the places of the pool; each connects when it is first used, and again after it broke.
#[derive(Debug)]
struct Lines;

/// A place of the pool.
#[derive(Default)]
struct Line {
    connection: Option<Connection>,
}

impl ManageConnection for Lines {
    type Connection = Line;
    type Error = Infallible;

    async fn connect(&self) -> Result<Line, Infallible> {
        Ok(Line::default())
    }

    async fn is_valid(&self, _line: &mut Line) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _line: &mut Line) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use bb8_redis::redis::ServerErrorKind;
    use infrawatch_servers::{Proxy, Way};

    use super::*;

    fn of(url: &str) -> Redis {
        Redis::new(url, &EngineSection { call_ms_max: 500, ..EngineSection::default() }).unwrap()
    }

    #[tokio::test]
    async fn a_redis_that_is_killed_is_asked_again_without_a_restart() {
        let mut server = infrawatch_servers::Redis::start();
        let redis = of(&server.url());
        let double = Script::new("return ARGV[1] * 2");
        assert_eq!(redis.run::<i64>(&double.arg(21)).await.unwrap(), 42);
        server.kill();
        assert!(redis.run::<i64>(&double.arg(21)).await.unwrap_err().is_outage());
        assert!(matches!(redis.ask::<()>(pipe().cmd("PING")).await, Err(EngineError::Unreachable(_))));
        server.resume();
        assert_eq!(redis.run::<i64>(&double.arg(4)).await.unwrap(), 8, "the script is loaded again");
    }

    #[tokio::test]
    async fn a_question_has_a_deadline_and_a_refusal_is_no_outage() {
        let server = infrawatch_servers::Redis::start();
        let proxy = Proxy::before(server.port());
        let redis = of(&format!("redis://127.0.0.1:{}", proxy.port()));
        let refused = redis.ask::<()>(pipe().cmd("NONSENSE")).await.unwrap_err();
        assert!(matches!(&refused, EngineError::Refused(reason) if reason.contains("NONSENSE")), "{refused}");
        proxy.set(Way::Stall);
        let late = redis.ask::<()>(pipe().cmd("PING")).await.unwrap_err();
        assert!(matches!(late, EngineError::NoAnswer(_)), "{late}");
        proxy.set(Way::Pass);
        redis.ask::<()>(pipe().cmd("PING")).await.unwrap();
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_an_outage_and_asked_again() {
        let (one, cluster) = (of("redis://127.0.0.1"), of("redis+cluster://127.0.0.1"));
        let is_outage = |redis: &Redis, kind| redis.failed(&RedisError::from((kind, "a word"))).is_outage();
        for kind in [ServerErrorKind::BusyLoading, ServerErrorKind::ClusterDown, ServerErrorKind::ReadOnly] {
            assert!(is_outage(&one, kind.into()) && is_outage(&cluster, kind.into()), "{kind:?}");
        }
        for kind in [ServerErrorKind::Moved, ServerErrorKind::Ask, ServerErrorKind::TryAgain] {
            assert!(is_outage(&cluster, kind.into()), "{kind:?}");
        }
        let moved = one.failed(&RedisError::from((ServerErrorKind::Moved.into(), "a word")));
        assert!(matches!(moved, EngineError::Refused(_)), "the URL names one server of a cluster: {moved}");
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_flag() {
        let error = Redis::new("http://127.0.0.1", &EngineSection::default()).unwrap_err();
        assert!(error.to_string().starts_with("--redis-url: "), "{error}");
    }
}
