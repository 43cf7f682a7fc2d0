//! One history: done to the hub and to the model, and compared.

use std::sync::Arc;

use infrawatch::broker::Draft;
use infrawatch::ids::TopicName;
use infrawatch::protocol::priority::Priority;
use infrawatch::telemetry::Cause;
use infrawatch::topic::{Member, Reply};

use super::client::{Client, Link};
use super::ops::{CLIENTS, Op, Step, TOPICS};
use super::pipe::Pipe;
use super::truth::{KEYS, Published, Sort, TopicTruth};
use super::world::{AGE_MS_MAX, HISTORY_MAX, ROOM_HISTORY_MAX, World};

/// What a kernel without a bound holds.
const ROOMY: usize = 64 << 20;

/// Time after which everything is out: the longest flush, the slowest rate, and some.
const LONG_MS: u64 = 1_500;

pub(super) struct Run<'a> {
    world: &'a World,
    names: Vec<TopicName>,
    truths: Vec<TopicTruth>,
    clients: Vec<Client>,
    members: Vec<Option<Member>>,
    rooms: Vec<Option<usize>>,
    stored: bool,
    published: usize,
    history: u64,
}

fn sort(topic: usize, stored: bool) -> Sort {
    Sort { latest: topic >= 2, stored: stored && topic < 2, calm: topic % 2 == 1 }
}

fn priority(urgency: usize, calm: bool) -> Option<Priority> {
    match urgency {
        0 | 1 => Some(Priority::Low),
        2 => Some(Priority::Normal),
        3 | 4 if !calm => Some(Priority::Critical),
        _ => None,
    }
}

impl<'a> Run<'a> {
    pub(super) async fn new(world: &'a World, stored: bool) -> Self {
        let history = world.next_history();
        let mut run = Self {
            world,
            names: Vec::new(),
            truths: Vec::new(),
            clients: (0..CLIENTS).map(Client::new).collect(),
            members: vec![None; CLIENTS],
            rooms: vec![None; CLIENTS],
            stored,
            published: 0,
            history,
        };
        for topic in 0..TOPICS {
            let sort = sort(topic, stored);
            let namespace = if sort.latest {
                "metrics"
            } else if sort.stored {
                "room"
            } else {
                "app"
            };
            let name = format!("{namespace}:{history}-{topic}");
            run.names.push(TopicName::parse(&name).unwrap());
            world.state.services.broker.open(&run.names[topic]).unwrap();
            run.truths.push(TopicTruth { name, sort, lives: Vec::new() });
        }
        // Questions have a deadline, which must not pass while the store is read.
        world.settle(stored).await;
        for (topic, truth) in run.truths.iter_mut().enumerate() {
            truth.lives.push((world.epoch(&run.names[topic]).await, Vec::new()));
        }
        run
    }

    /// Does all steps, then lets everything come to rest. Returns how many losses were declared to connections
    /// that are still there.
    pub(super) async fn all(mut self, steps: &[Step]) -> Result<u64, String> {
        let mut outcome = Ok(());
        for (n, step) in steps.iter().enumerate() {
            let quiet = n == 0 || !steps[n - 1].rush;
            outcome = self.step(step, quiet).await.map_err(|error| format!("step {n}: {error}"));
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            outcome = self.rest().await.map_err(|error| format!("at the end: {error}"));
        }
        let links: Vec<_> = self.clients.iter().filter_map(|client| client.link.as_ref()).collect();
        let declared = links.iter().map(|link| link.declared()).sum();
        links.into_iter().for_each(|link| link.pipe.cut());
        self.world.tidy_up().await;
        outcome.map(|()| declared)
    }

    async fn rest(&mut self) -> Result<(), String> {
        for client in 0..CLIENTS {
            self.set_room(client, None);
        }
        self.world.settle(self.stored).await;
        self.read_quick()?;
        for _ in 0..2 {
            self.world.pass(LONG_MS, self.stored).await;
            self.read_quick()?;
        }
        self.clients.iter().try_for_each(|client| client.settle_accounts(&self.truths))
    }

    async fn step(&mut self, step: &Step, quiet: bool) -> Result<(), String> {
        let sure = quiet && !step.rush;
        match &step.op {
            Op::Publish { topic, urgency, key, place, bytes, times } => {
                let priority = priority(*urgency, self.truths[*topic].sort.calm);
                let draft = Published {
                    number: 0,
                    key: *key,
                    place: *place,
                    priority: priority.unwrap_or(Priority::Normal).as_str(),
                    at_ms: self.world.now_ms(),
                    bytes: *bytes,
                    ahead_of: Vec::new(),
                };
                (0..*times).for_each(|_| self.publish(*topic, priority, draft.clone(), sure));
                if priority == Some(Priority::Critical) && sure {
                    self.world.settle(self.stored).await;
                    return self.came_at_once(*topic);
                }
            }
            Op::Wait { ms } => self.world.pass(*ms, self.stored).await,
            Op::Subscribe { client, topics, from, asks } => {
                self.connect(*client);
                let now_ms = self.world.now_ms();
                let must = |truth: &TopicTruth, offset: u64| sure && is_held(truth, offset, now_ms);
                let text = self.clients[*client].subscribe(topics, *from, *asks, &self.truths, must);
                self.tell(*client, &text.unwrap_or_default());
            }
            Op::Unsubscribe { client, topic } => {
                let name = self.truths[*topic].name.clone();
                self.tell(*client, &format!(r#"{{"type":"unsubscribe","topics":["{name}"]}}"#));
            }
            Op::Ping { client } => self.tell(*client, r#"{"type":"ping"}"#),
            Op::Slow { client, room } => {
                self.connect(*client);
                self.set_room(*client, *room);
            }
            Op::Read { client, bytes } => self.read(*client, *bytes)?,
            Op::Disconnect { client, reads_rest } => {
                if *reads_rest {
                    self.read(*client, ROOMY)?;
                }
                self.clients[*client].part(*reads_rest);
            }
            Op::Crash { topic } => self.crash(*topic).await?,
        }
        if !step.rush {
            self.world.settle(self.stored).await;
            self.read_quick()?;
        }
        Ok(())
    }

    fn publish(&mut self, topic: usize, priority: Option<Priority>, mut message: Published, sure: bool) {
        self.published += 1;
        message.number = self.published;
        if priority == Some(Priority::Critical) && sure {
            let links = self.clients.iter().map(|client| client.link.as_ref());
            let level = links.map(|link| link.filter(|link| link.is_plain_and_level(topic)));
            message.ahead_of = level.map(|link| link.map(|link| link.pipe.taken())).collect();
        }
        let draft = Draft {
            priority,
            key: message.key.map(|key| Arc::from(KEYS[key])),
            ..Draft::of(&message.payload()).unwrap()
        };
        let broker = &self.world.state.services.broker;
        broker.publish(&self.names[topic], draft, Reply::Nobody, &Cause::own()).unwrap();
        self.truths[topic].lives.last_mut().unwrap().1.push(message);
    }

    /// A critical message was published last: clients that are level and not slow have it.
    fn came_at_once(&mut self, topic: usize) -> Result<(), String> {
        self.read_quick()?;
        let truth = &self.truths[topic];
        let Some(message) = truth.life().last() else { return Ok(()) };
        for client in self.clients.iter().filter(|client| self.rooms[client.index].is_none()) {
            let level = message.ahead_of[client.index].is_some();
            let there = client.at(topic) == Some((truth.epoch(), truth.life().len() as u64));
            let was_slow = client.link.as_ref().is_none_or(|link| link.was_slow);
            if level && !there && !was_slow {
                return Err(format!(
                    "client {}: {} critical, and not there at once",
                    client.index, truth.name
                ));
            }
        }
        Ok(())
    }

    fn connect(&mut self, client: usize) {
        if self.clients[client].link.is_some() {
            return;
        }
        let pipe = Pipe::new(self.rooms[client].unwrap_or(ROOMY));
        let name = format!("c{client}-{}", self.history);
        self.members[client] = Some(self.world.connect(&name, &pipe));
        let mut link = Link::new(pipe);
        link.was_slow = self.rooms[client].is_some();
        self.clients[client].link = Some(link);
    }

    fn tell(&self, client: usize, text: &str) {
        if let (Some(member), Some(_)) = (self.members[client], &self.clients[client].link) {
            self.world.tell(member, text);
        }
    }

    fn set_room(&mut self, client: usize, room: Option<usize>) {
        self.rooms[client] = room;
        if let Some(link) = &mut self.clients[client].link {
            link.was_slow |= room.is_some();
            link.pipe.set_room(room.unwrap_or(ROOMY));
        }
    }

    fn read(&mut self, client: usize, bytes: usize) -> Result<(), String> {
        let Some(link) = &self.clients[client].link else { return Ok(()) };
        let read = link.pipe.read(bytes);
        self.clients[client].hear(&read, &self.truths)?;
        let Some(link) = &self.clients[client].link else { return Ok(()) };
        let is_there = self.members[client].is_some_and(|member| self.world.has(member));
        if !is_there && !link.was_slow {
            return Err(format!("client {client}: closed without a word"));
        }
        if link.closed || !is_there {
            let read_all = link.closed || bytes == ROOMY;
            self.clients[client].part(read_all);
        }
        Ok(())
    }

    /// Clients that are not slow have read all that came.
    fn read_quick(&mut self) -> Result<(), String> {
        for client in 0..CLIENTS {
            if self.rooms[client].is_none() {
                self.read(client, ROOMY)?;
            }
        }
        Ok(())
    }

    async fn crash(&mut self, topic: usize) -> Result<(), String> {
        self.world.settle(self.stored).await;
        self.read_quick()?;
        self.world.crash(&self.names[topic], self.stored).await;
        let epoch = self.world.epoch(&self.names[topic]).await;
        let truth = &mut self.truths[topic];
        let same = epoch == truth.epoch();
        // The store does not know a topic before its first message.
        if (truth.sort.stored && !truth.life().is_empty()) != same {
            return Err(format!("{}: after a crash its epoch is {epoch}", truth.name));
        }
        if !same {
            truth.lives.push((epoch, Vec::new()));
        }
        Ok(())
    }
}

/// Whether the hub must still have all messages after `offset`.
fn is_held(truth: &TopicTruth, offset: u64, now_ms: u64) -> bool {
    let missed = &truth.life()[offset as usize..];
    let most = if truth.sort.stored { ROOM_HISTORY_MAX } else { HISTORY_MAX };
    let young = |message: &Published| message.at_ms + AGE_MS_MAX > now_ms;
    truth.sort.latest || missed.len() <= most && (truth.sort.stored || missed.iter().all(young))
}
