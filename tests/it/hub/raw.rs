//! A client that does what it is told, byte by byte: half frames, silence, lies.

use std::io;
use std::net::SocketAddr;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Hub, within};

/// RSV1: the message is compressed.
pub(crate) const COMPRESSED: u8 = 0x40;

/// What a client compresses.
pub(crate) fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::default(), false);
    let mut deflated = Vec::with_capacity(payload.len() + 64);
    stream.compress_vec(payload, &mut deflated, FlushCompress::Sync).unwrap();
    deflated.truncate(deflated.len() - 4);
    deflated
}

/// What a compressed frame of the hub says.
fn inflate(deflated: &[u8]) -> Vec<u8> {
    let mut stream = Decompress::new(false);
    let mut message = Vec::with_capacity(1 << 20);
    let ended = [deflated, &[0, 0, 0xff, 0xff]].concat();
    stream.decompress_vec(&ended, &mut message, FlushDecompress::Sync).unwrap();
    assert_eq!(stream.total_in(), ended.len() as u64);
    message
}

/// A frame as a client sends it; the mask is of zeros, so the payload stands as it is.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// An upgrade request.
#[derive(Debug, Clone)]
pub(crate) struct Upgrade {
    path: String,
    headers: Vec<(&'static str, String)>,
}

impl Upgrade {
    /// To this path, without a token.
    pub(crate) fn to(path: &str) -> Self {
        Self { path: path.to_owned(), headers: Vec::new() }
    }

    /// With a token in `Authorization`.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn text(&self, host: SocketAddr) -> String {
        let mut text = format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            self.path
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text + "\r\n"
    }
}

/// An HTTP answer in place of a WebSocket.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Refusal {
    /// The problem's code, from the table of codes.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{self:?}: {e}"));
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// What a raw client hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RawEvent {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong,
    /// A close frame with this code.
    Close(u16),
    /// The end of the stream, by whatever means.
    End,
}

/// The client.
pub(crate) struct RawSocket {
    stream: TcpStream,
    /// Read and not yet understood.
    buffer: Vec<u8>,
    /// The head of the answer to the upgrade.
    pub(crate) head: String,
    /// How many of the frames were compressed.
    pub(crate) compressed: usize,
}

impl RawSocket {
    /// Upgrades, or says how the hub refused.
    pub(crate) async fn open(hub: &Hub, upgrade: &Upgrade) -> Result<Self, Refusal> {
        Self::open_with(hub, upgrade, TcpSocket::new_v4().unwrap()).await
    }

    /// As [`RawSocket::open`], with a kernel that takes in almost nothing while nobody reads.
    pub(crate) async fn open_narrow(hub: &Hub, upgrade: &Upgrade) -> Result<Self, Refusal> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        Self::open_with(hub, upgrade, socket).await
    }

    fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new(), head: String::new(), compressed: 0 }
    }

    async fn open_with(hub: &Hub, upgrade: &Upgrade, socket: TcpSocket) -> Result<Self, Refusal> {
        let mut stream = socket.connect(hub.address).await.unwrap();
        stream.write_all(upgrade.text(hub.address).as_bytes()).await.unwrap();
        let mut raw = Self::over(stream);
        raw.head = within("the answer to the upgrade", raw.read_head()).await;
        if raw.head.starts_with("HTTP/1.1 101 ") {
            return Ok(raw);
        }
        Err(within("the rest of the answer", raw.read_rest()).await)
    }

    /// An upgraded client with a token of this role.
    pub(crate) async fn open_as(hub: &Hub, client_id: &str, role: &str) -> Self {
        let upgrade = Upgrade::to(&format!("/ws/{client_id}")).bearer(&hub.token(role));
        let mut raw = Self::open(hub, &upgrade).await.unwrap();
        let first = raw.next().await;
        assert!(matches!(&first, RawEvent::Text(text) if text.contains("connected")), "{first:?}");
        raw
    }

    /// A plain GET on a connection of its own.
    pub(crate) async fn get(hub: &Hub, path: &str) -> Refusal {
        let mut stream = TcpStream::connect(hub.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", hub.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Self::over(stream);
        raw.head = within("the answer", raw.read_head()).await;
        within("the rest of the answer", raw.read_rest()).await
    }

    async fn read_head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.read().await.unwrap() > 0, "no answer: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    async fn read_rest(mut self) -> Refusal {
        while self.read().await.unwrap() > 0 {}
        let status = self.head[9..12].parse().unwrap();
        Refusal { status, head: self.head, body: String::from_utf8(self.buffer).unwrap() }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The bare stream, with what was read of it and not yet understood.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// What the hub says next.
    pub(crate) async fn next(&mut self) -> RawEvent {
        within("the next frame", async {
            loop {
                if let Some(event) = self.take_event() {
                    return event;
                }
                // A reset is an end like any other for a client that misbehaved.
                if self.read().await.unwrap_or(0) == 0 {
                    return RawEvent::End;
                }
            }
        })
        .await
    }

    /// As [`RawSocket::next`], past pings.
    pub(crate) async fn next_but_pings(&mut self) -> RawEvent {
        loop {
            match self.next().await {
                RawEvent::Ping => {}
                event => return event,
            }
        }
    }

    /// Reads to the end without answering anything; the code of the close frame, if one came.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.next().await {
                RawEvent::Close(told) => code = Some(told),
                RawEvent::End => return code,
                RawEvent::Text(_) | RawEvent::Binary(_) | RawEvent::Ping | RawEvent::Pong => {}
            }
        }
    }

    fn take_event(&mut self) -> Option<RawEvent> {
        let (first, length) = (*self.buffer.first()?, *self.buffer.get(1)?);
        let (start, bytes) = match length {
            126 => (4, usize::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().unwrap()))),
            127 => (
                10,
                usize::try_from(u64::from_be_bytes(self.buffer.get(2..10)?.try_into().unwrap())).unwrap(),
            ),
            short => (2, usize::from(short)),
        };
        self.buffer.get(start + bytes - 1)?;
        let frame: Vec<u8> = self.buffer.drain(..start + bytes).collect();
        let mut payload = frame[start..].to_vec();
        if first & COMPRESSED != 0 {
            self.compressed += 1;
            payload = inflate(&payload);
        }
        Some(match first & !COMPRESSED {
            0x81 => RawEvent::Text(String::from_utf8(payload).unwrap()),
            0x82 => RawEvent::Binary(payload),
            0x88 => RawEvent::Close(
                payload.get(..2).map_or(1005, |code| u16::from_be_bytes(code.try_into().unwrap())),
            ),
            0x89 => RawEvent::Ping,
            0x8a => RawEvent::Pong,
            other => panic!("frame of kind {other:#x}"),
        })
    }
}
