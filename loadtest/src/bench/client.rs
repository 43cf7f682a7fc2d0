//! All clients of a bench: the subscribers, and the publisher as the last of them. Beside the crowd of a plan they are
//! poor on purpose: a subscriber is its place in the sequence and nothing else, so that little is touched for a
//! delivery, and they speak the protocol of the baseline as well.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::bench::proto::{Proto, TOPIC};
use crate::bench::run::Target;
use crate::bench::tally::Tally;
use crate::clients::{Clients, Link, Sockets, Stage, Staged};
use crate::frames;
use crate::marker::Marker;
use crate::net::now_ns;
use crate::protocol::{self, Heard};
use crate::received::Received;
use crate::scanner::Messages;

/// A client, whichever connection it has at the moment.
struct Client {
    link: Option<Link>,
    opened_ns: u64,
    received: Received,
    /// It was here before and asks for what it missed.
    returns: bool,
}

/// The clients of a run.
pub(crate) struct Swarm<'t> {
    target: &'t Target,
    sockets: Sockets,
    clients: Vec<Client>,
    /// Frames of the publisher that are not handed to its socket yet.
    staged: Staged,
    pub(crate) tally: Tally,
    /// Subscribers that are through the handshake and subscribed.
    pub(crate) ready: usize,
    /// Why the first client was lost.
    pub(crate) first_failure: Option<String>,
    pub(crate) returns: Returns,
}

/// What became of clients that were cut off.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    /// The topic's epoch, as the first subscriber was told.
    epoch: Option<String>,
    cut_ns: u64,
    /// Subscribers that were cut off and do not try yet.
    waiting: VecDeque<usize>,
    /// How many are on their way back.
    underway: usize,
    /// Told that something is missing.
    pub(crate) not_recovered: usize,
    /// Attempts that failed and were made again.
    pub(crate) failed_attempts: usize,
}

impl<'t> Swarm<'t> {
    pub(crate) fn new(target: &'t Target) -> Result<Self> {
        Ok(Self {
            target,
            sockets: Sockets::new()?,
            clients: Vec::with_capacity(target.subs + 1),
            staged: Staged::default(),
            tally: Tally::new()?,
            ready: 0,
            first_failure: None,
            returns: Returns::default(),
        })
    }

    /// How many clients were opened, the lost ones included.
    pub(crate) fn opened(&self) -> usize {
        self.clients.len()
    }

    /// How many are open but neither ready nor lost.
    pub(crate) fn underway(&self) -> usize {
        self.clients.len() - self.ready - self.tally.lost_clients
    }

    pub(crate) fn open_one(&mut self) -> Result<()> {
        let link = Link::open(self.target.addr, self.clients.len(), &self.sockets.poller, None)?;
        let (opened_ns, received) = (now_ns(), Received::default());
        self.clients.push(Client { link: Some(link), opened_ns, received, returns: false });
        Ok(())
    }

    /// Ends all connections of subscribers at once, without a word.
    pub(crate) fn cut_all(&mut self) {
        self.returns.cut_ns = now_ns();
        for (token, client) in self.clients.iter_mut().enumerate().take(self.target.subs) {
            if client.link.take().is_some() {
                client.returns = true;
                self.returns.waiting.push_back(token);
            }
        }
        self.ready = 0;
    }

    /// Lets those who were cut off come back, a number of them at a time; true when all are back.
    pub(crate) fn bring_back(&mut self, inflight: usize) -> Result<bool> {
        while self.returns.underway < inflight {
            let Some(token) = self.returns.waiting.pop_front() else { break };
            let link = Link::open(self.target.addr, token, &self.sockets.poller, None)?;
            self.clients[token].link = Some(link);
            self.returns.underway += 1;
        }
        Ok(self.returns.underway == 0)
    }

    /// Opens the publisher and waits until it may publish.
    pub(crate) fn open_publisher(&mut self) -> Result<()> {
        ensure!(self.clients.len() == self.target.subs, "the publisher comes after the subscribers");
        self.open_one()?;
        self.await_publisher(self.target.subs)?;
        self.publisher().map(drop)
    }

    fn publisher(&mut self) -> Result<&mut Link> {
        let why = self.first_failure.as_deref().unwrap_or_default();
        let publisher = self.clients.get_mut(self.target.subs).and_then(|client| client.link.as_mut());
        publisher.ok_or_else(|| anyhow!("no publisher: {why}"))
    }

    /// Puts one message behind those that [`Swarm::send_staged`] will send.
    pub(crate) fn stage(&mut self, marker: Marker) {
        let Target { proto, style, payload, .. } = self.target;
        self.staged.stage(|out| proto.write_publish(*style, marker, *payload, out));
    }

    pub(crate) fn send_staged(&mut self) -> Result<()> {
        let link = self.clients.get_mut(self.target.subs).and_then(|client| client.link.as_mut());
        self.staged.send(link, &self.sockets.poller).context("the publisher lost its connection")
    }

    /// What the publisher's socket did not take yet, in bytes.
    pub(crate) fn unsent_bytes(&mut self) -> Result<usize> {
        Ok(self.publisher()?.peer.waiting_bytes())
    }

    /// A frame on the way to being ready.
    fn advance(&mut self, link: &mut Link, token: usize, payload: &[u8]) -> Result<()> {
        match (self.target.proto, link.stage, protocol::heard(payload)) {
            (Proto::Raw, Stage::Subscribing, _) if payload == b"ok" => self.becomes_ready(link, token),
            (Proto::Raw, ..) => {}
            (_, _, Heard::Error) => bail!("{}", protocol::complaint(payload)),
            (_, Stage::Greeted, Heard::Connected) if token == self.target.subs => {
                self.becomes_ready(link, token);
            }
            (_, Stage::Greeted, Heard::Connected) => {
                let client = &self.clients[token];
                // Nobody else publishes to the topic: the first message has offset 1 and number 0.
                let epoch = self.returns.epoch.as_deref().filter(|_| client.returns);
                let recover = epoch.map(|epoch| (epoch, client.received.next().into()));
                let request = protocol::subscribe(TOPIC, recover);
                link.stage = Stage::Subscribing;
                link.say(frames::TEXT, request.as_bytes(), &self.sockets.poller)?;
            }
            (_, Stage::Subscribing, Heard::Subscribed) => {
                if self.returns.epoch.is_none() {
                    self.returns.epoch = protocol::position(payload).map(|(epoch, _)| epoch);
                }
                let missed = self.clients[token].returns && !protocol::recovered(payload);
                self.returns.not_recovered += usize::from(missed);
                self.becomes_ready(link, token);
            }
            _ => {}
        }
        Ok(())
    }

    fn becomes_ready(&mut self, link: &mut Link, token: usize) {
        link.stage = Stage::Ready;
        if token == self.target.subs {
            return;
        }
        self.ready += 1;
        let client = &self.clients[token];
        if client.returns {
            self.returns.underway -= 1;
            self.tally.returns.saturating_record(now_ns() - self.returns.cut_ns);
        } else {
            self.tally.connects.saturating_record(now_ns() - client.opened_ns);
        }
    }
}

impl Clients for Swarm<'_> {
    fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    fn link(&mut self, token: usize) -> Option<&mut Option<Link>> {
        self.clients.get_mut(token).map(|client| &mut client.link)
    }

    fn upgrade_request(&self, token: usize) -> String {
        let Target { addr, proto, subs, style, token: secret, .. } = self.target;
        proto.request(*addr, secret.as_deref(), (token < *subs).then_some(token), style.deflate)
    }

    fn upgraded(&mut self, link: &mut Link, token: usize) -> Result<()> {
        match self.target.proto {
            Proto::Raw if token < self.target.subs => {
                link.stage = Stage::Subscribing;
                link.say(frames::TEXT, b"sub", &self.sockets.poller)?;
            }
            Proto::Raw => self.becomes_ready(link, token),
            // The hub speaks first.
            Proto::Infrawatch => {}
        }
        Ok(())
    }

    #[inline]
    fn has_read(&mut self, _bytes: usize) {
        self.tally.reads += 1;
    }

    fn hear(&mut self, link: &mut Link, token: usize, payload: &[u8], _received_ns: u64) -> Result<()> {
        // What the publisher is told once it is ready is of no interest.
        if link.stage == Stage::Ready { Ok(()) } else { self.advance(link, token, payload) }
    }

    #[inline]
    fn is_listening(&self, link: &Link, token: usize) -> bool {
        link.stage == Stage::Ready && token < self.target.subs
    }

    #[inline]
    fn receive(&mut self, token: usize, messages: &Messages, received_ns: u64) {
        let received = &mut self.clients[token].received;
        let before = self.tally.counts.delivered;
        for run in &messages.runs {
            self.tally.count(received, *run, received_ns);
        }
        if self.tally.counts.delivered > before {
            self.tally.wire_bytes += messages.wire_bytes as u64;
        }
    }

    fn lose(&mut self, token: usize, stage: Stage, error: &anyhow::Error) {
        let returns = &mut self.returns;
        if self.clients[token].returns && stage != Stage::Ready {
            returns.underway -= 1;
            if returns.failed_attempts < self.target.subs {
                returns.failed_attempts += 1;
                return returns.waiting.push_back(token);
            }
        }
        self.tally.lost_clients += 1;
        if stage == Stage::Ready && token < self.target.subs {
            self.ready -= 1;
        }
        self.first_failure.get_or_insert_with(|| format!("client {token}, {stage:?}: {error}"));
    }
}
