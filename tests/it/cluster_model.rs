//! Delivery over three hub nodes against a naive model: nodes are killed, stopped and cut off from Redis at random, and
//! what clients see is one list a topic.
//!
//! The model is a map from a place (topic, epoch, offset) to the message there. Whoever hears or is answered a place
//! must find the same message; a reader's offsets go on one by one, also over its moves from node to node; what was
//! acknowledged in a topic of the store is seen by everybody.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use infrawatch_servers::{Postgres, Proxy, Redis, Way};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use serde_json::json;

use crate::hub::{Client, Hub, until};

/// Kept in the store; kept in memory.
const TOPICS: [&str; 2] = ["deployments", "orders:eu"];
const NODES: usize = 3;
const READERS: usize = 4;
const STEPS: usize = 60;

type Place = (String, u64);

struct Node {
    hub: Hub,
    line: Proxy,
    is_up: bool,
    writer: Option<Client>,
}

struct Reader {
    name: String,
    client: Option<Client>,
    at: HashMap<&'static str, Place>,
    seen: HashSet<u64>,
    moves: usize,
}

struct Cluster {
    nodes: Vec<Node>,
    readers: Vec<Reader>,
    truth: HashMap<(&'static str, Place), u64>,
    /// Numbers that were acknowledged in the topic that the store keeps.
    kept: HashSet<u64>,
    published: u64,
    rng: StdRng,
    _servers: (Redis, Postgres),
}

impl Cluster {
    async fn start(seed: u64) -> Self {
        let servers = (Redis::start(), Postgres::start());
        let node = || {
            let line = Proxy::before(servers.0.port());
            let redis = format!("redis://127.0.0.1:{}", line.port());
            let arguments = ["--redis-url", &redis, "--postgres-url", &servers.1.url(), "--limits", "off"];
            let hub = Hub::with_arguments(&arguments, |settings| {
                settings.engine.probe_ms = 300;
                settings.engine.call_ms_max = 300;
            });
            Node { hub, line, is_up: true, writer: None }
        };
        let nodes = (0..NODES).map(|_| node()).collect();
        let reader = |n| Reader {
            name: format!("reader-{n}"),
            client: None,
            at: HashMap::new(),
            seen: HashSet::new(),
            moves: 0,
        };
        let mut cluster = Self {
            nodes,
            readers: (0..READERS).map(reader).collect(),
            truth: HashMap::new(),
            kept: HashSet::new(),
            published: 0,
            rng: StdRng::seed_from_u64(seed),
            _servers: servers,
        };
        for reader in 0..READERS {
            cluster.go(reader, reader % NODES).await;
        }
        cluster
    }

    fn up(&self) -> Vec<usize> {
        (0..NODES).filter(|node| self.nodes[*node].is_up).collect()
    }

    fn any_up(&mut self) -> usize {
        let up = self.up();
        up[self.rng.random_range(0..up.len())]
    }

    /// What stands at a place is the same for everybody.
    fn agree(&mut self, topic: &'static str, place: &Place, number: u64) {
        let known = *self.truth.entry((topic, place.clone())).or_insert(number);
        assert_eq!(known, number, "{topic} {place:?} is two messages");
    }

    /// The reader goes to a node, and on where it was.
    async fn go(&mut self, reader: usize, node: usize) {
        let Reader { name, at, moves, .. } = &mut self.readers[reader];
        *moves += 1;
        let hub = &self.nodes[node].hub;
        // A name of its own each time: what is tested is the place that the client itself remembers.
        let mut client = Client::open_as(hub, &format!("{name}-{moves}"), "admin").await;
        let topics: Vec<_> = TOPICS
            .iter()
            .map(|topic| match at.get(topic) {
                Some((epoch, offset)) => {
                    json!({ "topic": topic, "recover": { "epoch": epoch, "offset": offset } })
                }
                None => json!({ "topic": topic }),
            })
            .collect();
        let answer = client.request("subscribe", json!({ "topics": topics }), "subscribed").await;
        for row in answer["topics"].as_array().unwrap() {
            let topic = TOPICS.into_iter().find(|topic| row["topic"] == **topic).unwrap();
            let place = (row["epoch"].as_str().unwrap().to_owned(), row["offset"].as_u64().unwrap());
            let known = at.get(topic);
            if row["recovered"] == true {
                assert_eq!(known.map(|known| &known.0), Some(&place.0), "{row}");
                continue;
            }
            assert!(known.is_none() || topic == TOPICS[1], "{row} although the store has all: {known:?}");
            at.insert(topic, place);
        }
        self.readers[reader].client = Some(client);
    }

    /// Takes in what has come for a reader; one whose node is gone goes to another.
    async fn read(&mut self, reader: usize) {
        let Some(mut client) = self.readers[reader].client.take() else { return };
        let ping = client.send("ping", json!({})).await;
        let is_there = client.answer_or_end(&ping).await.is_some();
        while client.has_waiting("message") {
            let message = client.message().await;
            let topic = TOPICS.into_iter().find(|topic| **topic == message.topic).unwrap();
            let number = message.payload["n"].as_u64().unwrap();
            let place = (message.epoch, message.offset);
            let at = self.readers[reader].at.insert(topic, place.clone());
            if let Some((epoch, offset)) = at.filter(|at| at.0 == place.0) {
                assert_eq!(place.1, offset + 1, "{topic} {epoch}: reader {reader} after {offset}");
            } else {
                assert_eq!(topic, TOPICS[1], "the store's topic has one epoch");
            }
            self.readers[reader].seen.insert(number);
            self.agree(topic, &place, number);
        }
        if is_there {
            self.readers[reader].client = Some(client);
        } else {
            let node = self.any_up();
            self.go(reader, node).await;
        }
    }

    /// Publishes some messages through a node.
    async fn publish(&mut self, node: usize, times: usize) {
        let writer = match self.nodes[node].writer.take() {
            Some(writer) => writer,
            None => Client::open_as(&self.nodes[node].hub, &format!("writer-{node}"), "admin").await,
        };
        let mut writer = writer;
        let mut asked = Vec::new();
        for _ in 0..times {
            let topic = TOPICS[self.rng.random_range(0..TOPICS.len())];
            self.published += 1;
            let data = json!({ "n": self.published });
            let id = writer.send("publish", json!({ "topic": topic, "data": data })).await;
            asked.push((id, topic, self.published));
        }
        for (id, topic, number) in asked {
            // A node that ends before it answers has promised nothing.
            let Some(answer) = writer.answer_or_end(&id).await else { return };
            let payload = &answer["payload"];
            if answer["type"] != "published" {
                assert_eq!(payload["code"], "store_unavailable", "{answer}");
                continue;
            }
            let place = (payload["epoch"].as_str().unwrap().to_owned(), payload["offset"].as_u64().unwrap());
            self.agree(topic, &place, number);
            if topic == TOPICS[0] {
                self.kept.insert(number);
            }
        }
        self.nodes[node].writer = Some(writer);
    }

    async fn step(&mut self) {
        let node = self.any_up();
        match self.rng.random_range(0..100) {
            0..45 => {
                let times = self.rng.random_range(1..12);
                self.publish(node, times).await;
            }
            45..60 => {
                let reader = self.rng.random_range(0..READERS);
                self.read(reader).await;
                self.go(reader, node).await;
            }
            60..68 if self.up().len() > 1 => {
                self.nodes[node].hub.process.kill();
                self.nodes[node].is_up = false;
                self.nodes[node].writer = None;
            }
            68..78 => {
                if let Some(node) = (0..NODES).find(|node| !self.nodes[*node].is_up) {
                    self.nodes[node].hub.start_again();
                    self.nodes[node].is_up = true;
                }
            }
            78..84 => {
                let process = &self.nodes[node].hub.process;
                process.signal(Signal::STOP);
                let ms = self.rng.random_range(20..1_200);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                process.signal(Signal::CONT);
            }
            84..90 => {
                self.nodes[node].line.set(Way::Reset);
                let ms = self.rng.random_range(0..900);
                self.publish(node, 3).await;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                self.nodes[node].line.set(Way::Pass);
            }
            _ => {
                for reader in 0..READERS {
                    self.read(reader).await;
                }
            }
        }
    }

    /// Everything is well again: everybody comes to the same end.
    async fn rest(&mut self) {
        for node in 0..NODES {
            if !self.nodes[node].is_up {
                self.nodes[node].hub.start_again();
                self.nodes[node].is_up = true;
            }
        }
        for node in 0..NODES {
            let hub = &self.nodes[node].hub;
            until("the way through Redis is good", async || {
                (hub.metric("infrawatch_engine_up").await == 1).then_some(())
            })
            .await;
        }
        let until_n = self.published;
        for _ in 0..200 {
            self.publish(0, 1).await;
            for reader in 0..READERS {
                self.read(reader).await;
            }
            let all = |reader: &Reader| {
                self.kept.iter().filter(|n| **n <= until_n).all(|n| reader.seen.contains(n))
            };
            let ends: HashSet<_> =
                self.readers.iter().map(|reader| reader.at.get(TOPICS[1]).map(|at| &at.0)).collect();
            if self.readers.iter().all(all) && ends.len() == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        for reader in &self.readers {
            let missing: Vec<_> = self.kept.difference(&reader.seen).collect();
            eprintln!("{} at {:?} misses {missing:?}", reader.name, reader.at);
        }
        panic!("not everybody has everything");
    }
}

/// `MODEL_SEED` in the environment repeats a history, `MODEL_HISTORIES` asks for more of them.
#[tokio::test]
async fn whatever_becomes_of_three_nodes_everybody_sees_one_list_a_topic() {
    let of = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let histories = of("MODEL_HISTORIES").unwrap_or(3);
    for history in 0..histories {
        let seed = of("MODEL_SEED").unwrap_or_else(|| rand::rng().random_range(0..u64::MAX)) + history;
        eprintln!("MODEL_SEED={seed}");
        let mut cluster = Cluster::start(seed).await;
        for _ in 0..STEPS {
            cluster.step().await;
        }
        cluster.rest().await;
    }
}
