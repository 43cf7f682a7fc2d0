//! A connection on which Redis pushes what is published: channels of one server, or sharded channels of a cluster, each at the
//! server that has its slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bb8_redis::redis::aio::{PubSubSink, PubSubStream};
use bb8_redis::redis::cluster::ClusterConfig;
use bb8_redis::redis::cluster_async::ClusterConnection;
use bb8_redis::redis::{FromRedisValue, PushInfo, PushKind, RedisResult, Value};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::server::Server;

/// Pushes of a cluster that wait to be taken; of further ones it is known only that they came.
const PUSHES_MAX: usize = 8_192;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// A message; `None` when it is no text.
    Message { channel: String, text: Option<String> },
    /// A server does not push a channel any more: it was told so, or the slot went to another server.
    Left(String),
    /// Some were not taken in time.
    Missed,
}

/// Asks for channels.
pub(super) enum Channels {
    One(PubSubSink),
    Cluster(ClusterConnection),
}

/// What comes on them.
pub(super) enum Pushes {
    One(PubSubStream),
    Cluster { came: mpsc::Receiver<PushInfo>, missed: Arc<AtomicBool> },
}

/// Connects.
pub(super) async fn connect(server: &Server) -> RedisResult<(Channels, Pushes)> {
    match server {
        Server::One(client) => {
            let (sink, stream) = client.get_async_pubsub().await?.split();
            Ok((Channels::One(sink), Pushes::One(stream)))
        }
        Server::Cluster { client, .. } => {
            let (put, came) = mpsc::channel(PUSHES_MAX);
            let missed = Arc::new(AtomicBool::new(false));
            let is_missed = missed.clone();
            let config =
                ClusterConfig::new().set_push_sender(move |push: PushInfo| match put.try_send(push) {
                    Err(TrySendError::Full(_)) => {
                        is_missed.store(true, Ordering::Release);
                        Ok(())
                    }
                    sent => sent,
                });
            let connection = client.get_async_connection_with_config(config).await?;
            Ok((Channels::Cluster(connection), Pushes::Cluster { came, missed }))
        }
    }
}

impl Channels {
    /// Returns when all of them are pushed.
    pub(super) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(sink) => sink.subscribe(channels).await,
            // Each may have another slot.
            Self::Cluster(connection) => {
                let asked = channels.iter().map(|channel| {
                    let mut connection = connection.clone();
                    async move { connection.ssubscribe(channel).await }
                });
                try_join_all(asked).await.map(drop)
            }
        }
    }

    pub(super) async fn unsubscribe(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Self::One(sink) => sink.unsubscribe(channel).await,
            Self::Cluster(connection) => connection.sunsubscribe(channel).await,
        }
    }
}

impl Pushes {
    /// The next push; `None` when the connection is broken, or one of those to a cluster.
    pub(super) async fn next(&mut self) -> Option<Push> {
        match self {
            Self::One(stream) => {
                let message = stream.next().await?;
                let channel = message.get_channel_name().to_owned();
                Some(Push::Message { channel, text: message.get_payload().ok() })
            }
            Self::Cluster { came, missed } => loop {
                if missed.swap(false, Ordering::AcqRel) {
                    return Some(Push::Missed);
                }
                let PushInfo { kind, data } = came.recv().await?;
                match (kind, &data[..]) {
                    (PushKind::Disconnection, _) => return None,
                    (PushKind::SMessage, [channel, message]) => {
                        return Some(Push::Message { channel: text(channel)?, text: text(message) });
                    }
                    (PushKind::SUnsubscribe, [channel, ..]) => return Some(Push::Left(text(channel)?)),
                    _ => {}
                }
            },
        }
    }
}

fn text(value: &Value) -> Option<String> {
    String::from_redis_value_ref(value).ok()
}
