//! The bytes of one connection.
//!
//! [`Socket`] is shared on its worker by the shard, the actor and the task: whoever has a frame writes it
//! straight to the kernel when nothing waits; else it goes to the outbox and the task is woken, which
//! empties it when the socket is writable.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::outbox::{Bounds, Entry, Lag, NO_TOPIC, Outbox};
use super::parcel::Parcel;
use super::stream::SocketIo;
use crate::config::ConnectionSection;
use crate::protocol::codes::Close;
use crate::protocol::encoding::Format;
use crate::protocol::priority::Priority;
use crate::telemetry::Counter;
use crate::websocket::close_frame;

/// Frames that one write hands to the kernel.
const SLICES_PER_WRITE: usize = 64;

/// To so many bytes a write is filled up with what is not urgent: a kernel that is not full takes whole writes.
const WRITE_BYTES_MAX: usize = 16 * 1024;

/// A message that came from the client and waits for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A text message.
    Text(Box<str>),
    /// A binary message.
    Binary(Box<[u8]>),
}

impl Inbound {
    /// Bytes that it is counted with: a message without any takes a place in the queue all the same.
    fn bytes(&self) -> usize {
        let payload_bytes = match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        };
        size_of::<Self>() + payload_bytes
    }
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

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is out or waits.
    Whole,
    /// Something was dropped to make room, and the client has not been told.
    Lost,
    /// There is no room: the client is to be closed as slow.
    Full,
    /// The connection is over.
    Over,
}

/// One connection's bytes. Lives on its worker.
pub struct Socket {
    /// How frames for this client are made.
    pub format: Format,
    pub(super) io: RefCell<Box<dyn SocketIo>>,
    /// What the kernel did not take. An idle connection holds no memory for it.
    outbox: RefCell<Option<Box<Outbox>>>,
    outbox_bounds: Bounds,
    inbound: RefCell<VecDeque<Inbound>>,
    inbound_bytes: Cell<usize>,
    phase: Cell<Phase>,
    pub(super) task: RefCell<Option<Waker>>,
    /// The outbox has moved without the task, which tells the owner.
    hurried: Cell<bool>,
    /// Set by a ping, cleared by whatever the client sends.
    pub awaits_pong: Cell<bool>,
    /// Bytes received.
    pub bytes_in: Cell<u64>,
    /// Bytes handed to the kernel.
    pub bytes_out: Cell<u64>,
}

impl Socket {
    /// A connection after its handshake.
    pub fn new(io: Box<dyn SocketIo>, format: Format, settings: &ConnectionSection) -> Self {
        Self {
            format,
            io: RefCell::new(io),
            outbox: RefCell::new(None),
            outbox_bounds: Bounds {
                bytes_max: settings.outbox_bytes_max,
                control_bytes_max: settings.control_bytes_max,
            },
            inbound: RefCell::default(),
            inbound_bytes: Cell::new(0),
            phase: Cell::new(Phase::Open),
            task: RefCell::new(None),
            hurried: Cell::new(false),
            awaits_pong: Cell::new(false),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
        }
    }

    /// Sends frames of one topic, in order: what fits goes out at once, the rest waits. `joined` is the frames in
    /// one piece.
    pub fn send(&self, parcels: &[Parcel], joined: &Bytes) -> Sent {
        if self.phase.get() != Phase::Open {
            return Sent::Over;
        }
        let mut written = 0;
        if self.outbox_bytes() == 0 {
            written = match self.write_now(&[IoSlice::new(joined)]) {
                Ok(written) if written == joined.len() => return Sent::Whole,
                Ok(written) => written,
                Err(()) => return Sent::Over,
            };
        }
        let mut outbox = self.outbox_mut();
        for parcel in parcels {
            let frame = &parcel.entry.frame;
            if written >= frame.len() {
                written -= frame.len();
                continue;
            }
            if written > 0 {
                outbox.begin(frame.slice(written..), parcel.entry.topic, parcel.entry.offset);
                written = 0;
                continue;
            }
            if parcel.queue(&mut outbox, self.format).is_err() {
                return Sent::Full;
            }
        }
        let lost = outbox.has_dropped();
        drop(outbox);
        self.wake();
        if lost {
            // What is critical may not overtake the word of what was lost before it.
            return Sent::Lost;
        }
        self.hurry();
        Sent::Whole
    }

    /// Sends one frame that belongs to no topic.
    pub fn send_one(&self, priority: Priority, frame: &Bytes) {
        let entry =
            Entry { topic: NO_TOPIC, priority, offset: 0, messages: 0, key: None, frame: frame.clone() };
        if self.send(&[Parcel { entry, bundle: None }], frame) == Sent::Full {
            self.close(Close::Slow);
        }
    }

    /// Sends a control frame ahead of all data.
    pub fn send_control(&self, frame: Bytes) {
        if self.phase.get() != Phase::Open {
            return;
        }
        let mut rest = frame;
        if self.outbox_bytes() == 0 {
            match self.write_now(&[IoSlice::new(&rest)]) {
                Ok(written) if written == rest.len() => return self.control_is_out(),
                Ok(0) | Err(()) => {}
                Ok(written) => {
                    self.outbox_mut().begin(rest.split_off(written), NO_TOPIC, 0);
                    return self.wake();
                }
            }
        }
        let full = self.outbox_mut().push_control(rest).is_err();
        if full {
            return self.cut(Close::Slow);
        }
        self.wake();
    }

    /// Hands what is critical to the stream's reserve, with what stands before it: else it waits until the client
    /// makes room and the task is woken.
    pub(super) fn hurry(&self) {
        let mut place = self.outbox.borrow_mut();
        let Some(outbox) = place.as_mut().filter(|outbox| outbox.has_critical()) else { return };
        let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
        let filled = outbox.head(&mut slices, 0);
        let written = self.io.borrow_mut().write_urgent(slices.get(..filled).unwrap_or_default());
        // An error is the task's to find.
        if let Ok(written) = written {
            self.count_out(written);
            outbox.advance(written);
            self.hurried.set(true);
        }
    }

    /// Whether the outbox has moved without the task since this was last asked.
    pub(super) fn take_hurried(&self) -> bool {
        self.hurried.take()
    }

    fn control_is_out(&self) {
        let mut place = self.outbox.borrow_mut();
        if let Some(outbox) = &mut *place {
            outbox.control_is_out();
        }
        place.take_if(|outbox| outbox.is_spent());
    }

    /// Writes what fits; an error of the stream ends the connection.
    fn write_now(&self, parts: &[IoSlice<'_>]) -> Result<usize, ()> {
        match self.io.borrow_mut().write_now(parts) {
            Ok(written) => {
                self.count_out(written);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => {
                self.cut(Close::GoingAway);
                Err(())
            }
        }
    }

    /// Forgets what waits of a topic.
    pub(super) fn forget_topic(&self, topic: u32) {
        if let Some(outbox) = &mut *self.outbox.borrow_mut() {
            outbox.forget_topic(topic);
        }
    }

    /// Begins the end: data that waits is dropped, the close frame goes out after a begun frame. A client that does
    /// not read now finds it when it does, as long as the kernel keeps it.
    pub fn close(&self, close: Close) {
        if self.phase.get() != Phase::Open {
            return;
        }
        self.outbox_mut().drop_data();
        self.forget_inbound();
        self.io.borrow().take_the_rest();
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

    /// What may wait for the socket.
    pub(super) fn outbox_bytes_max(&self) -> usize {
        self.outbox_bounds.bytes_max
    }

    /// Bytes that wait for the socket.
    pub fn outbox_bytes(&self) -> usize {
        self.of_outbox(Outbox::bytes)
    }

    /// Bytes that wait, by urgency.
    pub fn outbox_by_priority(&self) -> [usize; 3] {
        self.of_outbox(Outbox::bytes_by_priority)
    }

    /// Frames and bytes that wait by urgency, and last those of the control lane.
    pub fn outbox_depths(&self) -> [(usize, usize); 4] {
        self.of_outbox(Outbox::depths)
    }

    /// Offset of the first message of a topic that waits.
    pub(super) fn first_waiting(&self, topic: u32) -> Option<u64> {
        self.of_outbox(|outbox| outbox.first_offset(topic))
    }

    /// Whether topics lost messages that the client has not been told of.
    pub(super) fn has_dropped(&self) -> bool {
        self.of_outbox(Outbox::has_dropped)
    }

    /// What topics lost on the way to this client since this was last asked.
    pub(super) fn take_lags(&self) -> Vec<Lag> {
        let mut place = self.outbox.borrow_mut();
        let lags = place.as_mut().map(|outbox| outbox.take_lags()).unwrap_or_default();
        place.take_if(|outbox| outbox.is_spent());
        lags
    }

    /// The next message from the client. Reading goes on when enough were taken.
    pub fn take_inbound(&self) -> Option<Inbound> {
        let inbound = self.inbound.borrow_mut().pop_front();
        match &inbound {
            Some(inbound) => self.inbound_bytes.set(self.inbound_bytes.get() - inbound.bytes()),
            None => {
                *self.inbound.borrow_mut() = VecDeque::new();
                // What came behind them, a pong perhaps, is read only now.
                self.awaits_pong.set(false);
                self.wake();
            }
        }
        inbound
    }

    /// Whether messages wait to be taken: what the client sent after them may not be read yet.
    pub fn has_inbound(&self) -> bool {
        !self.inbound.borrow().is_empty()
    }

    /// Acts as if the client had sent this.
    pub fn push_inbound(&self, inbound: Inbound) {
        self.inbound_bytes.set(self.inbound_bytes.get() + inbound.bytes());
        self.inbound.borrow_mut().push_back(inbound);
    }

    /// Nobody takes what waits. Reading goes on to the client's own end: what the kernel still has of a client when
    /// its stream is dropped makes it reset the connection, and the close frame is lost.
    fn forget_inbound(&self) {
        *self.inbound.borrow_mut() = VecDeque::new();
        self.inbound_bytes.set(0);
    }

    fn count_out(&self, written: usize) {
        self.bytes_out.set(self.bytes_out.get() + written as u64);
        Counter::BytesOut.add(written as u64);
    }

    fn outbox_mut(&self) -> RefMut<'_, Outbox> {
        RefMut::map(self.outbox.borrow_mut(), |place| {
            &mut **place.get_or_insert_with(|| Box::new(Outbox::new(self.outbox_bounds)))
        })
    }

    fn of_outbox<T: Default>(&self, read: impl FnOnce(&Outbox) -> T) -> T {
        self.outbox.borrow().as_deref().map(read).unwrap_or_default()
    }

    pub(super) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Hands the outbox to the kernel until it is empty or the kernel is full.
    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut place = self.outbox.borrow_mut();
            let Some(outbox) = &mut *place else { return self.flush_stream(context) };
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let filled = outbox.head(&mut slices, WRITE_BYTES_MAX);
            let Some(parts) = slices.get(..filled).filter(|parts| !parts.is_empty()) else {
                return self.flush_stream(context);
            };
            let written = match Pin::new(&mut **self.io.borrow_mut()).poll_write_vectored(context, parts) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            };
            self.count_out(written);
            outbox.advance(written);
            place.take_if(|outbox| outbox.is_spent());
        }
    }

    /// Lets go what the stream itself holds back.
    fn flush_stream(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.io.borrow_mut()).poll_flush(context)
    }

    /// Bytes of messages that wait for the owner.
    pub(super) fn inbound_bytes(&self) -> usize {
        self.inbound_bytes.get()
    }
}

#[cfg(test)]
mod tests;
