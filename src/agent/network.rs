//! Network throughput, by interface and for the host.
//!
//! The host's total counts physical interfaces only, so that a packet that passes a bridge, a bond or a
//! tunnel is counted once. A machine without any (a container) counts all but the loopback.

use std::collections::BTreeMap;
use std::path::Path;

use sysinfo::Networks;

use super::columns::Recorder;
use super::rate::{Rate, sum_known};

const INTERFACES_MAX: usize = 64;

pub(super) struct NetworkProbe {
    networks: Networks,
    interfaces: BTreeMap<String, Interface>,
}

#[derive(Default)]
struct Interface {
    physical: bool,
    received: Rate,
    sent: Rate,
}

/// One interface's rates in bytes per second.
struct Throughput {
    name: String,
    physical: bool,
    received: Option<f64>,
    sent: Option<f64>,
}

impl NetworkProbe {
    /// `None` where the platform cannot list interfaces.
    pub(super) fn new() -> Option<Self> {
        Some(Self { networks: Networks::new().ok()?, interfaces: BTreeMap::new() })
    }

    /// Totals of the host, then each interface (at most 64, without the loopback and the host's ends of
    /// containers' cables, which come and go by the hundred).
    pub(super) fn sample(&mut self, recorder: &mut Recorder, monotonic_ms: u64) {
        self.networks.refresh(true);
        let counters: Vec<_> = self
            .networks
            .iter()
            .map(|(name, data)| (name.to_string_lossy(), data.total_received(), data.total_transmitted()))
            .collect();
        let rates = throughput(&mut self.interfaces, counters.iter(), monotonic_ms, is_physical);
        let (received, sent) = totals(&rates);
        recorder.flat("network_rx_bytes_per_s", received);
        recorder.flat("network_tx_bytes_per_s", sent);
        for rate in rates {
            let labels = [("interface", rate.name.as_str())];
            recorder.labelled("network_interface_rx_bytes_per_s", &labels, rate.received);
            recorder.labelled("network_interface_tx_bytes_per_s", &labels, rate.sent);
        }
    }
}

/// Advances every interface that is there and forgets those that are gone; sorted by name.
fn throughput<'a, N: AsRef<str> + 'a>(
    interfaces: &mut BTreeMap<String, Interface>,
    counters: impl Iterator<Item = &'a (N, u64, u64)>,
    monotonic_ms: u64,
    is_physical: impl Fn(&str) -> bool,
) -> Vec<Throughput> {
    let mut present: Vec<_> = counters.map(|(name, rx, tx)| (name.as_ref(), *rx, *tx)).collect();
    present.retain(|(name, ..)| !is_loopback(name) && !name.starts_with("veth"));
    present.sort_unstable();
    present.truncate(INTERFACES_MAX);
    interfaces.retain(|name, _| present.iter().any(|(here, ..)| here == name));
    present
        .into_iter()
        .map(|(name, rx, tx)| {
            let interface = match interfaces.get_mut(name) {
                Some(known) => known,
                None => interfaces
                    .entry(name.to_owned())
                    .or_insert_with(|| Interface { physical: is_physical(name), ..Interface::default() }),
            };
            Throughput {
                name: name.to_owned(),
                physical: interface.physical,
                received: interface.received.next(Some(rx), monotonic_ms),
                sent: interface.sent.next(Some(tx), monotonic_ms),
            }
        })
        .collect()
}

fn totals(rates: &[Throughput]) -> (Option<f64>, Option<f64>) {
    let only_physical = rates.iter().any(|rate| rate.physical);
    let counted = || rates.iter().filter(|rate| rate.physical || !only_physical);
    (sum_known(counted().map(|rate| rate.received)), sum_known(counted().map(|rate| rate.sent)))
}

fn is_loopback(name: &str) -> bool {
    name == "lo" || name == "lo0"
}

/// Linux links a physical (or virtual machine's) card to its device; bridges, bonds and tunnels have none.
fn is_physical(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).join("device").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Counters<'a> = &'a [(&'a str, u64, u64)];

    fn step(known: &mut BTreeMap<String, Interface>, counters: Counters<'_>, ms: u64) -> Vec<Throughput> {
        throughput(known, counters.iter(), ms, |name| name.starts_with("eth"))
    }

    #[test]
    fn the_first_reading_has_no_rates_the_second_has() {
        let mut known = BTreeMap::new();
        let first = step(&mut known, &[("eth0", 1_000, 10), ("lo", 5, 5)], 0);
        assert_eq!(totals(&first), (None, None));
        let second = step(&mut known, &[("eth0", 3_000, 20), ("lo", 900, 900)], 500);
        assert_eq!(totals(&second), (Some(4_000.0), Some(20.0)), "without the loopback");
        assert_eq!(second.len(), 1);
    }

    #[test]
    fn what_passes_a_bridge_counts_once() {
        let mut known = BTreeMap::new();
        step(&mut known, &[("docker0", 0, 0), ("eth0", 0, 0), ("veth12", 0, 0)], 0);
        let rates =
            step(&mut known, &[("docker0", 100, 100), ("eth0", 100, 100), ("veth12", 100, 100)], 1_000);
        assert_eq!(totals(&rates), (Some(100.0), Some(100.0)));
        let names: Vec<_> = rates.iter().map(|rate| rate.name.as_str()).collect();
        assert_eq!(names, ["docker0", "eth0"]);
    }

    #[test]
    fn without_a_physical_interface_the_others_count() {
        let mut known = BTreeMap::new();
        step(&mut known, &[("tun0", 0, 0)], 0);
        assert_eq!(totals(&step(&mut known, &[("tun0", 7, 8)], 1_000)), (Some(7.0), Some(8.0)));
    }

    #[test]
    fn an_interface_that_vanishes_starts_anew() {
        let mut known = BTreeMap::new();
        step(&mut known, &[("eth0", 1_000, 0), ("eth1", 50, 0)], 0);
        let gone = step(&mut known, &[("eth0", 2_000, 0)], 1_000);
        assert_eq!(gone.len(), 1);
        let back = step(&mut known, &[("eth0", 3_000, 0), ("eth1", 90, 0)], 2_000);
        assert_eq!(back[1].received, None, "not 40 over two seconds");
        assert_eq!(totals(&back).0, Some(1_000.0));
    }

    #[test]
    fn the_list_is_bounded() {
        let many: Vec<_> = (0..500).map(|i| (format!("eth{i}"), 0, 0)).collect();
        let mut known = BTreeMap::new();
        assert_eq!(throughput(&mut known, many.iter(), 0, |_| false).len(), INTERFACES_MAX);
        assert_eq!(known.len(), INTERFACES_MAX);
    }
}
