//! An echo server on the hub's own socket layer (the port's service, the handshake, the codec, the socket with its
//! outbox, its task) with an owner that sends every message back, for the Autobahn Testsuite:
//! `scripts/conformance.sh` runs both. By hand: `cargo run --example echo [ADDRESS]`; port 0 takes a free one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program to run by hand")]

use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_http::Request;
use actix_server::Server;
use actix_web::App;
use bytes::Bytes;
use infrawatch::config::ConnectionSection;
use infrawatch::connection::socket::{Inbound, Socket};
use infrawatch::connection::socket_task::{Scratch, SocketOwner, SocketTask, scratch};
use infrawatch::http::port::{self, Doorkeeper, headers};
use infrawatch::hub::bind;
use infrawatch::protocol::codes::Close;
use infrawatch::protocol::encoding::{Encoding, Format};
use infrawatch::protocol::priority::Priority;
use infrawatch::websocket::{Handshake, Opcode, deflated_frame, frame};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The longest message of the suite, 16 MiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

fn settings() -> ConnectionSection {
    ConnectionSection {
        frame_bytes_max: MESSAGE_BYTES_MAX,
        // One message with its header, and as much behind it.
        inbound_bytes_max: 2 * MESSAGE_BYTES_MAX,
        outbox_bytes_max: 2 * MESSAGE_BYTES_MAX,
        ..ConnectionSection::default()
    }
}

/// Opens the door to everybody.
struct EchoDoor {
    settings: ConnectionSection,
    scratch: Scratch,
}

impl Doorkeeper for EchoDoor {
    async fn enter(&self, request: Request, mut io: TcpStream, leftover: Vec<u8>) {
        let handshake = Handshake::check(request.method().as_str(), &[], |name| headers(&request, name));
        let handshake = match handshake {
            Ok(handshake) => handshake,
            Err(error) => {
                let refusal = format!("HTTP/1.1 {} {error}\r\nContent-Length: 0\r\n\r\n", error.status());
                // A client that is gone already needs no answer.
                drop(io.write_all(refusal.as_bytes()).await);
                return;
            }
        };
        let deflate_bytes_min = handshake.deflate.map(|_| 0);
        let format = Format { encoding: Encoding::Json, deflate_bytes_min };
        let socket = Rc::new(Socket::new(Box::new(io), format, &self.settings));
        socket.send_one(Priority::Normal, &handshake.response(&[]).into());
        let owner = Echo { socket: socket.clone() };
        actix_rt::spawn(SocketTask::new(socket, leftover, owner, &self.settings, &self.scratch));
    }
}

/// Sends back what comes, at the pace of the client: while something waits for it, nothing is taken.
struct Echo {
    socket: Rc<Socket>,
}

impl Echo {
    fn answer(&self) {
        while self.socket.outbox_bytes() == 0 {
            let Some(message) = self.socket.take_inbound() else { return };
            self.socket.send_one(Priority::Normal, &self.frame(&message));
        }
    }

    fn frame(&self, message: &Inbound) -> Bytes {
        let (opcode, payload) = match message {
            Inbound::Text(text) => (Opcode::Text, text.as_bytes()),
            Inbound::Binary(bytes) => (Opcode::Binary, &bytes[..]),
        };
        let deflates = self.socket.format.deflate_bytes_min.is_some();
        let deflated = if deflates { deflated_frame(opcode, payload) } else { None };
        deflated.unwrap_or_else(|| frame(opcode, payload))
    }
}

impl SocketOwner for Echo {
    fn inbound(&self) {
        self.answer();
    }

    fn flushed(&self) {
        self.answer();
    }

    fn gone(&self, _close: Close) {}
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = bind(address.parse::<SocketAddr>()?)?;
    println!("ws://{}", listener.local_addr()?);
    let server = Server::build().workers(1).listen("echo", listener, || {
        let settings = settings();
        let door = Rc::new(EchoDoor { settings, scratch: scratch() });
        port::service(App::new(), door)
    })?;
    Ok(server.run().await?)
}
