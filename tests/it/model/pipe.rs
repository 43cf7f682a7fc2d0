//! A socket whose other end is the test: it holds as many bytes as the test lets it, and is read when the test reads.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use infrawatch::connection::stream::SocketIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that it holds beyond its room when they are urgent.
const RESERVE_BYTES: usize = 600;

#[derive(Default)]
struct Kernel {
    /// Bytes that it holds at most.
    room: usize,
    held: Vec<u8>,
    /// Bytes that it has taken in all.
    taken: u64,
    /// The client is gone.
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Kernel {
    fn write(&mut self, room: usize, parts: &[IoSlice<'_>]) -> usize {
        let mut written = 0;
        for part in parts {
            let taken = part.len().min(room.saturating_sub(self.held.len()));
            self.held.extend_from_slice(&part[..taken]);
            written += taken;
            if taken < part.len() {
                break;
            }
        }
        self.taken += written as u64;
        written
    }
}

/// Both ends.
#[derive(Clone, Default)]
pub(super) struct Pipe(Rc<RefCell<Kernel>>);

impl Pipe {
    pub(super) fn new(room: usize) -> Self {
        let pipe = Self::default();
        pipe.0.borrow_mut().room = room;
        pipe
    }

    pub(super) fn set_room(&self, room: usize) {
        let mut kernel = self.0.borrow_mut();
        kernel.room = room;
        kernel.writer.take().inspect(Waker::wake_by_ref);
    }

    /// Reads at most `bytes`.
    pub(super) fn read(&self, bytes: usize) -> Vec<u8> {
        let mut kernel = self.0.borrow_mut();
        let until = bytes.min(kernel.held.len());
        let read: Vec<u8> = kernel.held.drain(..until).collect();
        if !read.is_empty() {
            kernel.writer.take().inspect(Waker::wake_by_ref);
        }
        read
    }

    /// Bytes that the hub has written in all.
    pub(super) fn taken(&self) -> u64 {
        self.0.borrow().taken
    }

    /// The client is gone without a word.
    pub(super) fn cut(&self) {
        let mut kernel = self.0.borrow_mut();
        kernel.cut = true;
        for waker in [kernel.reader.take(), kernel.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut kernel = self.0.borrow_mut();
        if kernel.cut {
            return Poll::Ready(Ok(()));
        }
        kernel.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut kernel = self.0.borrow_mut();
        let room = kernel.room;
        match kernel.write(room, parts) {
            _ if kernel.cut => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            0 => {
                kernel.writer = Some(context.waker().clone());
                Poll::Pending
            }
            written => Poll::Ready(Ok(written)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Pipe {
    fn write(&self, reserve: usize, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut kernel = self.0.borrow_mut();
        let room = kernel.room + reserve;
        match kernel.write(room, parts) {
            _ if kernel.cut => Err(io::ErrorKind::BrokenPipe.into()),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }
}

impl SocketIo for Pipe {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(0, parts)
    }

    fn write_urgent(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(RESERVE_BYTES, parts)
    }
}
