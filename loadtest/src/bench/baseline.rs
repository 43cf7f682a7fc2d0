//! The physical limit: a bare epoll server that writes ready-made frames and does nothing else.
//!
//! `GET /sub` subscribes as soon as the client has sent any text (answered by `ok`), `GET /pub`
//! publishes. No authentication, no envelope, no history: what is left is the kernel.

use std::net::{SocketAddrV4, TcpListener};

use anyhow::{Context as _, Result, bail};
use memchr::memmem;

use crate::frames::{self, Frame};
use crate::net::{self, Peer, Poller};
use crate::upgrade::{ACCEPT, KEY};

const LISTENER: usize = usize::MAX;
const SCRATCH_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    Publisher,
    Subscriber { subscribed: bool },
}

struct Connection {
    peer: Peer,
    role: Role,
}

struct Baseline {
    poller: Poller,
    listener: TcpListener,
    /// Join the frames of one publisher read into one write per subscriber.
    joins: bool,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    subscribers: Vec<usize>,
}

/// Serves until the process is ended.
pub(crate) fn serve(address: SocketAddrV4, joins: bool) -> Result<()> {
    let listener = net::listen(address).with_context(|| format!("listening on {address}"))?;
    let poller = Poller::level()?;
    poller.add(&listener, LISTENER, false)?;
    let (connections, free, subscribers) = (Vec::new(), Vec::new(), Vec::new());
    let mut server = Baseline { poller, listener, joins, connections, free, subscribers };
    let mut scratch = vec![0; SCRATCH_BYTES];
    loop {
        for index in 0..server.poller.wait(None)? {
            let Some(ready) = server.poller.ready(index) else { continue };
            if ready.token == LISTENER {
                server.accept()?;
            } else if server.serve_one(ready, &mut scratch).is_err() {
                // A client that left, or spoke nonsense: nobody else is concerned.
                server.close(ready.token);
            }
        }
    }
}

impl Baseline {
    fn accept(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            let token = self.free.pop().unwrap_or(self.connections.len());
            let connection =
                Some(Connection { peer: Peer::accepted(stream, token, &self.poller)?, role: Role::Unknown });
            match self.connections.get_mut(token) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
        }
        Ok(())
    }

    fn close(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token).and_then(Option::take) else { return };
        if connection.role == (Role::Subscriber { subscribed: true }) {
            self.subscribers.retain(|subscriber| *subscriber != token);
        }
        self.free.push(token);
    }

    fn serve_one(&mut self, ready: net::Ready, scratch: &mut [u8]) -> Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(ready.token) else { return Ok(()) };
        if ready.writable {
            connection.peer.flush(&self.poller)?;
        }
        if !ready.readable {
            return Ok(());
        }
        let filled_bytes = connection.peer.fill(scratch)?;
        let mut rest = &scratch[..filled_bytes];
        if connection.role == Role::Unknown {
            let Some(head_bytes) = memmem::find(rest, b"\r\n\r\n") else {
                connection.peer.keep(rest);
                return Ok(());
            };
            connection.role = open(&rest[..head_bytes], &mut connection.peer, &self.poller)?;
            rest = &rest[head_bytes + 4..];
        }
        let mut published = Published::default();
        while let Some(frame) = Frame::split(rest)? {
            rest = &rest[frame.wire_bytes..];
            match connection.role {
                Role::Publisher if frame.opcode == frames::TEXT => published.push(&frame)?,
                Role::Subscriber { subscribed: false } if frame.opcode == frames::TEXT => {
                    connection.role = Role::Subscriber { subscribed: true };
                    self.subscribers.push(ready.token);
                    connection.peer.send(b"\x81\x02ok", &self.poller)?;
                }
                _ => {}
            }
        }
        connection.peer.keep(rest);
        self.broadcast(&published);
        Ok(())
    }

    fn broadcast(&mut self, published: &Published) {
        let whole = [published.frames.len()];
        let ends = if self.joins { &whole[..] } else { &published.ends };
        let mut start = 0;
        let mut gone = Vec::new();
        for &end in ends.iter().filter(|end| **end > 0) {
            let bytes = &published.frames[start..end];
            start = end;
            for &token in &self.subscribers {
                let Some(Some(connection)) = self.connections.get_mut(token) else { continue };
                if connection.peer.send(bytes, &self.poller).is_err() {
                    gone.push(token);
                }
            }
        }
        for token in gone {
            self.close(token);
        }
    }
}

/// What one read of the publisher brought: the frames for the subscribers, one behind the other.
#[derive(Default)]
struct Published {
    frames: Vec<u8>,
    ends: Vec<usize>,
    payload: Vec<u8>,
}

impl Published {
    fn push(&mut self, frame: &Frame<'_>) -> Result<()> {
        self.payload.clear();
        frame.unmask_into(&mut self.payload)?;
        frames::push_plain(frames::TEXT, &self.payload, &mut self.frames);
        self.ends.push(self.frames.len());
        Ok(())
    }
}

/// Answers the upgrade. Only this crate's client comes here, so its key is the only one.
fn open(head: &[u8], peer: &mut Peer, poller: &Poller) -> Result<Role> {
    if memmem::find(head, KEY.as_bytes()).is_none() {
        bail!("not a client of this bench");
    }
    let role =
        if head.starts_with(b"GET /pub") { Role::Publisher } else { Role::Subscriber { subscribed: false } };
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    peer.send(response.as_bytes(), poller)?;
    Ok(role)
}
