//! People and machines of a hub of several nodes: whoever asks, at whichever node, gets the same answer.

mod nodes;
mod rooms;
mod tokens;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use infrawatch::config::WebhookEvent;
use infrawatch_servers::{Postgres, Redis};
use serde_json::Value;
use tempfile::TempDir;

use crate::hub::{Client, Hub};
use crate::webhooks::Receiver;

/// How long the members of a hub node that is not heard are believed, in milliseconds.
const PRESENCE_TTL_MS: u64 = 3_000;

/// What hub nodes share.
struct Cluster {
    redis: Redis,
    postgres: Postgres,
    directory: TempDir,
}

impl Cluster {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cluster = Self { redis: Redis::start(), postgres: Postgres::start(), directory };
        fs::write(cluster.key(), [42; 32]).unwrap();
        fs::set_permissions(cluster.key(), fs::Permissions::from_mode(0o440)).unwrap();
        cluster
    }

    /// The key that all nodes sign tokens with.
    fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    fn node(&self, name: &str, receiver: Option<&Receiver>) -> Hub {
        self.node_at(&self.redis.url(), PRESENCE_TTL_MS, name, receiver)
    }

    /// One that comes to Redis by that way, and whose members are believed for so long.
    fn node_at(&self, redis: &str, ttl_ms: u64, name: &str, receiver: Option<&Receiver>) -> Hub {
        let (postgres, key) = (self.postgres.url(), self.key().display().to_string());
        let arguments =
            ["--redis-url", redis, "--postgres-url", &postgres, "--limits", "off", "--signing-key", &key];
        Hub::with_arguments(&arguments, |settings| {
            settings.engine.probe_ms = 500;
            settings.engine.call_ms_max = 500;
            settings.room.presence_ttl_ms = ttl_ms;
            settings.room.grace_ms = 200;
            settings.ingest.node_ttl_ms = 8_000;
            settings.sampler.node = name.to_owned();
            let events = [WebhookEvent::RoomOccupied, WebhookEvent::RoomVacated];
            settings.webhook = receiver.map(|receiver| receiver.section(&events)).into_iter().collect();
        })
    }

    async fn client(&self, hub: &Hub, client_id: &str) -> Client {
        Client::open(hub, client_id, &self.token(hub, &["--role", "admin"])).await
    }

    /// A token that all nodes take.
    fn token(&self, hub: &Hub, arguments: &[&str]) -> String {
        let key = self.key().display().to_string();
        hub.token_with(&[arguments, &["--signing-key", &key]].concat())
    }
}

async fn get(hub: &Hub, path: &str, token: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", hub.address);
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap())
}
