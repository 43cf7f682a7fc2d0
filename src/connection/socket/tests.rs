use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// A stream that takes so many bytes, and so many more of what is urgent.
#[derive(Default, Clone)]
struct Stalled(Rc<RefCell<(usize, usize, Vec<u8>)>>);

impl Stalled {
    fn new(room: usize, reserve: usize) -> Self {
        Self(Rc::new(RefCell::new((room, reserve, Vec::new()))))
    }

    fn taken(&self) -> String {
        String::from_utf8(self.0.borrow().2.clone()).unwrap()
    }

    fn take(&self, parts: &[IoSlice<'_>], urgent: bool) -> io::Result<usize> {
        let (room, reserve, taken) = &mut *self.0.borrow_mut();
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let room = (*room + if urgent { *reserve } else { 0 }).saturating_sub(taken.len());
        let fits = bytes.len().min(room);
        taken.extend_from_slice(&bytes[..fits]);
        if fits == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(fits) }
    }
}

impl AsyncRead for Stalled {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stalled {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl SocketIo for Stalled {
    fn write_now(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.take(parts, false)
    }
    fn write_urgent(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.take(parts, true)
    }
}

fn sent_to(stream: &Stalled, frames: &[(u32, Priority, &'static str)]) -> Socket {
    let socket = Socket::new(Box::new(stream.clone()), Format::JSON, &ConnectionSection::default());
    for (offset, (topic, priority, text)) in (1..).zip(frames) {
        let frame = Bytes::from_static(text.as_bytes());
        let entry = Entry {
            topic: *topic,
            priority: *priority,
            offset,
            messages: 1,
            key: None,
            frame: frame.clone(),
        };
        assert_eq!(socket.send(&[Parcel { entry, bundle: None }], &frame), Sent::Whole);
    }
    socket
}

#[test]
fn what_is_critical_goes_into_the_reserve_with_the_rest_of_what_is_begun() {
    let stream = Stalled::new(4, 100);
    let frames =
        [(1, Priority::Normal, "normal"), (1, Priority::Normal, "second"), (2, Priority::Critical, "!")];
    let socket = sent_to(&stream, &frames);
    assert_eq!(stream.taken(), "normal!", "nobody has polled the task");
    assert!(socket.take_hurried(), "the task tells its owner that there is room");
    assert_eq!(socket.outbox_by_priority(), [0, 6, 0]);
}

#[test]
fn of_a_critical_message_the_reserve_may_take_a_part() {
    let stream = Stalled::new(4, 4);
    let frames = [(1, Priority::Normal, "normal"), (2, Priority::Critical, "critical")];
    let socket = sent_to(&stream, &frames);
    assert_eq!(stream.taken(), "normalcr");
    assert_eq!((socket.outbox_bytes(), socket.first_waiting(2)), (6, Some(2)));
}

#[test]
fn a_critical_message_takes_what_waits_of_its_topic_into_the_reserve() {
    let stream = Stalled::new(0, 100);
    let frames =
        [(1, Priority::Normal, "other"), (2, Priority::Low, "first "), (2, Priority::Critical, "second")];
    sent_to(&stream, &frames);
    assert_eq!(stream.taken(), "first second");
}
