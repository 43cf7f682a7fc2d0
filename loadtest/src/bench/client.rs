//! All clients of a run on one thread: the subscribers, and the publisher as the last of them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use memchr::memmem;

use crate::bench::proto::{Proto, SUBSCRIBE, subscribe_again};
use crate::bench::run::Target;
use crate::bench::tally::{Sequence, Tally};
use crate::frames::{self, Frame, Inflater};
use crate::marker::{Marker, Scanner};
use crate::net::{Peer, Poller, Ready, now_ns};
use crate::upgrade;

const SCRATCH_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    /// The hub speaks first.
    Greeted,
    Subscribing,
    Ready,
}

struct Client {
    peer: Peer,
    stage: Stage,
    opened_ns: u64,
    sequence: Sequence,
    /// It was here before and asks for what it missed.
    returns: bool,
}

/// What reading needs, apart from the clients.
struct Desk {
    scratch: Vec<u8>,
    inflater: Inflater,
}

/// The clients of a run.
pub(crate) struct Swarm<'t> {
    target: &'t Target,
    poller: Poller,
    clients: Vec<Option<Client>>,
    desk: Option<Desk>,
    scanner: Scanner,
    /// Frames of the publisher that are not handed to its socket yet.
    staged: Vec<u8>,
    payload: Vec<u8>,
    pub(crate) tally: Tally,
    /// Subscribers that are through the handshake and subscribed.
    pub(crate) ready: usize,
    /// Why the first client was lost.
    pub(crate) first_failure: Option<String>,
    /// Subscribers that were cut off, with what they had.
    cut_off: VecDeque<(usize, Sequence)>,
    /// How many of them are on their way back.
    returning: usize,
    pub(crate) returns: Returns,
}

/// What became of clients that were cut off.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    /// The topic's epoch, as the first subscriber was told.
    epoch: Option<String>,
    cut_ns: u64,
    /// Told that nothing is missing.
    pub(crate) recovered: usize,
    /// Told that something is.
    pub(crate) not_recovered: usize,
    /// Attempts that failed and were made again.
    pub(crate) failed_attempts: usize,
}

impl<'t> Swarm<'t> {
    pub(crate) fn new(target: &'t Target) -> Result<Self> {
        Ok(Self {
            target,
            poller: Poller::new()?,
            clients: Vec::with_capacity(target.subs + 1),
            desk: Some(Desk { scratch: vec![0; SCRATCH_BYTES], inflater: Inflater::new() }),
            scanner: Scanner::new(),
            staged: Vec::new(),
            payload: Vec::new(),
            tally: Tally::new()?,
            ready: 0,
            first_failure: None,
            cut_off: VecDeque::new(),
            returning: 0,
            returns: Returns::default(),
        })
    }

    /// How many clients were opened, the lost ones included.
    pub(crate) fn opened(&self) -> usize {
        self.clients.len()
    }

    /// How many are open but neither ready nor lost.
    pub(crate) fn underway(&self) -> usize {
        self.clients.len() - self.ready - self.lost()
    }

    pub(crate) fn lost(&self) -> usize {
        self.tally.lost_clients
    }

    pub(crate) fn open_one(&mut self) -> Result<()> {
        let token = self.clients.len();
        let peer = Peer::connect(self.target.addr, token, &self.poller)?;
        let (stage, opened_ns, sequence) = (Stage::Connecting, now_ns(), Sequence::default());
        self.clients.push(Some(Client { peer, stage, opened_ns, sequence, returns: false }));
        Ok(())
    }

    /// Ends all connections of subscribers at once, without a word.
    pub(crate) fn cut_all(&mut self) {
        self.returns.cut_ns = now_ns();
        for (token, place) in self.clients.iter_mut().enumerate().take(self.target.subs) {
            self.cut_off.extend(place.take().map(|client| (token, client.sequence)));
        }
        self.ready = 0;
    }

    /// Lets those who were cut off come back, a number of them at a time; true when all are back.
    pub(crate) fn bring_back(&mut self, inflight: usize) -> Result<bool> {
        while self.returning < inflight {
            let Some((token, sequence)) = self.cut_off.pop_front() else { break };
            let peer = Peer::connect(self.target.addr, token, &self.poller)?;
            let opened_ns = now_ns();
            self.clients[token] =
                Some(Client { peer, stage: Stage::Connecting, opened_ns, sequence, returns: true });
            self.returning += 1;
        }
        Ok(self.returning == 0)
    }

    /// Opens the publisher and waits until it may publish.
    pub(crate) fn open_publisher(&mut self) -> Result<()> {
        ensure!(self.clients.len() == self.target.subs, "the publisher comes after the subscribers");
        self.open_one()?;
        let deadline_ns = now_ns() + 5_000_000_000;
        while self.publisher()?.stage != Stage::Ready {
            ensure!(now_ns() < deadline_ns, "the publisher was not ready within 5 s");
            self.poll(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn publisher(&mut self) -> Result<&mut Client> {
        let why = self.first_failure.clone();
        let publisher = self.clients.get_mut(self.target.subs).and_then(Option::as_mut);
        publisher.ok_or_else(|| anyhow!("no publisher: {}", why.unwrap_or_default()))
    }

    /// Puts one message behind those that [`Swarm::send_staged`] will send.
    pub(crate) fn stage(&mut self, marker: Marker) {
        self.payload.clear();
        let (style, payload_bytes) = (self.target.style, self.target.payload);
        self.target.proto.write_publish(style, marker, payload_bytes, &mut self.payload);
        frames::push_masked(frames::TEXT, &self.payload, &mut self.staged);
    }

    pub(crate) fn send_staged(&mut self) -> Result<()> {
        let staged = std::mem::take(&mut self.staged);
        if let Some(Some(publisher)) = self.clients.get_mut(self.target.subs) {
            publisher.peer.send(&staged, &self.poller)?;
        }
        self.staged = staged;
        self.staged.clear();
        Ok(())
    }

    /// What the publisher's socket did not take yet, in bytes.
    pub(crate) fn unsent_bytes(&mut self) -> Result<usize> {
        Ok(self.publisher()?.peer.waiting_bytes())
    }

    /// Waits for readiness and does all work that is there.
    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<()> {
        let mut desk = self.desk.take().context("the clients read already")?;
        for index in 0..self.poller.wait(Some(timeout))? {
            let Some(ready) = self.poller.ready(index) else { continue };
            let Some(Some(mut client)) = self.clients.get_mut(ready.token).map(Option::take) else {
                continue;
            };
            match self.serve(&mut client, ready, &mut desk) {
                Ok(()) => self.clients[ready.token] = Some(client),
                Err(error) => self.lose(&client, ready.token, &error),
            }
        }
        self.desk = Some(desk);
        Ok(())
    }

    fn lose(&mut self, client: &Client, token: usize, error: &anyhow::Error) {
        if client.returns && client.stage != Stage::Ready && self.returns.failed_attempts < self.target.subs {
            self.returns.failed_attempts += 1;
            self.returning -= 1;
            return self.cut_off.push_back((token, client.sequence));
        }
        if client.returns && client.stage != Stage::Ready {
            self.returning -= 1;
        }
        self.tally.lost_clients += 1;
        if client.stage == Stage::Ready && token < self.target.subs {
            self.ready -= 1;
        }
        self.first_failure.get_or_insert_with(|| format!("client {token}, {:?}: {error}", client.stage));
    }

    fn serve(&mut self, client: &mut Client, ready: Ready, desk: &mut Desk) -> Result<()> {
        let Desk { scratch, inflater } = desk;
        if client.stage == Stage::Connecting {
            client.peer.connected()?;
            client.stage = Stage::Upgrading;
            let number = (ready.token < self.target.subs).then_some(ready.token);
            let (token, deflate) = (self.target.token.as_deref(), self.target.style.deflate);
            let request = self.target.proto.request(self.target.addr, token, number, deflate);
            client.peer.send(request.as_bytes(), &self.poller)?;
        }
        if ready.writable {
            client.peer.flush(&self.poller)?;
        }
        if !ready.readable {
            return Ok(());
        }
        let filled_bytes = client.peer.fill(scratch)?;
        if filled_bytes == 0 {
            return Ok(());
        }
        let mut rest = &scratch[..filled_bytes];
        if client.stage == Stage::Upgrading {
            let Some(head_bytes) = memmem::find(rest, b"\r\n\r\n") else {
                client.peer.keep(rest);
                return Ok(());
            };
            self.upgraded(client, ready.token, &rest[..head_bytes])?;
            rest = &rest[head_bytes + 4..];
        }
        let received_ns = now_ns();
        self.tally.reads += 1;
        while let Some(frame) = Frame::split(rest)? {
            rest = &rest[frame.wire_bytes..];
            let payload = frame.read(inflater)?;
            match frame.opcode {
                frames::PING => {
                    let mut pong = Vec::new();
                    frames::push_masked(frames::PONG, payload, &mut pong);
                    client.peer.send(&pong, &self.poller)?;
                }
                frames::CLOSE => bail!("closed by the server: {}", String::from_utf8_lossy(payload)),
                _ if client.stage != Stage::Ready => self.advance(client, ready.token, payload)?,
                _ if ready.token == self.target.subs => {}
                _ => {
                    let before = self.tally.delivered;
                    for marker in self.scanner.scan(payload) {
                        self.tally.count(&mut client.sequence, marker, received_ns);
                    }
                    if self.tally.delivered > before {
                        self.tally.wire_bytes += frame.wire_bytes as u64;
                    }
                }
            }
        }
        client.peer.keep(rest);
        Ok(())
    }

    fn upgraded(&mut self, client: &mut Client, token: usize, head: &[u8]) -> Result<()> {
        upgrade::check(head)?;
        client.stage = Stage::Greeted;
        match self.target.proto {
            Proto::Raw if token < self.target.subs => {
                client.stage = Stage::Subscribing;
                self.send_text(client, b"sub")
            }
            Proto::Raw => self.becomes_ready(client, token),
            Proto::Infrawatch => Ok(()),
        }
    }

    /// A frame on the way to being ready.
    fn advance(&mut self, client: &mut Client, token: usize, payload: &[u8]) -> Result<()> {
        let says = |word: &str| memmem::find(payload, word.as_bytes()).is_some();
        match (self.target.proto, client.stage) {
            (Proto::Infrawatch, Stage::Greeted) if says("\"connected\"") => {
                if token == self.target.subs {
                    return self.becomes_ready(client, token);
                }
                client.stage = Stage::Subscribing;
                match &self.returns.epoch {
                    Some(epoch) if client.returns => {
                        // Nobody else publishes to the topic: the first message has offset 1 and number 0.
                        let request = subscribe_again(epoch, client.sequence.next().into());
                        self.send_text(client, request.as_bytes())
                    }
                    _ => self.send_text(client, SUBSCRIBE.as_bytes()),
                }
            }
            (Proto::Infrawatch, Stage::Subscribing) if says("\"subscribed\"") => {
                if self.returns.epoch.is_none() {
                    self.returns.epoch = epoch_in(payload);
                }
                if client.returns {
                    let recovered = says("\"recovered\":true");
                    self.returns.recovered += usize::from(recovered);
                    self.returns.not_recovered += usize::from(!recovered);
                }
                self.becomes_ready(client, token)
            }
            (Proto::Raw, Stage::Subscribing) if payload == b"ok" => self.becomes_ready(client, token),
            _ if says("\"error\"") => bail!("{}", String::from_utf8_lossy(payload)),
            _ => Ok(()),
        }
    }

    fn becomes_ready(&mut self, client: &mut Client, token: usize) -> Result<()> {
        client.stage = Stage::Ready;
        if token < self.target.subs {
            self.ready += 1;
            if client.returns {
                self.returning -= 1;
                self.tally.returned(now_ns() - self.returns.cut_ns);
            } else {
                self.tally.connected(now_ns() - client.opened_ns);
            }
        }
        Ok(())
    }

    fn send_text(&self, client: &mut Client, text: &[u8]) -> Result<()> {
        let mut frame = Vec::new();
        frames::push_masked(frames::TEXT, text, &mut frame);
        Ok(client.peer.send(&frame, &self.poller)?)
    }
}

/// The epoch that a `subscribed` answer tells.
fn epoch_in(payload: &[u8]) -> Option<String> {
    const FIELD: &[u8] = br#""epoch":""#;
    let rest = payload.get(memmem::find(payload, FIELD)? + FIELD.len()..)?;
    let epoch = rest.get(..rest.iter().position(|byte| *byte == b'"')?)?;
    String::from_utf8(epoch.to_vec()).ok()
}
