//! A bad network: what stands between a client and a server of loopback.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::loopback;

/// How it treats what goes through, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It passes.
    Pass,
    /// Connections stay and nothing passes; what came meanwhile passes later.
    Stall,
    /// Connections are reset, new ones too.
    Reset,
    /// What the server sends ends (a FIN), what the client sends still passes; new connections the same.
    HalfClose,
}

/// How long a read waits before it looks at the way again.
const LOOK: Duration = Duration::from_millis(20);

const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Debug)]
struct State {
    way: Way,
    is_gone: bool,
    /// Connections that are older are forgotten.
    generation: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    /// The way of a new connection, and its generation; `None` when the proxy is gone.
    fn way(&self) -> Option<(Way, u64)> {
        let state = self.state();
        (!state.is_gone).then_some((state.way, state.generation))
    }

    /// Waits while nothing is to pass; `None` when the proxy is gone.
    fn open_way(&self, generation: u64) -> Option<Way> {
        let is_shut =
            |state: &mut State| !state.is_gone && (state.way == Way::Stall || state.generation != generation);
        let state = self.changed.wait_while(self.state(), is_shut).expect("no panic while it is held");
        (!state.is_gone).then_some(state.way)
    }
}

/// Stands before one server; ends on drop.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy on a free port before the server on `target`, a port of loopback.
    pub fn before(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            state: Mutex::new(State { way: Way::Pass, is_gone: false, generation: 0 }),
            changed: Condvar::new(),
        });
        let accepting = shared.clone();
        thread::spawn(move || accept(&listener, loopback(target), &accepting));
        Self { port, shared }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it does this, to what is open too.
    pub fn set(&self, way: Way) {
        self.shared.state().way = way;
        self.shared.changed.notify_all();
    }

    /// What is open stays open and nothing passes on it ever again, as when a firewall forgot it; new connections pass.
    pub fn forget(&self) {
        self.shared.state().generation += 1;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().is_gone = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        let _woken = TcpStream::connect(loopback(self.port));
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        match shared.way() {
            None => return,
            Some((Way::Reset, _)) => reset(&client),
            Some((_, generation)) => {
                let Ok(server) = TcpStream::connect(target) else {
                    reset(&client);
                    continue;
                };
                let pairs = [(&client, &server, false), (&server, &client, true)];
                for (from, to, from_server) in pairs {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let shared = shared.clone();
                    thread::spawn(move || drop(carry(from, &to, from_server, (&shared, generation))));
                }
            }
        }
    }
}

/// Carries bytes one way until an end.
fn carry(
    mut from: TcpStream,
    to: &TcpStream,
    from_server: bool,
    (shared, generation): (&Shared, u64),
) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK))?;
    to.set_nodelay(true)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match from.read(&mut chunk) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            read => Some(read),
        };
        match shared.open_way(generation) {
            Some(Way::Pass | Way::Stall) => {}
            Some(Way::HalfClose) if !from_server => {}
            Some(Way::HalfClose) => return to.shutdown(Shutdown::Write),
            None | Some(Way::Reset) => {
                reset(&from);
                reset(to);
                return Ok(());
            }
        }
        match read {
            None => {}
            Some(Ok(0)) => return to.shutdown(Shutdown::Write),
            Some(Ok(bytes)) => (&*to).write_all(chunk.get(..bytes).unwrap_or_default())?,
            Some(Err(error)) => {
                reset(to);
                return Err(error);
            }
        }
    }
}

/// Ends a connection with a reset.
fn reset(stream: &TcpStream) {
    // It may be gone already.
    let _gone = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    let _gone = stream.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut to = stream.try_clone().unwrap();
                    drop(io::copy(&mut stream, &mut to));
                });
            }
        });
        port
    }

    fn said(stream: &mut TcpStream, text: &[u8; 4]) -> io::Result<[u8; 4]> {
        stream.write_all(text)?;
        let mut heard = [0; 4];
        stream.read_exact(&mut heard)?;
        Ok(heard)
    }

    #[test]
    fn it_passes_stalls_half_closes_resets_and_forgets() {
        let proxy = Proxy::before(echo());
        let connect = || {
            let stream = TcpStream::connect(loopback(proxy.port())).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            stream
        };
        let mut stream = connect();
        assert_eq!(said(&mut stream, b"pass").unwrap(), *b"pass");
        proxy.set(Way::Stall);
        assert_eq!(said(&mut stream, b"wait").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        proxy.set(Way::Pass);
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"wait", "what came while it stalled passes later");
        proxy.set(Way::HalfClose);
        assert_eq!(stream.read(&mut heard).unwrap(), 0, "the server's side has ended");
        stream.write_all(b"more").unwrap();
        proxy.set(Way::Reset);
        let mut fresh = connect();
        assert!(said(&mut fresh, b"lost").is_err());
        proxy.set(Way::Pass);
        let mut forgotten = connect();
        assert_eq!(said(&mut forgotten, b"pass").unwrap(), *b"pass");
        proxy.forget();
        assert_eq!(said(&mut forgotten, b"gone").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(said(&mut connect(), b"pass").unwrap(), *b"pass");
    }
}
