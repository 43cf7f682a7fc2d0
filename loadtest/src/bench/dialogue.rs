//! One client that waits for what it asked: for measurements of a single connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use memchr::memmem;
use socket2::{Domain, Socket, Type};

use crate::bench::hub::Hub;
use crate::frames::{self, Frame};
use crate::upgrade;

const READ_BYTES: usize = 64 * 1024;
/// What the client's kernel takes in while nobody reads: small, because no server can overtake what is there.
const RECEIVE_BYTES: usize = 16 * 1024;
/// Segments as on Ethernet: with those of loopback, which are as long as such a window, TCP waits for its timers.
const SEGMENT_BYTES: u32 = 1_448;
/// Whatever is waited for comes within this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that reads only when it is asked to.
pub(crate) struct Dialogue {
    stream: TcpStream,
    /// Read and not yet taken, from `start` on.
    buffer: Vec<u8>,
    start: usize,
}

impl Dialogue {
    /// Connects and waits for the greeting. The kernel takes in only so much while nobody reads: what waits is
    /// to wait in the hub.
    pub(crate) fn open(hub: &Hub, client_id: &str) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        socket.set_tcp_mss(SEGMENT_BYTES)?;
        socket.connect(&hub.address.into())?;
        let mut stream = prepared(socket.into())?;
        let (host, path) = (hub.address.to_string(), format!("/ws/{client_id}"));
        stream.write_all(upgrade::request(&path, &host, Some(&hub.token), false).as_bytes())?;
        let mut dialogue = Self { stream, buffer: Vec::new(), start: 0 };
        let head_bytes = loop {
            if let Some(at) = memmem::find(&dialogue.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            dialogue.fill()?;
        };
        ensure!(dialogue.buffer.starts_with(b"HTTP/1.1 101 "), "upgrade refused");
        dialogue.start = head_bytes;
        dialogue.wait_for("connected")?;
        Ok(dialogue)
    }

    /// Sends a request and waits for the answer of this type.
    pub(crate) fn ask(&mut self, request: &[u8], answer: &str) -> Result<()> {
        self.send(request)?;
        self.wait_for(answer)
    }

    /// Sends a request without waiting.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<()> {
        let mut frame = Vec::with_capacity(request.len() + 14);
        frames::push_masked(frames::TEXT, request, &mut frame);
        Ok(self.stream.write_all(&frame)?)
    }

    /// Reads to the next frame of this type.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Result<()> {
        let (wanted, error) = (format!(r#""type":"{kind}""#), r#""type":"error""#);
        loop {
            let found = self.next(|payload| {
                let says = |text: &str| memmem::find(payload, text.as_bytes()).is_some();
                ensure!(!says(error), "{}", String::from_utf8_lossy(payload));
                Ok(says(&wanted))
            })?;
            if found {
                return Ok(());
            }
        }
    }

    /// Reads the next message and hands its payload over.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        loop {
            let Some(frame) = Frame::split(&self.buffer[self.start..])? else {
                self.fill()?;
                continue;
            };
            let (opcode, end) = (frame.opcode, self.start + frame.wire_bytes);
            let payload = frame.plain()?;
            match opcode {
                frames::PING => {
                    let mut pong = Vec::new();
                    frames::push_masked(frames::PONG, payload, &mut pong);
                    self.stream.write_all(&pong)?;
                }
                frames::CLOSE => bail!("closed by the hub: {}", String::from_utf8_lossy(payload)),
                _ => {
                    let taken = take(payload);
                    self.start = end;
                    return taken;
                }
            }
            self.start = end;
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held_bytes = self.buffer.len();
        self.buffer.resize(held_bytes + READ_BYTES, 0);
        let read_bytes = self.stream.read(&mut self.buffer[held_bytes..])?;
        self.buffer.truncate(held_bytes + read_bytes);
        ensure!(read_bytes > 0, "the hub ended the connection");
        Ok(())
    }
}

/// Bytes that wait in the hub for a client, as its list of connections says.
pub(crate) fn outbox_bytes(hub: &Hub, client_id: &str) -> Result<u64> {
    let mut stream = prepared(TcpStream::connect(hub.address)?)?;
    let (address, token) = (hub.address, &hub.token);
    write!(
        stream,
        "GET /api/v1/connections/list HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let at = memmem::find(&answer, b"\r\n\r\n").context("no answer to GET connections/list")?;
    let body: serde_json::Value = serde_json::from_slice(&answer[at + 4..])?;
    let rows = body["items"].as_array().context("no items in the list of connections")?;
    let row = rows.iter().find(|row| row["client_id"] == client_id);
    row.and_then(|row| row["outbox_bytes"].as_u64()).with_context(|| format!("{client_id} is not listed"))
}

fn prepared(stream: TcpStream) -> Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
