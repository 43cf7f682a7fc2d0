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
        Self { socket, leftover, decoder, owner, inbound_bytes_max, scratch: scratch.clone() }
    }

    /// One turn of flushing and reading; true when the connection is over.
    fn turn(&mut self, socket: &Socket, context: &mut Context<'_>) -> bool {
        let bytes_out = socket.bytes_out.get();
        let flushed = match socket.poll_flush(context) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => return true,
            Poll::Pending => false,
        };
        if bytes_out != socket.bytes_out.get() {
            self.owner.flushed();
        }
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
            if matches!(socket.phase(), Phase::Gone(_)) || socket.inbound_bytes() >= self.inbound_bytes_max {
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
            let message = match event {
                Ok(Event::Text(text)) => Inbound::Text(text.into()),
                Ok(Event::Binary(bytes)) => Inbound::Binary(bytes.into()),
                Ok(Event::Ping(payload)) => {
                    socket.send_control(frame(Opcode::Pong, payload));
                    continue;
                }
                Ok(Event::Pong(_)) => {
                    socket.awaits_pong.set(false);
                    continue;
                }
                Ok(Event::Close(_)) => {
                    tell(&self.owner, &mut arrived);
                    match socket.phase() {
                        Phase::Closing(close) => socket.cut(close),
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
mod tests {
    use super::*;
    use crate::connection::outbox::{Entry, NO_TOPIC};
    use crate::connection::socket::{Parcel, Sent};
    use crate::protocol::encoding::Format;
    use crate::protocol::priority::Priority;
    use bytes::Bytes;
    use std::cell::Cell;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    #[derive(Default)]
    struct Witness {
        inbound: Cell<u32>,
        gone: Cell<Option<Close>>,
    }

    impl SocketOwner for Rc<Witness> {
        fn inbound(&self) {
            self.inbound.set(self.inbound.get() + 1);
        }
        fn flushed(&self) {}
        fn gone(&self, close: Close) {
            self.gone.set(Some(close));
        }
    }

    /// A socket over a pipe that takes `pipe_bytes`: any stream that is read and written goes the same way.
    fn start(pipe_bytes: usize, settings: &ConnectionSection) -> (DuplexStream, Rc<Socket>, Rc<Witness>) {
        let (client, server) = tokio::io::duplex(pipe_bytes);
        let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, settings));
        let owner = Rc::new(Witness::default());
        let task = SocketTask::new(socket.clone(), Vec::new(), owner.clone(), settings, &scratch());
        tokio::task::spawn_local(task);
        (client, socket, owner)
    }

    fn send(socket: &Socket, topic: u32, priority: Priority, frame: &Bytes) {
        let entry = Entry { topic, priority, offset: 1, messages: 1, key: None, frame: frame.clone() };
        if socket.send(&[Parcel { entry, bundle: None }], frame) == Sent::Full {
            socket.close(Close::Slow);
        }
    }

    async fn run(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn what_does_not_fit_waits_and_comes_in_order() {
        run(async {
            let (mut client, socket, _) = start(16, &ConnectionSection::default());
            let sent: Vec<Bytes> = (0..20u8).map(|n| Bytes::from(vec![n; 7])).collect();
            for frame in &sent {
                send(&socket, 7, Priority::Normal, frame);
            }
            assert!(socket.outbox_bytes() >= 20 * 7 - 16);
            let mut read = vec![0; 20 * 7];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(read, sent.concat());
            assert_eq!(socket.outbox_bytes(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn critical_overtakes_what_waits_but_not_what_is_begun() {
        run(async {
            let (mut client, socket, _) = start(4, &ConnectionSection::default());
            for (topic, priority, text) in [
                (1, Priority::Normal, "aaaaaa"),
                (1, Priority::Normal, "bbbbbb"),
                (2, Priority::Critical, "!!"),
            ] {
                send(&socket, topic, priority, &text.into());
            }
            let mut read = vec![0; 14];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(read, b"aaaaaa!!bbbbbb");
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_that_never_reads_is_closed_when_its_outbox_is_full() {
        run(async {
            let settings = ConnectionSection { outbox_bytes_max: 100, ..ConnectionSection::default() };
            let (_client, socket, owner) = start(10, &settings);
            for _ in 0..20 {
                send(&socket, NO_TOPIC, Priority::Normal, &vec![b'x'; 10].into());
            }
            assert_eq!(socket.phase(), Phase::Closing(Close::Slow));
            assert!(socket.outbox_bytes() < 100, "its data is dropped at once");
            socket.cut(Close::GoingAway);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            assert_eq!(owner.gone.get(), Some(Close::Slow), "the first cause is the cause");
        })
        .await;
    }

    /// A text message of a client, masked with zeros.
    fn masked(text: &str) -> Vec<u8> {
        [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text.as_bytes()].concat()
    }

    #[tokio::test]
    async fn reading_stops_while_the_owner_is_behind() {
        // A message without a byte takes a place too.
        for text in ["ping me", ""] {
            run(async {
                let settings = ConnectionSection { inbound_bytes_max: 60, ..ConnectionSection::default() };
                let (mut client, socket, owner) = start(1 << 20, &settings);
                for _ in 0..8 {
                    client.write_all(&masked(text)).await.unwrap();
                    tokio::task::yield_now().await;
                }
                let before = owner.inbound.get();
                assert!(before < 8, "three fill the bound");
                let mut taken = 0;
                while taken < 8 {
                    match socket.take_inbound() {
                        Some(_) => taken += 1,
                        None => tokio::task::yield_now().await,
                    }
                }
                assert!(owner.inbound.get() > before);
            })
            .await;
        }
    }

    /// An owner that sends back what it gets.
    struct Echo(Rc<Socket>);

    impl SocketOwner for Echo {
        fn inbound(&self) {
            while let Some(Inbound::Text(text)) = self.0.take_inbound() {
                self.0.send_one(Priority::Normal, &frame(Opcode::Text, text.as_bytes()));
            }
        }
        fn flushed(&self) {}
        fn gone(&self, _close: Close) {}
    }

    #[tokio::test]
    async fn what_came_before_a_violation_is_answered_before_the_close() {
        run(async {
            let settings = ConnectionSection::default();
            let (mut client, server) = tokio::io::duplex(1 << 20);
            let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, &settings));
            let owner = Echo(socket.clone());
            tokio::task::spawn_local(SocketTask::new(socket, Vec::new(), owner, &settings, &scratch()));
            // Opcode 3 has no meaning.
            client.write_all(&[masked("hi"), vec![0x83, 0x80, 0, 0, 0, 0]].concat()).await.unwrap();
            let mut read = [0; 8];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(read[..4], *b"\x81\x02hi");
            assert_eq!((read[4], u16::from_be_bytes([read[6], read[7]])), (0x88, 1002));
        })
        .await;
    }

    #[tokio::test]
    async fn nobody_gets_what_comes_behind_the_hubs_close() {
        run(async {
            let (mut client, socket, owner) = start(1 << 20, &ConnectionSection::default());
            tokio::task::yield_now().await;
            socket.close(Close::BadFrames);
            client.write_all(&masked("too late")).await.unwrap();
            client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
            while owner.gone.get().is_none() {
                tokio::task::yield_now().await;
            }
            assert_eq!((owner.inbound.get(), owner.gone.get()), (0, Some(Close::BadFrames)));
            assert!(socket.take_inbound().is_none());
        })
        .await;
    }
}
