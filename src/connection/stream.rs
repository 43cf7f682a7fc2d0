//! What the hub needs of the stream under a WebSocket.
//!
//! What the kernel has, nothing overtakes, so it is given little: [`UNSENT_BYTES_MAX`] that it has not sent yet. For what
//! is urgent it has a reserve of [`URGENT_UNSENT_BYTES_MAX`]: it need not wait until the client has made room and the
//! hub was woken to use it.

use std::io::{self, IoSlice};
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Unsent bytes in the kernel above which a socket takes nothing more.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;

/// The same for what is urgent.
const URGENT_UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// TCP, TLS, or a pipe in a test.
pub trait SocketIo: AsyncRead + AsyncWrite + Unpin {
    /// Writes what fits at once, never waits: `WouldBlock` when nothing fits.
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(self).poll_write_vectored(&mut context, parts) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes into the reserve of a stream that is full. One without a reserve says `WouldBlock`.
    fn write_urgent(&mut self, _parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Nothing will overtake what is written from now on: the stream may take more of it than it sends at once.
    fn take_the_rest(&self) {}
}

impl SocketIo for TcpStream {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(parts)
    }

    fn write_urgent(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        // Past tokio, which holds the socket for full.
        let socket = SockRef::from(&*self);
        socket.set_tcp_notsent_lowat(URGENT_UNSENT_BYTES_MAX)?;
        let written = socket.send_vectored(parts);
        // What was taken counts, whatever becomes of the bound.
        drop(socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX));
        written
    }

    fn take_the_rest(&self) {
        // Back to the bound of the system. Without it the end is told less well.
        drop(SockRef::from(self).set_tcp_notsent_lowat(0));
    }
}

impl SocketIo for tokio::io::DuplexStream {}

/// No delay for small frames, little in the kernel that cannot be overtaken: for each stream that this listener accepts.
/// Linux hands both on, which spares two calls a connection.
///
/// # Errors
/// What the kernel says.
pub fn prepare(listener: &TcpListener) -> io::Result<()> {
    let listener = SockRef::from(listener);
    listener.set_tcp_nodelay(true)?;
    listener.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn fill(mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> usize {
        let (part, mut written) = ([b'x'; 1_000], 0);
        loop {
            match write(&[IoSlice::new(&part)]) {
                Ok(bytes) => written += bytes,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return written;
                }
            }
        }
    }

    /// Both ends of a connection.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare(&listener).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn streams_have_what_their_listener_was_told() {
        let (_client, hub) = connection().await;
        assert!(hub.nodelay().unwrap());
        assert_eq!(SockRef::from(&hub).tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_full_stream_has_a_bounded_reserve_for_what_is_urgent() {
        let (_client, mut hub) = connection().await;
        hub.writable().await.unwrap();
        assert!(fill(|parts| hub.write_now(parts)) > 0);
        let urgent = fill(|parts| hub.write_urgent(parts));
        let reserve = (URGENT_UNSENT_BYTES_MAX - UNSENT_BYTES_MAX) as usize;
        assert!((reserve / 2..reserve * 2).contains(&urgent), "{urgent}");
        assert_eq!(fill(|parts| hub.write_now(parts)), 0, "what is not urgent has none");
    }
}
