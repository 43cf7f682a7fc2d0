//! One socket over a pipe or over TCP: order, bounds, and the end.

mod endings;

use super::*;
use crate::connection::outbox::{Entry, NO_TOPIC};
use crate::connection::parcel::Parcel;
use crate::connection::socket::Sent;
use crate::protocol::encoding::Format;
use crate::protocol::priority::Priority;
use crate::websocket::close_frame;
use bytes::Bytes;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Default)]
struct Witness {
    inbound: Cell<u32>,
    flushed: Cell<u32>,
    gone: RefCell<Vec<Close>>,
}

impl SocketOwner for Rc<Witness> {
    fn inbound(&self) {
        self.inbound.set(self.inbound.get() + 1);
    }
    fn flushed(&self) {
        self.flushed.set(self.flushed.get() + 1);
    }
    fn gone(&self, close: Close) {
        self.gone.borrow_mut().push(close);
    }
}

/// A socket over a pipe that takes `pipe_bytes`: any stream that is read and written goes the same way.
fn start(pipe_bytes: usize, settings: &ConnectionSection) -> (DuplexStream, Rc<Socket>, Rc<Witness>) {
    start_behind(Vec::new(), pipe_bytes, settings)
}

/// The same, with bytes that came right behind the handshake.
fn start_behind(
    leftover: Vec<u8>,
    pipe_bytes: usize,
    settings: &ConnectionSection,
) -> (DuplexStream, Rc<Socket>, Rc<Witness>) {
    let (client, server) = tokio::io::duplex(pipe_bytes);
    let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, settings));
    let owner = Rc::new(Witness::default());
    let task = SocketTask::new(socket.clone(), leftover, owner.clone(), settings, &scratch());
    tokio::task::spawn_local(task);
    (client, socket, owner)
}

impl Witness {
    /// What it was told of the end, once nothing moves any more.
    async fn ended(&self) -> Vec<Close> {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        self.gone.borrow().clone()
    }
}

/// All that the client reads until the stream ends, which must come.
async fn to_the_end(client: &mut DuplexStream) -> Vec<u8> {
    let mut read = Vec::new();
    let whole = tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut read)).await;
    assert!(whole.is_ok(), "the stream does not end after {read:?}");
    read
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
        for (topic, priority, text) in
            [(1, Priority::Normal, "aaaaaa"), (1, Priority::Normal, "bbbbbb"), (2, Priority::Critical, "!!")]
        {
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
        assert_eq!(owner.ended().await, [Close::Slow], "the first cause is the cause");
    })
    .await;
}

/// A frame of a client, masked with zeros.
fn from_client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// A text message of a client.
fn masked(text: &str) -> Vec<u8> {
    from_client(1, text.as_bytes())
}

/// The close frame of the hub.
fn farewell(close: Close) -> Bytes {
    close_frame(close.code(), close.name())
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

fn start_echo() -> DuplexStream {
    let settings = ConnectionSection::default();
    let (client, server) = tokio::io::duplex(1 << 20);
    let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, &settings));
    let owner = Echo(socket.clone());
    tokio::task::spawn_local(SocketTask::new(socket, Vec::new(), owner, &settings, &scratch()));
    client
}

#[tokio::test]
async fn what_came_before_a_violation_is_answered_before_the_close() {
    run(async {
        let mut client = start_echo();
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
        assert_eq!((owner.ended().await, owner.inbound.get()), (vec![Close::BadFrames], 0));
        assert!(socket.take_inbound().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_came_with_the_handshake_is_read_first() {
    let (early, later) = (masked("early"), masked("later"));
    // Whole, and cut within its frame.
    for cut in [early.len(), 3] {
        run(async {
            let (mut client, socket, owner) =
                start_behind(early[..cut].to_vec(), 1 << 20, &ConnectionSection::default());
            client.write_all(&[&early[cut..], &later].concat()).await.unwrap();
            assert_eq!(owner.ended().await, []);
            let read = [socket.take_inbound(), socket.take_inbound(), socket.take_inbound()];
            let text = |text: &str| Some(Inbound::Text(text.into()));
            assert_eq!(read, [text("early"), text("later"), None]);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_is_answered_and_then_the_stream_ends() {
    run(async {
        let (mut client, _socket, owner) = start(1 << 20, &ConnectionSection::default());
        client.write_all(&from_client(8, &1000_u16.to_be_bytes())).await.unwrap();
        assert_eq!(to_the_end(&mut client).await, farewell(Close::Normal));
        drop(client);
        assert_eq!(owner.ended().await, [Close::Normal]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn behind_its_own_close_the_hub_sends_nothing_and_waits_for_the_answer() {
    run(async {
        let (mut client, socket, owner) = start(1 << 20, &ConnectionSection::default());
        tokio::task::yield_now().await;
        socket.close(Close::BadFrames);
        socket.send_one(Priority::Critical, &"too late".into());
        client.write_all(&from_client(9, b"are you there")).await.unwrap();
        assert_eq!(to_the_end(&mut client).await, farewell(Close::BadFrames));
        assert_eq!(owner.ended().await, [], "the client has not answered");
        client.write_all(&from_client(8, b"")).await.unwrap();
        assert_eq!(owner.ended().await, [Close::BadFrames]);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_gone_without_a_word_is_told_once() {
    run(async {
        let (client, socket, owner) = start(1 << 20, &ConnectionSection::default());
        tokio::task::yield_now().await;
        drop(client);
        socket.send_one(Priority::Normal, &"unheard".into());
        assert_eq!(socket.phase(), Phase::Gone(Close::GoingAway), "the stream refuses it");
        assert_eq!(owner.ended().await, [Close::GoingAway]);
        let (client, _socket, owner) = start(1 << 20, &ConnectionSection::default());
        tokio::task::yield_now().await;
        drop(client);
        assert_eq!(owner.ended().await, [Close::GoingAway]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_close_is_answered_before_it() {
    run(async {
        let mut client = start_echo();
        client.write_all(&[masked("hi"), from_client(8, b"")].concat()).await.unwrap();
        let expected = [b"\x81\x02hi", &*farewell(Close::Normal)].concat();
        assert_eq!(to_the_end(&mut client).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_ping_is_answered_whole_however_little_the_stream_takes() {
    run(async {
        let (mut client, socket, owner) = start(5, &ConnectionSection::default());
        client.write_all(&from_client(9, b"0123456789")).await.unwrap();
        let mut read = [0; 12];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(read, *b"\x8a\x0a0123456789");
        assert!(owner.flushed.get() > 0);
        socket.awaits_pong.set(true);
        client.write_all(&from_client(10, b"")).await.unwrap();
        assert_eq!(owner.ended().await, []);
        assert!(!socket.awaits_pong.get(), "a pong came");
    })
    .await;
}

#[tokio::test]
async fn who_sends_is_there_though_the_pong_stands_behind_what_it_sent() {
    run(async {
        let (mut client, socket, owner) = start(1 << 10, &ConnectionSection::default());
        socket.awaits_pong.set(true);
        client.write_all(&masked("half of it")[..8]).await.unwrap();
        assert_eq!(owner.ended().await, []);
        assert!(!socket.awaits_pong.get(), "something came");
        socket.push_inbound(Inbound::Text("waits".into()));
        socket.awaits_pong.set(true);
        assert!(socket.take_inbound().is_some() && socket.awaits_pong.get());
        assert!(
            socket.take_inbound().is_none() && !socket.awaits_pong.get(),
            "what is behind it is read now"
        );
    })
    .await;
}

#[tokio::test]
async fn who_pings_and_does_not_read_is_cut_as_slow() {
    run(async {
        let settings = ConnectionSection { control_bytes_max: 64, ..ConnectionSection::default() };
        let (mut client, socket, owner) = start(40, &settings);
        // Its end of the pipe ends with the task.
        drop(socket);
        for _ in 0..20 {
            if client.write_all(&from_client(9, b"0123456789")).await.is_err() {
                break;
            }
        }
        assert_eq!(owner.ended().await, [Close::Slow]);
    })
    .await;
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_client_that_always_has_more_leaves_others_their_turn() {
    const MESSAGES: usize = 100;
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let settings = ConnectionSection::default();
    let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, &settings));
    let message = masked("0123456789");
    client.write_all(&message.repeat(MESSAGES)).await.unwrap();
    // A read a message.
    let scratch = Rc::new(RefCell::new(vec![0; message.len()]));
    let owner = Rc::new(Witness::default());
    let mut task = SocketTask::new(socket.clone(), Vec::new(), owner.clone(), &settings, &scratch);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    for turn in 1..=MESSAGES / READS_PER_TURN {
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(owner.inbound.get() as usize, turn * READS_PER_TURN);
        assert!(wakes.0.load(Ordering::Relaxed) >= turn, "it goes on by itself");
    }
}
