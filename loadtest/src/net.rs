//! Sockets on loopback and the one thread's epoll, in safe code.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::event::{Timespec, epoll};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit};
use rustix::time::{ClockId, clock_gettime};

/// What may wait for one slow peer, in bytes; more ends the connection.
const OUTBOX_BYTES_MAX: usize = 64 * 1024 * 1024;
const EVENTS_MAX: usize = 1024;
const BACKLOG: i32 = 4096;

/// Monotonic time in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// A load generator must not become a weapon by a typing error.
pub(crate) fn loopback(text: &str) -> Result<SocketAddrV4> {
    let address: SocketAddrV4 = text.parse()?;
    if !address.ip().is_loopback() {
        bail!("{address} is not on loopback (127.0.0.0/8)");
    }
    Ok(address)
}

/// Raises the soft limit of open files as far as it goes.
pub(crate) fn raise_file_limit() -> Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// A listener whose backlog bears a connect storm, which the standard one does not.
pub(crate) fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = socket()?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Readiness of one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The other side ended the connection; what it sent before may still be there.
    pub(crate) ended: bool,
}

/// An epoll and what it found.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    trigger: epoll::EventFlags,
}

impl Poller {
    /// Tells of a socket as long as it is ready.
    pub(crate) fn level() -> io::Result<Self> {
        Self::new(epoll::EventFlags::empty())
    }

    /// Tells of a socket once, when something came: a socket must be read until it is empty. The kernel need not look
    /// at each a second time to see that it is.
    pub(crate) fn edge() -> io::Result<Self> {
        Self::new(epoll::EventFlags::ET)
    }

    fn new(trigger: epoll::EventFlags) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS_MAX), trigger })
    }

    pub(crate) fn add(&self, source: impl AsFd, token: usize, writable: bool) -> io::Result<()> {
        let flags = interest(true, writable) | self.trigger;
        Ok(epoll::add(&self.epoll, source, epoll::EventData::new_u64(token as u64), flags)?)
    }

    fn change(&self, source: impl AsFd, token: usize, flags: epoll::EventFlags) -> io::Result<()> {
        let flags = flags | self.trigger;
        Ok(epoll::modify(&self.epoll, source, epoll::EventData::new_u64(token as u64), flags)?)
    }

    /// Waits up to `timeout` (for ever without one) and returns how many sockets are ready.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<usize> {
        self.events.clear();
        let timeout = timeout.map(Timespec::try_from).transpose()?;
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(self.events.len()),
            Err(error) => Err(error.into()),
        }
    }

    /// One of the sockets that the last wait found.
    pub(crate) fn ready(&self, index: usize) -> Option<Ready> {
        let event = *self.events.get(index)?;
        let (flags, token) = (event.flags, event.data.u64());
        let writable = flags.contains(epoll::EventFlags::OUT);
        let readable = flags.intersects(!epoll::EventFlags::OUT);
        let ended =
            flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        Some(Ready { token: usize::try_from(token).ok()?, readable, writable, ended })
    }
}

fn interest(readable: bool, writable: bool) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN | epoll::EventFlags::RDHUP, readable);
    flags.set(epoll::EventFlags::OUT, writable);
    flags
}

/// One non-blocking connection with what could not be written yet and the part of a frame that a
/// read cut off.
pub(crate) struct Peer {
    stream: TcpStream,
    token: usize,
    outbox: Vec<u8>,
    carry: Vec<u8>,
    wants_write: bool,
    paused: bool,
}

impl Peer {
    /// Begins to connect; the socket becomes writable when that is done. With a bound on what the kernel takes in
    /// while nobody reads, in bytes.
    pub(crate) fn connect(
        address: SocketAddrV4,
        token: usize,
        poller: &Poller,
        receive_bytes: Option<usize>,
    ) -> io::Result<Self> {
        let socket = socket()?;
        if let Some(receive_bytes) = receive_bytes {
            sockopt::set_socket_recv_buffer_size(&socket, receive_bytes)?;
        }
        sockopt::set_tcp_nodelay(&socket, true)?;
        // Closing resets: thousands of sockets in TIME_WAIT would use up the ports.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        match net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        poller.add(&socket, token, true)?;
        Ok(Self {
            stream: socket.into(),
            token,
            outbox: Vec::new(),
            carry: Vec::new(),
            wants_write: true,
            paused: false,
        })
    }

    /// Takes over a connection that a listener accepted.
    pub(crate) fn accepted(stream: TcpStream, token: usize, poller: &Poller) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        poller.add(&stream, token, false)?;
        Ok(Self { stream, token, outbox: Vec::new(), carry: Vec::new(), wants_write: false, paused: false })
    }

    /// The error of a connect that failed.
    pub(crate) fn connected(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    /// Writes now if nothing waits, else queues.
    pub(crate) fn send(&mut self, bytes: &[u8], poller: &Poller) -> io::Result<()> {
        let mut sent_bytes = 0;
        if self.outbox.is_empty() {
            match self.stream.write(bytes) {
                Ok(written_bytes) if written_bytes == bytes.len() => return Ok(()),
                Ok(written_bytes) => sent_bytes = written_bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.extend_from_slice(&bytes[sent_bytes..]);
        if self.outbox.len() > OUTBOX_BYTES_MAX {
            return Err(io::Error::other("the peer does not read"));
        }
        self.arm(true, poller)
    }

    /// Writes what waits; to be called when the socket is writable.
    pub(crate) fn flush(&mut self, poller: &Poller) -> io::Result<()> {
        if !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(written_bytes) => drop(self.outbox.drain(..written_bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.arm(!self.outbox.is_empty(), poller)
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox.len()
    }

    fn arm(&mut self, wants_write: bool, poller: &Poller) -> io::Result<()> {
        if wants_write != self.wants_write {
            self.wants_write = wants_write;
            self.register(poller)?;
        }
        Ok(())
    }

    fn register(&self, poller: &Poller) -> io::Result<()> {
        poller.change(&self.stream, self.token, interest(!self.paused, self.wants_write))
    }

    /// Stops to read, or reads on. That the other side resets the connection is noticed all the same.
    pub(crate) fn pause(&mut self, paused: bool, poller: &Poller) -> io::Result<()> {
        self.paused = paused;
        self.register(poller)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Reads once, behind what the last read cut off, and returns how much of `scratch` is filled;
    /// zero when there was nothing to read.
    pub(crate) fn fill(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        let held_bytes = self.carry.len();
        let Some(room) = scratch.get_mut(held_bytes..).filter(|room| !room.is_empty()) else {
            return Err(io::Error::other("a frame is longer than the read buffer"));
        };
        match self.stream.read(room) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read_bytes) => {
                scratch[..held_bytes].copy_from_slice(&self.carry);
                self.carry.clear();
                Ok(held_bytes + read_bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// What the last read cut off, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.carry.len()
    }

    /// Keeps the part of a frame at the end of a read for the next one.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.carry.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[test]
    fn an_edge_is_told_once_and_an_end_with_what_came_before_it() {
        let listener = listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("no IPv4") };
        let mut poller = Poller::edge().unwrap();
        let mut peer = Peer::connect(address, 7, &poller, None).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        peer.flush(&poller).unwrap();
        server.write_all(b"last words").unwrap();
        drop(server);
        let patience = Some(Duration::from_secs(10));
        loop {
            assert!(poller.wait(patience).unwrap() > 0, "the end was not told");
            let ready = poller.ready(0).unwrap();
            assert_eq!(ready.token, 7);
            if ready.ended {
                assert!(ready.readable);
                break;
            }
        }
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), 0);
        let mut scratch = [0; 64];
        assert_eq!(peer.fill(&mut scratch).unwrap(), 10);
        assert_eq!(peer.fill(&mut scratch).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
