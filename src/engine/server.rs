//! What a URL of Redis names: one server, or the first servers of a Redis Cluster to ask.

use std::time::Duration;

use bb8_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use bb8_redis::redis::cluster::{ClusterClient, ClusterClientBuilder};
use bb8_redis::redis::cluster_async::ClusterConnection;
use bb8_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, RedisFuture, RedisResult, Value,
};

use super::EngineError;

/// Begins the URL of a cluster; behind it follow servers, parted by commas.
const CLUSTER_SCHEME: &str = "redis+cluster://";

/// Tries of a command whose slot is being moved, or whose server has just gone.
const RETRIES: u32 = 3;

/// One server, or a cluster of them. Connects to none by itself.
#[derive(Debug, Clone)]
pub(super) enum Server {
    One(Client),
    Cluster {
        client: Box<ClusterClient>,
        /// What stands before the `@`, with it.
        user: String,
    },
}

impl Server {
    /// The server or the cluster of a URL; `call` bounds connecting and each answer.
    ///
    /// # Errors
    ///
    /// [`EngineError::Url`] when the text is no URL of Redis.
    pub(super) fn parse(url: &str, call: Duration) -> Result<Self, EngineError> {
        let wrong = |error: bb8_redis::redis::RedisError| EngineError::Url(error.to_string());
        let Some(servers) = url.strip_prefix(CLUSTER_SCHEME) else {
            return Client::open(url).map(Self::One).map_err(wrong);
        };
        let (user, servers) = servers.rsplit_once('@').map_or(("", servers), |(user, rest)| (user, rest));
        let at = if user.is_empty() { "" } else { "@" };
        let urls =
            servers.trim_end_matches('/').split(',').map(|server| format!("redis://{user}{at}{server}"));
        let client = ClusterClientBuilder::new(urls)
            // Only it pushes on a connection that also answers.
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(call)
            .response_timeout(call)
            .retries(RETRIES)
            .build()
            .map_err(wrong)?;
        Ok(Self::Cluster { client: Box::new(client), user: user.to_owned() })
    }

    /// A server of a cluster by itself.
    pub(super) fn one(&self, address: &str) -> Result<Self, EngineError> {
        let user = match self {
            Self::One(_) => "",
            Self::Cluster { user, .. } => user,
        };
        let client = Client::open(format!("redis://{user}{address}"));
        client.map(Self::One).map_err(|error| EngineError::Url(error.to_string()))
    }

    /// Connects for questions.
    pub(super) async fn connect(&self, call: Duration) -> RedisResult<Connection> {
        match self {
            Self::One(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(call))
                    .set_response_timeout(Some(call));
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
            }
            Self::Cluster { client, .. } => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

/// A connection for questions; to a cluster it is one to each of its servers.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_one_server_or_a_cluster() {
        let parse = |url: &str| Server::parse(url, Duration::from_secs(1));
        assert!(matches!(parse("redis://127.0.0.1:6379/0"), Ok(Server::One(_))));
        for url in
            ["redis+cluster://a:7000", "redis+cluster://a:7000,b:7001/", "redis+cluster://me:secret@a:7000,b"]
        {
            assert!(matches!(parse(url), Ok(Server::Cluster { .. })), "{url}");
        }
        for url in ["redis+cluster://", "redis+cluster://a:x", "http://a", "redis+cluster://a:7000,,"] {
            assert!(matches!(parse(url), Err(EngineError::Url(_))), "{url}");
        }
    }
}
