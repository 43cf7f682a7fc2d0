//! What the hub needs of a byte stream, whatever it is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

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

    /// Nothing will overtake what is written from now on: the stream may take more of it than it sends at once.
    fn take_the_rest(&self) {}
}

impl SocketIo for TcpStream {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(parts)
    }

    fn take_the_rest(&self) {
        // Back to the bound of the system. Without it the end is told less well.
        drop(SockRef::from(self).set_tcp_notsent_lowat(0));
    }
}

impl SocketIo for tokio::io::DuplexStream {}
