//! The task of one connection: reads, decodes, and empties the outbox when the socket is writable.
//!
//! It owns no buffer while idle: reads go through one scratch buffer a worker.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::Services;
use super::socket::{Inbound, Phase, Socket};
use crate::config::ConnectionSection;
use crate::protocol::codes::Close;
use crate::telemetry::Counter;
use crate::websocket::{Decoder, Event, Limits, Opcode, frame};

/// Reads of one connection before others get their turn.
const READS_PER_TURN: usize = 8;

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
    pub socket: Rc<Socket>,
    /// Early bytes that came with the handshake.
    pub leftover: Vec<u8>,
    /// The incremental decoder.
    pub decoder: Decoder,
    /// Who is told.
    pub owner: O,
    /// Bounds.
    pub settings: Arc<Services>,
    /// The worker's read buffer.
    pub scratch: Rc<RefCell<Vec<u8>>>,
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
                // No close frame came: the client is gone without a word.
                socket.cut(Close::GoingAway);
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
