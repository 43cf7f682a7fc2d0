//! A hub of its own for one measurement.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::process::{Server, pin};

/// Which CPU has the server and which the clients.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Cpus {
    /// The CPU of the servers
    #[arg(long, default_value_t = 0)]
    pub(crate) server_cpu: usize,
    /// The CPU of the clients
    #[arg(long, default_value_t = 1)]
    pub(crate) client_cpu: usize,
}

/// A hub with one worker, without rate limits, on a free port. It ends with this value.
pub(crate) struct Hub {
    server: Server,
    pub(crate) address: SocketAddrV4,
    /// Of an admin.
    pub(crate) token: String,
}

impl Hub {
    /// Starts it over a data directory of its own; this thread is on the clients' CPU afterwards.
    pub(crate) fn start(program: &Path, data_dir: &Path, cpus: Cpus) -> Result<Self> {
        fs::create_dir_all(data_dir)?;
        let (address, data) = (free_address()?, data_dir.display().to_string());
        let listen = address.to_string();
        let serve = ["serve", "--listen", &listen, "--data-dir", &data, "--workers", "1", "--limits", "off"];
        pin(cpus.server_cpu)?;
        let server = Server::start(program, &serve, address, &data_dir.join("hub.log"))?;
        let token = ["token", "--data-dir", &data, "--role", "admin", "--ttl", "1h"];
        let token = Command::new(program).args(token).output()?;
        if !token.status.success() {
            bail!("no token: {}", String::from_utf8_lossy(&token.stderr));
        }
        let token = String::from_utf8(token.stdout)?.trim().to_owned();
        pin(cpus.client_cpu)?;
        Ok(Self { server, address, token })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }
}

pub(crate) fn free_address() -> Result<SocketAddrV4> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port()))
}
