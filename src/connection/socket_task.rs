//! The task of one connection: reads, decodes, and empties the outbox when the socket is writable.
//!
//! It owns no buffer while idle: reads go through one scratch buffer a worker. What messages mean is up to its
//! [`SocketOwner`]: a seat of the hub's, or whatever a test or an example makes of them.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::socket::{Inbound, Phase, Socket};
use crate::config::ConnectionSection;
use crate::protocol::codes::Close;
use crate::telemetry::Counter;
use crate::websocket::{Decoder, Event, Limits, Opcode, frame};

/// Reads of one connection before others get their turn.
const READS_PER_TURN: usize = 8;

/// What the task tells its owner.
pub trait SocketOwner {
    /// Messages wait in [`Socket::take_inbound`]. Told after each read that brought some, and before a close
    /// that came behind them.
    fn inbound(&self);
    /// The outbox has moved.
    fn flushed(&self);
    /// The connection is over.
    fn gone(&self, close: Close);
}

/// Reads and flushes one socket until it is over.
pub struct SocketTask<O: SocketOwner> {
    /// The socket.
    socket: Rc<Socket>,
    /// Early bytes that came with the handshake.
    leftover: Vec<u8>,
    /// The incremental decoder.
    decoder: Decoder,
    /// Who is told.
    owner: O,
    /// What may wait for the owner before the socket is no longer read.
    inbound_bytes_max: usize,
    /// The client will say nothing more, and the hub is closing.
    heard_out: bool,
    /// The worker's read buffer.
    scratch: Scratch,
}

/// The read buffer of a worker.
pub type Scratch = Rc<RefCell<Vec<u8>>>;

/// Bytes of a worker's read buffer.
const SCRATCH_BYTES: usize = 64 * 1024;

/// A read buffer for one worker.
pub fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; SCRATCH_BYTES]))
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
    /// The task of a socket whose handshake is done; `leftover` is what the client sent right behind it. To be
    /// spawned on the socket's own thread.
    pub fn new(
        socket: Rc<Socket>,
        leftover: Vec<u8>,
        owner: O,
        settings: &ConnectionSection,
        scratch: &Scratch,
    ) -> Self {
        let bytes_max = settings.frame_bytes_max;
        let limits = Limits { frame_bytes_max: bytes_max, message_bytes_max: bytes_max };
        let decoder = Decoder::new(limits).with_deflate(socket.format.deflate_bytes_min.is_some());
        let inbound_bytes_max = settings.inbound_bytes_max;
        let scratch = scratch.clone();
        Self { socket, leftover, decoder, owner, inbound_bytes_max, heard_out: false, scratch }
    }

    /// One turn of flushing and reading; true when the connection is over.
    fn turn(&mut self, socket: &Socket, context: &mut Context<'_>) -> bool {
        let bytes_out = socket.bytes_out.get();
        let flushed = match socket.poll_flush(context) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => return true,
            Poll::Pending => false,
        };
        if socket.take_hurried() || bytes_out != socket.bytes_out.get() {
            self.owner.flushed();
        }
        if flushed && matches!(socket.phase(), Phase::Closing(_)) {
            // The close frame is out: say so to TCP, then wait for the client's own close or the deadline.
            let shut = Pin::new(&mut **socket.io.borrow_mut()).poll_shutdown(context);
            if matches!(shut, Poll::Ready(Err(_))) || self.heard_out {
                return true;
            }
        }
        if self.heard_out {
            return false;
        }
        if !self.leftover.is_empty() {
            let mut early = std::mem::take(&mut self.leftover);
            self.decode(socket, &mut early);
        }
        for _ in 0..READS_PER_TURN {
            if matches!(socket.phase(), Phase::Gone(_)) || socket.inbound_bytes() >= self.inbound_bytes_max {
                return false;
            }
            if self.heard_out {
                // Over as soon as the close frame is out, which may be now.
                break;
            }
            match self.read(socket, context) {
                Poll::Pending => return false,
                // It may have ended its own half only: what is to be said to it still is.
                Poll::Ready(true) if matches!(socket.phase(), Phase::Closing(_)) => self.heard_out = true,
                Poll::Ready(true) => return true,
                Poll::Ready(false) => {}
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
        // Whoever sends is there. The pong may be far behind: the hub itself reads slowly when too much waits.
        socket.awaits_pong.set(false);
        let mut arrived = 0;
        let mut events = self.decoder.feed(input);
        while let Some(event) = events.next_event() {
            let message = match event {
                Ok(Event::Text(text)) => Inbound::Text(text.into()),
                Ok(Event::Binary(bytes)) => Inbound::Binary(bytes.into()),
                Ok(Event::Ping(payload)) => {
                    socket.send_control(frame(Opcode::Pong, payload));
                    continue;
                }
                Ok(Event::Pong(_)) => continue,
                Ok(Event::Close(_)) => {
                    tell(&self.owner, &mut arrived);
                    match socket.phase() {
                        Phase::Closing(_) => self.heard_out = true,
                        _ => socket.close(Close::Normal),
                    }
                    continue;
                }
                Err(error) => {
                    tell(&self.owner, &mut arrived);
                    socket.close(close_of(error.close_code()));
                    continue;
                }
            };
            // Nobody takes what comes behind the hub's own close frame.
            if socket.phase() == Phase::Open {
                arrived += 1;
                socket.push_inbound(message);
            }
        }
        tell(&self.owner, &mut arrived);
    }
}

/// Tells the owner of messages that it has not been told of.
fn tell(owner: &impl SocketOwner, arrived: &mut u64) {
    if *arrived > 0 {
        Counter::FramesIn.add(std::mem::take(arrived));
        owner.inbound();
    }
}

fn close_of(code: u16) -> Close {
    match code {
        1007 => Close::InvalidText,
        1009 => Close::TooLarge,
        _ => Close::Protocol,
    }
}

#[cfg(test)]
mod tests;
