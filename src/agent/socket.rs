//! The WebSocket to the hub: opening it, and moving frames both ways without ever waiting for one direction.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::link::Outbox;
use super::reconnect::Ending;
use super::settings::Target;
use crate::protocol::encoding::Encoding;

/// The hub sends an agent small frames only.
const HUB_FRAME_BYTES_MAX: usize = 256 * 1024;
const BUFFER_BYTES: usize = 8 * 1024;
/// Of a refusal's body, for the message.
const DETAIL_CHARS_MAX: usize = 300;

/// How a byte stream to the hub comes about; tests bring their own.
pub(super) trait Connect: Clone + 'static {
    /// The byte stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Connects to a host and port.
    fn connect(self, host: String, port: u16) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// Connects by TCP.
#[derive(Clone)]
pub(super) struct Tcp;

impl Connect for Tcp {
    type Stream = TcpStream;

    async fn connect(self, host: String, port: u16) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Does the upgrade over a fresh byte stream.
pub(super) async fn upgrade<S>(stream: S, target: Target) -> Result<WebSocketStream<S>, Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = ClientRequestBuilder::new(target.uri).with_sub_protocol(Encoding::Json.sub_protocol());
    if !target.token.is_empty() {
        request = request.with_header("Authorization", format!("Bearer {}", target.token.secret()));
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(HUB_FRAME_BYTES_MAX))
        .max_frame_size(Some(HUB_FRAME_BYTES_MAX));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(ending_of(error)),
    }
}

fn ending_of(error: WsError) -> Ending {
    match error {
        WsError::Io(error) => Ending::Network(error),
        WsError::Http(response) => Ending::Refused {
            status: response.status().as_u16(),
            detail: detail_of(response.body().as_deref().unwrap_or_default()),
        },
        WsError::ConnectionClosed | WsError::AlreadyClosed => {
            Ending::Network(io::ErrorKind::ConnectionAborted.into())
        }
        error => Ending::Protocol(error.to_string()),
    }
}

/// What a problem+json body says, shortened.
fn detail_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let text = problem.and_then(|problem| problem.detail.or(problem.title)).unwrap_or_default();
    text.chars().take(DETAIL_CHARS_MAX).collect()
}

/// An open socket with its texts still to be written.
pub(super) struct Socket<S> {
    socket: WebSocketStream<S>,
    pub(super) outbox: Outbox,
    unflushed: bool,
}

/// What comes from the hub.
#[derive(Debug)]
pub(super) enum Heard {
    Text(String),
    /// A ping (answered already), a pong, a binary frame.
    Sign,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(socket: WebSocketStream<S>) -> Self {
        Self { socket, outbox: Outbox::new(), unflushed: false }
    }

    /// Writes what is in the outbox while waiting for the next frame of the hub. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Heard, Ending> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, Ending>> {
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            // The reason why the hub closed says more than that writing failed.
            return match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Close(frame)))) => Poll::Ready(Err(closed(frame))),
                _ => Poll::Ready(Err(ending_of(error))),
            };
        }
        Pin::new(&mut self.socket).poll_next(cx).map(|message| match message {
            Some(Ok(Message::Text(text))) => Ok(Heard::Text(text.as_str().to_owned())),
            Some(Ok(Message::Close(frame))) => Err(closed(frame)),
            Some(Ok(_)) => {
                // A pong may be waiting to be written.
                self.unflushed = true;
                Ok(Heard::Sign)
            }
            Some(Err(error)) => Err(ending_of(error)),
            None => Err(Ending::Network(io::ErrorKind::ConnectionAborted.into())),
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.outbox.is_empty() {
            std::task::ready!(socket.as_mut().poll_ready(cx))?;
            if let Some(text) = self.outbox.pop_front() {
                socket.as_mut().start_send(Message::text(text))?;
                self.unflushed = true;
            }
        }
        if self.unflushed {
            std::task::ready!(socket.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye with 1000 and waits for the hub to do the same.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "the agent stops".into() };
        if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> Ending {
    // 1005 is what RFC 6455 calls a close without a code.
    frame.map_or(Ending::Closed { code: 1005, reason: String::new() }, |frame| Ending::Closed {
        code: frame.code.into(),
        reason: frame.reason.as_str().to_owned(),
    })
}
