//! Connections to one Redis (or Valkey): a pool for questions, and lines of their own for what is pushed.
//!
//! A question has a deadline. A connection that did not answer is not used again.

use std::time::Duration;

use bb8_redis::bb8::{ManageConnection, Pool, PooledConnection, RunError};
use bb8_redis::redis::aio::{MultiplexedConnection, PubSub};
use bb8_redis::redis::{
    AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, Script, ScriptInvocation,
};
use tokio::time::timeout;

use super::EngineError;
use crate::config::EngineSection;

/// Questions to Redis. Cheap to clone; clones share the pool.
#[derive(Debug, Clone)]
pub struct Redis {
    pool: Pool<Lines>,
    client: Client,
    call: Duration,
}

impl Redis {
    /// Questions to the Redis of that URL. Connects when it is first asked.
    ///
    /// # Errors
    ///
    /// [`EngineError::Url`] when the text is no URL of Redis.
    pub fn new(url: &str, settings: &EngineSection) -> Result<Self, EngineError> {
        let client = Client::open(url).map_err(|error| EngineError::Url(error.to_string()))?;
        let call = Duration::from_millis(settings.call_ms_max);
        let pool = Pool::builder()
            .max_size(settings.connections_max)
            .connection_timeout(call)
            .test_on_check_out(false)
            .build_unchecked(Lines { client: client.clone(), call });
        Ok(Self { pool, client, call })
    }

    /// Asks with a script: one round trip, and a second one the first time.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, EngineError> {
        let mut line = self.line().await?;
        let answer = timeout(self.call, script.invoke_async(&mut line.connection)).await;
        line.judge(answer.map_err(|_elapsed| self.late()))
    }

    /// Asks with several commands in one round trip.
    pub async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, EngineError> {
        let mut line = self.line().await?;
        let answer = timeout(self.call, commands.query_async(&mut line.connection)).await;
        line.judge(answer.map_err(|_elapsed| self.late()))
    }

    /// Makes Redis know a script, so that [`Redis::run`] takes one round trip.
    pub async fn load(&self, script: &Script) -> Result<(), EngineError> {
        let mut line = self.line().await?;
        let answer = timeout(self.call, script.load_async(&mut line.connection)).await;
        line.judge(answer.map_err(|_elapsed| self.late())).map(drop)
    }

    /// A connection of its own on which Redis pushes what is published.
    pub async fn subscriber(&self) -> Result<PubSub, EngineError> {
        match timeout(self.call, self.client.get_async_pubsub()).await {
            Ok(connected) => connected.map_err(|error| EngineError::Unreachable(error.to_string())),
            Err(_elapsed) => Err(EngineError::Unreachable(self.late_text())),
        }
    }

    async fn line(&self) -> Result<PooledConnection<'_, Lines>, EngineError> {
        self.pool.get().await.map_err(|error| {
            EngineError::Unreachable(match error {
                RunError::User(error) => error.to_string(),
                RunError::TimedOut => "no connection became free in time".to_owned(),
            })
        })
    }

    fn late(&self) -> EngineError {
        EngineError::NoAnswer(self.late_text())
    }

    fn late_text(&self) -> String {
        format!("nothing came within {} ms", self.call.as_millis())
    }
}

/// Makes the connections of the pool.
#[derive(Debug)]
struct Lines {
    client: Client,
    call: Duration,
}

/// A connection, and whether it is still good.
struct Line {
    connection: MultiplexedConnection,
    is_broken: bool,
}

impl Line {
    fn judge<T>(&mut self, answer: Result<Result<T, RedisError>, EngineError>) -> Result<T, EngineError> {
        let answer = answer.and_then(|answer| answer.map_err(|error| EngineError::of_command(&error)));
        self.is_broken |= answer.as_ref().is_err_and(EngineError::is_outage);
        answer
    }
}

impl ManageConnection for Lines {
    type Connection = Line;
    type Error = RedisError;

    async fn connect(&self) -> Result<Line, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.call))
            .set_response_timeout(Some(self.call));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Line { connection, is_broken: false })
    }

    async fn is_valid(&self, _line: &mut Line) -> Result<(), RedisError> {
        Ok(())
    }

    fn has_broken(&self, line: &mut Line) -> bool {
        line.is_broken
    }
}

#[cfg(test)]
mod tests {
    use bb8_redis::redis::pipe;
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

    #[test]
    fn what_is_no_url_is_refused_with_the_flag() {
        let error = Redis::new("http://127.0.0.1", &EngineSection::default()).unwrap_err();
        assert!(error.to_string().starts_with("--redis-url: "), "{error}");
    }
}
