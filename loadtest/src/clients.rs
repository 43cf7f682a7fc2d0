//! The clients of a run on one thread, from connect to frames. The crowd of a plan and the swarm of a bench are both
//! [`Clients`]: they differ in what a client says, in what it makes of a frame, and in what becomes of one that is
//! lost. Generic, not dynamic: on the way of a frame nothing is to be between the socket and the count.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;

use crate::frames::{self, Frame, Inflater};
use crate::net::{Peer, Poller, Ready, now_ns};
use crate::scanner::{Messages, Scanner};
use crate::upgrade;

const SCRATCH_BYTES: usize = 256 * 1024;
/// How long a publisher may take to be ready.
const PUBLISHER_NS_MAX: u64 = 5_000_000_000;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Upgrading,
    /// The hub speaks first.
    Greeted,
    Subscribing,
    /// A publisher asked where the topic stands, and does not want its messages.
    Unsubscribing,
    Ready,
}

/// The connection of a client.
pub(crate) struct Link {
    pub(crate) peer: Peer,
    pub(crate) stage: Stage,
}

impl Link {
    /// Begins to connect, with a bound on what the kernel takes in while nobody reads, in bytes.
    pub(crate) fn open(
        address: SocketAddrV4,
        token: usize,
        poller: &Poller,
        receive_bytes: Option<usize>,
    ) -> io::Result<Self> {
        let peer = Peer::connect(address, token, poller, receive_bytes)?;
        Ok(Self { peer, stage: Stage::Connecting })
    }

    /// Sends a frame of its own; for what is said once, not for messages.
    pub(crate) fn say(&mut self, opcode: u8, payload: &[u8], poller: &Poller) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frames::push_masked(opcode, payload, &mut frame);
        self.peer.send(&frame, poller)
    }
}

/// Frames that one client sends together.
#[derive(Default)]
pub(crate) struct Staged {
    text: Vec<u8>,
    frames: Vec<u8>,
}

impl Staged {
    /// Puts a text behind the others.
    pub(crate) fn stage(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.text.clear();
        write(&mut self.text);
        frames::push_masked(frames::TEXT, &self.text, &mut self.frames);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.frames.len()
    }

    /// Sends them all, if the connection is there; none is left whatever becomes of it.
    pub(crate) fn send(&mut self, link: Option<&mut Link>, poller: &Poller) -> io::Result<()> {
        let link = link.filter(|_| !self.frames.is_empty());
        let sent = link.map_or(Ok(()), |link| link.peer.send(&self.frames, poller));
        self.frames.clear();
        sent
    }
}

/// What reading needs, apart from the clients.
struct Desk {
    scratch: Vec<u8>,
    inflater: Inflater,
    scanner: Scanner,
}

/// What all connections of a run share.
pub(crate) struct Sockets {
    pub(crate) poller: Poller,
    desk: Option<Desk>,
}

impl Sockets {
    pub(crate) fn new() -> Result<Self> {
        let scratch = vec![0; SCRATCH_BYTES];
        let desk = Desk { scratch, inflater: Inflater::new(), scanner: Scanner::new() };
        Ok(Self { poller: Poller::edge()?, desk: Some(desk) })
    }
}

/// The clients of a run; each has a token, which is its place.
pub(crate) trait Clients: Sized {
    fn sockets(&mut self) -> &mut Sockets;

    /// The place of a client's connection, which is empty while it is served.
    fn link(&mut self, token: usize) -> Option<&mut Option<Link>>;

    /// The request of a client that is connected.
    fn upgrade_request(&self, token: usize) -> String;

    /// The server took a client.
    fn upgraded(&mut self, _link: &mut Link, _token: usize) -> Result<()> {
        Ok(())
    }

    /// A read brought so many bytes.
    fn has_read(&mut self, bytes: usize);

    /// A client that does not listen got a frame with this payload, with a read that was done at this time.
    fn hear(&mut self, link: &mut Link, token: usize, payload: &[u8], received_ns: u64) -> Result<()>;

    /// Whether all that a client gets are messages, or of no interest: it is ready, and subscribed.
    fn is_listening(&self, link: &Link, token: usize) -> bool;

    /// A client that listens got messages, with a read that was done at this time.
    fn receive(&mut self, token: usize, messages: &Messages, received_ns: u64);

    /// A client's connection ended at this stage, or never came to be.
    fn lose(&mut self, token: usize, stage: Stage, error: &anyhow::Error);

    /// Waits for readiness and does all work that is there.
    fn poll(&mut self, timeout: Duration) -> Result<()> {
        let mut desk = self.sockets().desk.take().context("the clients read already")?;
        for index in 0..self.sockets().poller.wait(Some(timeout))? {
            let Some(ready) = self.sockets().poller.ready(index) else { continue };
            let Some(mut link) = self.link(ready.token).and_then(Option::take) else { continue };
            match serve(self, &mut link, ready, &mut desk) {
                Ok(()) => {
                    if let Some(place) = self.link(ready.token) {
                        *place = Some(link);
                    }
                }
                Err(error) => self.lose(ready.token, link.stage, &error),
            }
        }
        self.sockets().desk = Some(desk);
        Ok(())
    }

    /// Waits until a publisher that was opened is ready or lost.
    fn await_publisher(&mut self, token: usize) -> Result<()> {
        let deadline_ns = now_ns() + PUBLISHER_NS_MAX;
        while self.link(token).and_then(|link| link.as_ref()).is_some_and(|link| link.stage != Stage::Ready) {
            if now_ns() > deadline_ns {
                bail!("the publisher was not ready within 5 s");
            }
            self.poll(Duration::from_millis(10))?;
        }
        Ok(())
    }
}

/// Does what one connection is ready for.
fn serve<C: Clients>(clients: &mut C, link: &mut Link, ready: Ready, desk: &mut Desk) -> Result<()> {
    let token = ready.token;
    if link.stage == Stage::Connecting {
        link.peer.connected()?;
        link.stage = Stage::Upgrading;
        let request = clients.upgrade_request(token);
        link.peer.send(request.as_bytes(), &clients.sockets().poller)?;
    }
    if ready.writable {
        link.peer.flush(&clients.sockets().poller)?;
    }
    if !ready.readable {
        return Ok(());
    }
    if link.peer.is_paused() {
        bail!("reset while it did not read");
    }
    loop {
        let held_bytes = link.peer.held_bytes();
        let filled_bytes = link.peer.fill(&mut desk.scratch)?;
        if filled_bytes == 0 {
            return Ok(());
        }
        clients.has_read(filled_bytes - held_bytes);
        take(clients, link, token, desk, filled_bytes)?;
        // A read that left room took all there was, unless it is the end.
        if filled_bytes < desk.scratch.len() && !ready.ended {
            return Ok(());
        }
    }
}

/// Takes the frames that a read brought, and keeps what it cut off.
fn take<C: Clients>(
    clients: &mut C,
    link: &mut Link,
    token: usize,
    desk: &mut Desk,
    filled_bytes: usize,
) -> Result<()> {
    let received_ns = now_ns();
    let Desk { scratch, inflater, scanner } = desk;
    let mut rest = &scratch[..filled_bytes];
    if link.stage == Stage::Upgrading {
        let Some(head_bytes) = memmem::find(rest, b"\r\n\r\n") else {
            link.peer.keep(rest);
            return Ok(());
        };
        upgrade::check(&rest[..head_bytes])?;
        link.stage = Stage::Greeted;
        clients.upgraded(link, token)?;
        rest = &rest[head_bytes + 4..];
    }
    loop {
        if clients.is_listening(link, token) {
            while let Some((messages, length)) = scanner.scan(rest, inflater)? {
                clients.receive(token, messages, received_ns);
                rest = &rest[length..];
            }
        }
        let Some(frame) = Frame::split(rest)? else { break };
        rest = &rest[frame.wire_bytes..];
        let payload = frame.read(inflater)?;
        match frame.opcode {
            frames::PING => link.say(frames::PONG, payload, &clients.sockets().poller)?,
            frames::CLOSE => bail!("closed by the hub: {}", close_reason(payload)),
            _ => clients.hear(link, token, payload, received_ns)?,
        }
    }
    link.peer.keep(rest);
    Ok(())
}

fn close_reason(payload: &[u8]) -> String {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return "without a code".to_owned() };
    format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(reason))
}
