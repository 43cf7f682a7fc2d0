//! Real servers for tests: each on a free port of loopback, over a directory of its own, stopped on drop.
//!
//! - [`Redis`]: `redis-server`, with or without an append-only file
//! - [`RedisCluster`]: several of them that share their slots
//! - [`Postgres`]: a PostgreSQL of its own, copied from a prepared directory
//! - [`Proxy`]: stands between a client and a server, and stalls, resets or half-closes what goes through
//!
//! A server that is not installed is a failed test that says what to install.

mod cluster;
mod postgres;
mod process;
mod proxy;
mod redis;

pub use cluster::RedisCluster;
pub use postgres::Postgres;
pub use proxy::{Proxy, Way};
pub use redis::{Persistence, Redis};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of loopback that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
