//! The bytes of one connection.
//!
//! [`Socket`] is shared on its worker by the shard, the actor and the task: whoever has a frame writes it
//! straight to the kernel when nothing waits; else it goes to the outbox and the task is woken. The task
//! ([`SocketTask`]) reads, decodes, and empties the outbox when the socket is writable. It owns no buffer
//! while idle: reads go through one scratch buffer a worker.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::outbox::Outbox;
use crate::config::ConnectionSection;
use crate::protocol::codes::Close;
use crate::protocol::priority::Priority;
use crate::telemetry::Counter;
use crate::websocket::{Decoder, Event, Limits, Opcode, close_frame, frame};

/// Frames that one write hands to the kernel.
const SLICES_PER_WRITE: usize = 64;

/// Reads of one connection before others get their turn.
const READS_PER_TURN: usize = 8;

/// What the hub needs of a byte stream: TCP, TLS, or a pipe in a test.
pub trait SocketIo: AsyncRead + AsyncWrite + Unpin {
    /// Writes what fits at once, never waits: `WouldBlock` when nothing fits.
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(self).poll_write_vectored(&mut context, parts) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl SocketIo for TcpStream {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(parts)
    }
}

impl SocketIo for tokio::io::DuplexStream {}

/// What came from the client and waits for its actor.
#[derive(Debug)]
pub enum Inbound {
    /// A text message.
    Text(Box<str>),
    /// A binary message, which this protocol does not have.
    Binary,
}

/// How far a connection is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Data flows.
    Open,
    /// A close frame is queued or sent; no more data goes out.
    Closing(Close),
    /// Nothing more is read or written.
    Gone(Close),
}

/// One connection's bytes. Lives on its worker.
pub struct Socket {
    io: RefCell<Box<dyn SocketIo>>,
    outbox: RefCell<Outbox>,
    inbound: RefCell<VecDeque<Inbound>>,
    inbound_bytes: Cell<usize>,
    phase: Cell<Phase>,
    task: RefCell<Option<Waker>>,
    /// Set by a ping, cleared by any pong.
    pub awaits_pong: Cell<bool>,
    /// Bytes received.
    pub bytes_in: Cell<u64>,
    /// Bytes handed to the kernel.
    pub bytes_out: Cell<u64>,
}

impl Socket {
    /// A connection after its handshake.
    pub fn new(io: Box<dyn SocketIo>, settings: &ConnectionSection) -> Self {
        Self {
            io: RefCell::new(io),
            outbox: RefCell::new(Outbox::new(settings.outbox_bytes_max, settings.control_bytes_max)),
            inbound: RefCell::default(),
            inbound_bytes: Cell::new(0),
            phase: Cell::new(Phase::Open),
            task: RefCell::new(None),
            awaits_pong: Cell::new(false),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    /// Sends data frames of one topic, in order: what fits goes out at once, the rest waits. `joined` is the
    /// frames in one piece. A full outbox closes the connection as slow.
    pub fn send(&self, topic: u32, frames: &[(Bytes, Priority)], joined: &Bytes) {
        if self.phase.get() != Phase::Open {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        let mut written = 0;
        if outbox.is_empty() {
            written = match self.write_now(&[IoSlice::new(joined)]) {
                Ok(written) if written == joined.len() => return,
                Ok(written) => written,
                Err(()) => return,
            };
        }
        for (frame, priority) in frames {
            if written >= frame.len() {
                written -= frame.len();
                continue;
            }
            if written > 0 {
                outbox.begin(frame.slice(written..));
                written = 0;
                continue;
            }
            if outbox.push(topic, *priority, frame.clone()).is_err() {
                drop(outbox);
                return self.close(Close::Slow);
            }
        }
        drop(outbox);
        self.wake();
    }

    /// Sends one data frame.
    pub fn send_one(&self, topic: u32, priority: Priority, frame: &Bytes) {
        self.send(topic, &[(frame.clone(), priority)], frame);
    }

    /// Sends a control frame ahead of all data.
    pub fn send_control(&self, frame: Bytes) {
        if self.phase.get() != Phase::Open {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        let mut rest = frame;
        if outbox.is_empty() {
            match self.write_now(&[IoSlice::new(&rest)]) {
                Ok(written) if written == rest.len() => return,
                Ok(0) | Err(()) => {}
                Ok(written) => {
                    outbox.begin(rest.split_off(written));
                    drop(outbox);
                    return self.wake();
                }
            }
        }
        let full = outbox.push_control(rest).is_err();
        drop(outbox);
        if full {
            return self.cut(Close::Slow);
        }
        self.wake();
    }

    /// Writes what fits; an error of the stream ends the connection.
    fn write_now(&self, parts: &[IoSlice<'_>]) -> Result<usize, ()> {
        match self.io.borrow_mut().write_now(parts) {
            Ok(written) => {
                self.bytes_out.set(self.bytes_out.get() + written as u64);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => {
                self.cut(Close::GoingAway);
                Err(())
            }
        }
    }

    /// Begins the end: data that waits is dropped, the close frame goes out after a begun frame.
    pub fn close(&self, close: Close) {
        if self.phase.get() != Phase::Open {
            return;
        }
        self.outbox.borrow_mut().drop_data();
        self.send_control(close_frame(close.code(), close.name()));
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Closing(close));
        }
        self.wake();
    }

    /// Ends without another byte.
    pub fn cut(&self, close: Close) {
        let cause = match self.phase.get() {
            Phase::Open => close,
            Phase::Closing(cause) | Phase::Gone(cause) => cause,
        };
        self.phase.set(Phase::Gone(cause));
        self.wake();
    }

    /// How far it is from its end.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Bytes that wait for the socket.
    pub fn outbox_bytes(&self) -> usize {
        self.outbox.borrow().bytes()
    }

    /// The next message from the client. Reading goes on when enough were taken.
    pub fn take_inbound(&self) -> Option<Inbound> {
        let inbound = self.inbound.borrow_mut().pop_front();
        match &inbound {
            Some(Inbound::Text(text)) => self.inbound_bytes.set(self.inbound_bytes.get() - text.len()),
            Some(Inbound::Binary) => {}
            None => {
                *self.inbound.borrow_mut() = VecDeque::new();
                self.wake();
            }
        }
        inbound
    }

    /// Acts as if the client had sent this.
    pub fn push_inbound(&self, inbound: Inbound) {
        if let Inbound::Text(text) = &inbound {
            self.inbound_bytes.set(self.inbound_bytes.get() + text.len());
        }
        self.inbound.borrow_mut().push_back(inbound);
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Hands the outbox to the kernel until it is empty or the kernel is full.
    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut outbox = self.outbox.borrow_mut();
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = outbox.head(&mut slices);
            let Some(parts) = slices.get(..filled).filter(|parts| !parts.is_empty()) else {
                return Poll::Ready(Ok(()));
            };
            let written = match Pin::new(&mut **self.io.borrow_mut()).poll_write_vectored(context, parts) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            };
            self.bytes_out.set(self.bytes_out.get() + written as u64);
            outbox.advance(written);
        }
    }

    fn has_room_for_inbound(&self, settings: &ConnectionSection) -> bool {
        self.inbound_bytes.get() < settings.inbound_bytes_max
    }
}

/// What the task tells its owner.
pub trait SocketOwner {
    /// Messages wait in [`Socket::take_inbound`].
    fn inbound(&self);
    /// The connection is over.
    fn gone(&self, close: Close);
}

/// Reads and flushes one socket until it is over.
pub struct SocketTask<O: SocketOwner> {
    /// The socket.
    pub socket: std::rc::Rc<Socket>,
    /// Early bytes that came with the handshake.
    pub leftover: Vec<u8>,
    /// The incremental decoder.
    pub decoder: Decoder,
    /// Who is told.
    pub owner: O,
    /// Bounds.
    pub settings: std::sync::Arc<super::Services>,
    /// The worker's read buffer.
    pub scratch: std::rc::Rc<RefCell<Vec<u8>>>,
}

/// Bytes of a worker's read buffer.
pub const SCRATCH_BYTES: usize = 64 * 1024;

/// The decoder's limits under these settings.
pub fn limits(settings: &ConnectionSection) -> Limits {
    Limits { frame_bytes_max: settings.frame_bytes_max, message_bytes_max: settings.frame_bytes_max }
}

impl<O: SocketOwner + Unpin> Future for SocketTask<O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let socket = this.socket.clone();
        {
            let mut task = socket.task.borrow_mut();
            if task.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
        }
        let over = this.turn(&socket, context);
        match socket.phase() {
            Phase::Gone(close) => {
                this.owner.gone(close);
                Poll::Ready(())
            }
            _ if over => {
                socket.cut(Close::Normal);
                if let Phase::Gone(close) = socket.phase() {
                    this.owner.gone(close);
                }
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

impl<O: SocketOwner> SocketTask<O> {
    /// One turn of flushing and reading; true when the connection is over.
    fn turn(&mut self, socket: &Socket, context: &mut Context<'_>) -> bool {
        let flushed = match socket.poll_flush(context) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => return true,
            Poll::Pending => false,
        };
        if flushed && matches!(socket.phase(), Phase::Closing(_)) {
            // The close frame is out: say so to TCP, then wait for the client's own close or the deadline.
            let shut = Pin::new(&mut **socket.io.borrow_mut()).poll_shutdown(context);
            if matches!(shut, Poll::Ready(Err(_))) {
                return true;
            }
        }
        if !self.leftover.is_empty() {
            let mut early = std::mem::take(&mut self.leftover);
            self.decode(socket, &mut early);
        }
        for _ in 0..READS_PER_TURN {
            if matches!(socket.phase(), Phase::Gone(_))
                || !socket.has_room_for_inbound(&self.settings.settings)
            {
                return false;
            }
            match self.read(socket, context) {
                Poll::Pending => return false,
                Poll::Ready(over) if over => return true,
                Poll::Ready(_) => {}
            }
        }
        context.waker().wake_by_ref();
        false
    }

    /// One read; `Ready(true)` at the end of the stream.
    fn read(&mut self, socket: &Socket, context: &mut Context<'_>) -> Poll<bool> {
        let scratch = self.scratch.clone();
        let mut scratch = scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match Pin::new(&mut **socket.io.borrow_mut()).poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(true),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(true),
            Poll::Ready(Ok(())) => {}
        }
        self.decode(socket, buffer.filled_mut());
        Poll::Ready(false)
    }

    fn decode(&mut self, socket: &Socket, input: &mut [u8]) {
        socket.bytes_in.set(socket.bytes_in.get() + input.len() as u64);
        Counter::BytesIn.add(input.len() as u64);
        let mut arrived = 0;
        let mut events = self.decoder.feed(input);
        while let Some(event) = events.next_event() {
            match event {
                Ok(Event::Text(text)) => {
                    arrived += 1;
                    socket.push_inbound(Inbound::Text(text.into()));
                }
                Ok(Event::Binary(_)) => {
                    arrived += 1;
                    socket.push_inbound(Inbound::Binary);
                }
                Ok(Event::Ping(payload)) => socket.send_control(frame(Opcode::Pong, payload)),
                Ok(Event::Pong(_)) => socket.awaits_pong.set(false),
                Ok(Event::Close(_)) => {
                    if let Phase::Closing(close) = socket.phase() {
                        socket.cut(close);
                    } else {
                        socket.close(Close::Normal);
                    }
                }
                Err(error) => socket.close(close_of(error.close_code())),
            }
        }
        if arrived > 0 {
            Counter::FramesIn.add(arrived);
            self.owner.inbound();
        }
    }
}

fn close_of(code: u16) -> Close {
    match code {
        1007 => Close::InvalidText,
        1009 => Close::TooLarge,
        _ => Close::Protocol,
    }
}
