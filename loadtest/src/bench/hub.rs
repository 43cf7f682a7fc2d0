//! A hub of its own for one measurement.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::process::{Server, pin, unpin};

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

/// How many workers a hub has, and where it and the clients run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    workers: u32,
    /// `None`: wherever the system puts them.
    cpus: Option<Cpus>,
}

impl Placement {
    /// One worker on the servers' CPU, the clients on theirs.
    pub(crate) fn pinned(cpus: Cpus) -> Self {
        Self { workers: 1, cpus: Some(cpus) }
    }

    /// So many workers; the system places them and the clients.
    pub(crate) fn anywhere(workers: u32) -> Self {
        Self { workers, cpus: None }
    }

    fn enter(self, cpu: impl FnOnce(Cpus) -> usize) -> Result<()> {
        self.cpus.map_or_else(unpin, |cpus| pin(cpu(cpus)))
    }
}

/// A hub without rate limits on a free port. It ends with this value.
pub(crate) struct Hub {
    server: Server,
    pub(crate) address: SocketAddrV4,
    /// Of an admin.
    pub(crate) token: String,
}

impl Hub {
    /// Starts it over a data directory of its own; this thread is where the clients belong afterwards.
    pub(crate) fn start(program: &Path, data_dir: &Path, placement: Placement) -> Result<Self> {
        Self::start_with(program, data_dir, placement, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(
        program: &Path,
        data_dir: &Path,
        placement: Placement,
        further: &[&str],
    ) -> Result<Self> {
        fs::create_dir_all(data_dir)?;
        let (address, data) = (free_address()?, data_dir.display().to_string());
        let (listen, workers) = (address.to_string(), placement.workers.to_string());
        let serve =
            ["serve", "--listen", &listen, "--data-dir", &data, "--workers", &workers, "--limits", "off"];
        placement.enter(|cpus| cpus.server_cpu)?;
        let serve = [&serve, further].concat();
        let server = Server::start(program, &serve, address, &data_dir.join("hub.log"))?;
        let token = ["token", "--data-dir", &data, "--role", "admin", "--ttl", "1h"];
        let token = Command::new(program).args(token).output()?;
        if !token.status.success() {
            bail!("no token: {}", String::from_utf8_lossy(&token.stderr));
        }
        let token = String::from_utf8(token.stdout)?.trim().to_owned();
        placement.enter(|cpus| cpus.client_cpu)?;
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
