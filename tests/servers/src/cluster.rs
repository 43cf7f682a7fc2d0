//! A Redis Cluster.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::Redis;
use super::process::program;
use super::redis::ask;

/// Slots of a cluster, and the servers that share them.
const SLOTS: usize = 16_384;
const MASTERS: usize = 3;

/// How often it is looked at whether the servers know each other, and the time between two looks: 60 s in all.
const LOOKS_MAX: usize = 1_200;
const PAUSE: Duration = Duration::from_millis(50);

/// Three servers that share the slots, and those that stand by.
#[derive(Debug)]
pub struct RedisCluster {
    servers: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three servers.
    pub fn start() -> Self {
        Self::of(MASTERS)
    }

    /// Starts three servers and one that takes over from the first.
    pub fn start_with_replica() -> Self {
        let cluster = Self::of(MASTERS + 1);
        let (first, replica) = (cluster.servers[0].port(), cluster.servers[MASTERS].port());
        let id = ask(first, "CLUSTER MYID").expect("an id");
        // A server that has not heard of the other yet refuses.
        cluster
            .wait("a replica", || ask(replica, &format!("CLUSTER REPLICATE {id}")).as_deref() == Some("OK"));
        cluster.wait("a replica that is up to date", || {
            ask(first, "INFO replication").is_some_and(|info| info.contains("state=online"))
        });
        cluster
    }

    fn of(servers: usize) -> Self {
        let servers: Vec<_> = (0..servers).map(|_| Redis::start_in_cluster()).collect();
        for (n, server) in servers.iter().enumerate() {
            let says = |command: String| {
                let answer = ask(server.port(), &command);
                assert_eq!(answer.as_deref(), Some("OK"), "{command}");
            };
            says(format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1));
            if n < MASTERS {
                let (first, next) = (SLOTS * n / MASTERS, SLOTS * (n + 1) / MASTERS);
                says(format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1));
            }
            if n > 0 {
                says(format!("CLUSTER MEET 127.0.0.1 {} {}", servers[0].port(), servers[0].bus()));
            }
        }
        let cluster = Self { servers };
        let known = format!("cluster_known_nodes:{}", cluster.servers.len());
        cluster.wait("a cluster", || {
            cluster.servers.iter().all(|server| {
                let info = ask(server.port(), "CLUSTER INFO").unwrap_or_default();
                info.contains("cluster_state:ok") && info.contains(&known)
            })
        });
        cluster
    }

    /// Its URL, with all servers.
    pub fn url(&self) -> String {
        let servers: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", servers.join(","))
    }

    /// One of its servers: the first has the lowest slots.
    pub fn server(&mut self, n: usize) -> &mut Redis {
        &mut self.servers[n]
    }

    /// What a server answers to `INFO` about a section.
    pub fn info(&self, n: usize, section: &str) -> String {
        ask(self.servers[n].port(), &format!("INFO {section}")).expect("an answer")
    }

    /// The slot of a key or a sharded channel.
    pub fn slot(&self, key: &str) -> u16 {
        let slot = ask(self.servers[0].port(), &format!("CLUSTER KEYSLOT {key}"));
        slot.and_then(|slot| slot.parse().ok()).expect("a slot")
    }

    /// Moves the lowest slots of the first server to the second, with what is in them.
    pub fn move_slots(&self, slots: u16) {
        let id = |n: usize| ask(self.servers[n].port(), "CLUSTER MYID").expect("an id");
        let first = format!("127.0.0.1:{}", self.servers[0].port());
        let status = Command::new(program("redis-cli", &[], "redis-tools"))
            .args(["--cluster", "reshard", &first, "--cluster-from", &id(0), "--cluster-to", &id(1)])
            .args(["--cluster-slots", &slots.to_string(), "--cluster-yes"])
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("redis-cli").success());
    }

    fn wait(&self, for_what: &str, is_there: impl Fn() -> bool) {
        for _ in 0..LOOKS_MAX {
            if is_there() {
                return;
            }
            sleep(PAUSE);
        }
        panic!("{for_what} did not come: {:?}", ask(self.servers[0].port(), "CLUSTER NODES"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_takes_over_from_the_first() {
        let mut cluster = RedisCluster::start_with_replica();
        let replica = cluster.servers[MASTERS].port();
        assert!(ask(replica, "INFO replication").unwrap().contains("role:slave"));
        cluster.server(0).kill();
        cluster.wait("another master", || {
            ask(replica, "INFO replication").is_some_and(|info| info.contains("role:master"))
        });
        cluster.wait("a cluster that is whole", || {
            ask(replica, "CLUSTER INFO").is_some_and(|info| info.contains("cluster_state:ok"))
        });
    }
}
