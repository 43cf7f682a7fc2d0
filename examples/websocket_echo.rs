//! An echo server on the hub's codec, for the Autobahn Testsuite: `cargo run --release --example websocket_echo`,
//! then `wstest -m fuzzingclient` against `ws://127.0.0.1:9001`. The address may be given as an argument.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program to run by hand")]

use std::error::Error;
use std::io;

use infrawatch::websocket::{
    CodecError, Decoder, Event, Handshake, Limits, Opcode, close_frame, deflated_frame, frame,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// As long as the longest message of the suite.
const BYTES_MAX: usize = 16 << 20;
const READ_BYTES: usize = 64 * 1024;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(mut stream: TcpStream) -> Outcome {
    stream.set_nodelay(true)?;
    let (head, mut early) = read_head(&mut stream).await?;
    let header = |name| {
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let method = head.split(' ').next().unwrap_or_default();
    let handshake = Handshake::check(method, &[], header)?;
    stream.write_all(&handshake.response(&[])).await?;
    let deflate = handshake.deflate.is_some();
    let limits = Limits { frame_bytes_max: BYTES_MAX, message_bytes_max: BYTES_MAX };
    let mut decoder = Decoder::new(limits).with_deflate(deflate);
    let mut answers = Vec::new();
    let mut goes_on = echo(&mut decoder, &mut early, deflate, &mut answers);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        stream.write_all(&answers).await?;
        answers.clear();
        if !goes_on {
            return Ok(stream.shutdown().await?);
        }
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        goes_on = echo(&mut decoder, &mut buffer[..read], deflate, &mut answers);
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let early = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), early));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Appends what answers `input`; false when a close frame is the last of it.
fn echo(decoder: &mut Decoder, input: &mut [u8], deflate: bool, answers: &mut Vec<u8>) -> bool {
    let mut events = decoder.feed(input);
    while let Some(event) = events.next_event() {
        let answer = match event {
            Ok(Event::Text(text)) => message(Opcode::Text, text.as_bytes(), deflate),
            Ok(Event::Binary(bytes)) => message(Opcode::Binary, bytes, deflate),
            Ok(Event::Ping(payload)) => frame(Opcode::Pong, payload),
            Ok(Event::Pong(_)) => continue,
            Ok(Event::Close(reason)) => {
                let code = reason.code.map_or(frame(Opcode::Close, b""), |code| close_frame(code, ""));
                answers.extend_from_slice(&code);
                return false;
            }
            Err(error) => {
                answers.extend_from_slice(&close_frame(CodecError::close_code(error), &error.to_string()));
                return false;
            }
        };
        answers.extend_from_slice(&answer);
    }
    true
}

fn message(opcode: Opcode, payload: &[u8], deflate: bool) -> bytes::Bytes {
    let deflated = if deflate { deflated_frame(opcode, payload) } else { None };
    deflated.unwrap_or_else(|| frame(opcode, payload))
}
