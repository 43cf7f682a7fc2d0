//! A connection that ends: what is on its way still arrives.

use socket2::SockRef;
use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpSocket};

use super::*;

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
            assert_eq!(owner.ended().await, [Close::Slow]);
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
