//! The port: one listener serves the application and the WebSocket upgrades.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_server::Server;
use actix_web::web;
use socket2::SockRef;

use crate::connection::stream;
use crate::http::port;
use crate::http::upgrade::{Door, address_limiter};
use crate::http::{self, LagActor, State};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Binds the address; port 0 takes a free one.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    // The standard library listens with a backlog of 128; a reconnect storm needs more.
    rustix::net::listen(&listener, i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    listener.set_nonblocking(true)?;
    stream::prepare(&listener)?;
    Ok(listener)
}

/// Starts the workers. Each has its shard, started before it accepts.
pub(super) fn serve(state: &Arc<State>, listener: TcpListener) -> io::Result<Server> {
    let (state, limiter) = (state.clone(), address_limiter(state));
    let next_worker = Arc::new(AtomicUsize::new(0));
    let connections_max = state.services.settings.connections_max;
    let workers = state.workers;
    // Nobody reads the body of an answer for a client that does not take it: the kernel ends its stream.
    let write_deadline = Duration::from_millis(state.services.settings.write_deadline_ms);
    SockRef::from(&listener).set_tcp_user_timeout(Some(write_deadline))?;
    Ok(Server::build()
        .workers(workers)
        .backlog(BACKLOG)
        .max_concurrent_connections(connections_max)
        .shutdown_timeout(1)
        .disable_signals()
        .listen("hub", listener, move || {
            let worker = next_worker.fetch_add(1, Ordering::Relaxed);
            let services = &state.services;
            let probe =
                LagActor::new(format!("worker-{worker}"), state.desk.lag.clone(), services.clock.clone());
            services.tree.start_here(format!("worker-{worker}"), probe, None);
            let shard = state.shards.start(worker, services);
            let door = Rc::new(Door { state: state.clone(), shard, worker, limiter: limiter.clone() });
            let data = web::Data::from(state.clone());
            port::service(http::app(data), door)
        })?
        .run())
}
