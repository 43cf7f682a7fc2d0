//! A stream that can be made slow on purpose: what is written is held back for a time, in order, as a long way
//! would. A hub with `--lab` wraps its sockets in it; while the fault is off it costs a relaxed load a write.
//!
//! It takes a bounded amount; then it is not writable, and the outbox does what it does for any slow client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::stream::SocketIo;
use crate::fault::{Faults, Point};
use crate::ids::ClientId;
use crate::telemetry::Counter;

/// Bytes that are on their way at once, as a kernel's buffers would have them.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// The stream of a client: as it is, or one that can be made slow.
pub fn client_stream<Io: SocketIo + 'static>(
    io: Io,
    client: &ClientId,
    faults: Option<&Arc<Faults>>,
) -> Box<dyn SocketIo> {
    match faults {
        None => Box::new(io),
        Some(faults) => Box::new(Lagging::new(io, client.shared(), faults.clone())),
    }
}

struct Lagging<Io> {
    io: Io,
    client: Arc<str>,
    faults: Arc<Faults>,
    /// Written and not let go, with the time until which it is held.
    held: VecDeque<(Instant, Bytes)>,
    held_bytes: usize,
    timer: Option<Pin<Box<Sleep>>>,
    /// The socket's task: lets go what is due.
    task: Option<Waker>,
}

impl<Io: SocketIo> Lagging<Io> {
    fn new(io: Io, client: Arc<str>, faults: Arc<Faults>) -> Self {
        Self { io, client, faults, held: VecDeque::new(), held_bytes: 0, timer: None, task: None }
    }

    /// Takes what it has room for; `None` when nothing is to be held.
    fn hold(&mut self, parts: &[IoSlice<'_>]) -> Option<usize> {
        let latency_ms = self.faults.latency_ms(&self.client);
        if latency_ms.is_none() && self.held.is_empty() {
            return None;
        }
        let room = HELD_BYTES_MAX - self.held_bytes;
        let mut taken = BytesMut::with_capacity(room.min(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            let fits = part.len().min(room - taken.len());
            taken.extend_from_slice(part.get(..fits).unwrap_or_default());
        }
        if taken.is_empty() {
            return Some(0);
        }
        Counter::FaultsInjected.add_for("latency", 1);
        let due = Instant::now() + Duration::from_millis(latency_ms.unwrap_or(0));
        // What was written later does not overtake.
        let due = self.held.back().map_or(due, |(before, _)| due.max(*before));
        self.held_bytes += taken.len();
        let bytes = taken.len();
        self.held.push_back((due, taken.freeze()));
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
        Some(bytes)
    }

    /// Lets go what is due. `Ready`: nothing is held any more.
    fn let_go(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((due, bytes)) = self.held.front_mut() {
            if self.faults.is_on(Point::Latency) && *due > Instant::now() {
                let due = *due;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                if timer.deadline() != due {
                    timer.as_mut().reset(due);
                }
                ready!(timer.as_mut().poll(context));
                continue;
            }
            let written = ready!(Pin::new(&mut self.io).poll_write(context, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held_bytes -= written;
            bytes.advance(written);
            if bytes.is_empty() {
                self.held.pop_front();
            }
        }
        self.timer = None;
        Poll::Ready(Ok(()))
    }

    fn remember(&mut self, context: &Context<'_>) {
        if self.task.as_ref().is_none_or(|task| !task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
        }
    }
}

impl<Io: SocketIo> SocketIo for Lagging<Io> {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.hold(parts) {
            None => self.io.write_now(parts),
            Some(0) => Err(io::ErrorKind::WouldBlock.into()),
            Some(taken) => Ok(taken),
        }
    }

    fn write_urgent(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.held.is_empty() || self.faults.latency_ms(&self.client).is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.io.write_urgent(parts)
    }

    fn take_the_rest(&self) {
        self.io.take_the_rest();
    }
}

impl<Io: SocketIo> AsyncRead for Lagging<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.remember(context);
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: SocketIo> AsyncWrite for Lagging<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.remember(context);
        if let Poll::Ready(Err(error)) = self.let_go(context) {
            return Poll::Ready(Err(error));
        }
        match self.hold(parts) {
            None => Pin::new(&mut self.io).poll_write_vectored(context, parts),
            // Woken by the timer, or by the stream below.
            Some(0) => Poll::Pending,
            Some(taken) => Poll::Ready(Ok(taken)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.remember(context);
        ready!(self.let_go(context))?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.let_go(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Latency;
    use tokio::io::{AsyncReadExt, DuplexStream};

    fn slow(pipe_bytes: usize, delay_ms: u64) -> (Lagging<DuplexStream>, DuplexStream, Arc<Faults>) {
        let (server, client) = tokio::io::duplex(pipe_bytes);
        let faults = Faults::new();
        faults.set_latency(Some(Latency { clients: "c".into(), delay_ms, jitter_ms: 0 }));
        (Lagging::new(server, "c".into(), faults.clone()), client, faults)
    }

    async fn flush(stream: &mut Lagging<DuplexStream>) {
        std::future::poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_come_in_order_and_not_before_their_time() {
        let (mut stream, mut client, _faults) = slow(4, 100);
        let begin = Instant::now();
        assert_eq!(stream.write_now(&[IoSlice::new(b"abc"), IoSlice::new(b"def")]).unwrap(), 6);
        tokio::time::advance(Duration::from_millis(30)).await;
        assert_eq!(stream.write_now(&[IoSlice::new(b"ghi")]).unwrap(), 3);
        let reading = async {
            let mut read = [0; 9];
            client.read_exact(&mut read[..6]).await.unwrap();
            let first = begin.elapsed();
            client.read_exact(&mut read[6..]).await.unwrap();
            (read, first, begin.elapsed())
        };
        let ((), (read, first, second)) = tokio::join!(flush(&mut stream), reading);
        assert_eq!(&read, b"abcdefghi");
        assert!(first >= Duration::from_millis(100) && first < Duration::from_millis(130), "{first:?}");
        assert!(second >= Duration::from_millis(130), "{second:?}");
        assert_eq!(stream.held_bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_of_the_fault_lets_everything_go() {
        let (mut stream, mut client, faults) = slow(64, 3_600_000);
        let begin = Instant::now();
        stream.write_now(&[IoSlice::new(b"abc")]).unwrap();
        faults.set_latency(None);
        assert_eq!(stream.write_now(&[IoSlice::new(b"def")]).unwrap(), 3, "behind what is held");
        flush(&mut stream).await;
        let mut read = [0; 6];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!((&read, begin.elapsed()), (b"abcdef", Duration::ZERO));
        assert!(stream.hold(&[IoSlice::new(b"x")]).is_none(), "from now on nothing stands between");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_bounded() {
        let (mut stream, _client, _faults) = slow(64, 1_000);
        let much = vec![b'x'; HELD_BYTES_MAX + 1];
        assert_eq!(stream.write_now(&[IoSlice::new(&much)]).unwrap(), HELD_BYTES_MAX);
        let full = stream.write_now(&[IoSlice::new(b"y")]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
