//! One socket over a pipe or over TCP: order, bounds, and the end.

use super::*;
use crate::connection::outbox::{Entry, NO_TOPIC};
use crate::connection::parcel::Parcel;
use crate::connection::socket::Sent;
use crate::protocol::encoding::Format;
use crate::protocol::priority::Priority;
use crate::websocket::close_frame;
use bytes::Bytes;
use socket2::SockRef;
use std::cell::Cell;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpSocket};

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
        client.write_all(&CLOSE).await.unwrap();
        while owner.gone.get().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!((owner.inbound.get(), owner.gone.get()), (0, Some(Close::BadFrames)));
        assert!(socket.take_inbound().is_none());
    })
    .await;
}

/// A close frame of a client, masked with zeros, without a reason.
const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];

/// All that the hub says to its end, but for the close frame that it must end with.
async fn ends_with(client: &mut (impl AsyncRead + Unpin), close: Close) -> Vec<u8> {
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    let told = close_frame(close.code(), close.name());
    assert!(read.ends_with(&told), "{read:?} does not end with {told:?}");
    read.truncate(read.len() - told.len());
    read
}

#[tokio::test]
async fn whoever_ends_as_well_is_still_told_why() {
    for with_a_close_frame in [true, false] {
        run(async {
            let (mut client, socket, owner) = start(4, &ConnectionSection::default());
            send(&socket, 1, Priority::Normal, &"begun".into());
            socket.close(Close::Slow);
            // The two pass each other on the way.
            if with_a_close_frame {
                client.write_all(&CLOSE).await.unwrap();
            } else {
                client.shutdown().await.unwrap();
            }
            tokio::task::yield_now().await;
            drop(socket);
            assert_eq!(ends_with(&mut client, Close::Slow).await, b"begun");
            assert_eq!(owner.gone.get(), Some(Close::Slow));
        })
        .await;
    }
}

/// What the kernel has and nobody has read makes it reset the connection, and what is on its way is lost.
#[tokio::test]
async fn a_client_that_talks_and_does_not_listen_is_told_why_when_it_does() {
    run(async {
        let settings = ConnectionSection {
            inbound_bytes_max: 60,
            outbox_bytes_max: 64 * 1024,
            ..ConnectionSection::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let narrow = TcpSocket::new_v4().unwrap();
        narrow.set_recv_buffer_size(4 * 1024).unwrap();
        let mut client = narrow.connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        SockRef::from(&server).set_tcp_notsent_lowat(16 * 1024).unwrap();
        let socket = Rc::new(Socket::new(Box::new(server), Format::JSON, &settings));
        let owner = Rc::new(Witness::default());
        let task = SocketTask::new(socket.clone(), Vec::new(), owner.clone(), &settings, &scratch());
        let task = tokio::task::spawn_local(task);
        // More than the owner takes.
        for _ in 0..100 {
            client.write_all(&masked("are you there?")).await.unwrap();
        }
        while owner.inbound.get() == 0 {
            tokio::task::yield_now().await;
        }
        while socket.phase() == Phase::Open {
            send(&socket, 1, Priority::Normal, &vec![b'x'; 8 * 1024].into());
            tokio::task::yield_now().await;
        }
        while socket.outbox_bytes() > 0 {
            tokio::task::yield_now().await;
        }
        let heard = socket.bytes_in.get();
        // The deadline of its closing, long after.
        socket.cut(Close::GoingAway);
        drop(socket);
        task.await.unwrap();
        let sent = ends_with(&mut client, Close::Slow).await;
        assert!(sent.iter().all(|byte| *byte == b'x') && sent.len() % (8 * 1024) == 0);
        assert_eq!(heard, 100 * masked("are you there?").len() as u64);
    })
    .await;
}
