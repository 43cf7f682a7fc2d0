//! The sampler on the machine that runs the tests.

use std::collections::HashSet;

use super::*;

/// The flat metrics every Linux host has from its second sample on.
const FLAT: [&str; 21] = [
    "cpu_percent",
    "load1",
    "load5",
    "load15",
    "memory_percent",
    "memory_used_bytes",
    "memory_total_bytes",
    "memory_available_bytes",
    "swap_percent",
    "swap_used_bytes",
    "swap_total_bytes",
    "uptime_s",
    "process_count",
    "disk_percent",
    "disk_used_bytes",
    "disk_total_bytes",
    "disk_read_bytes_per_s",
    "disk_write_bytes_per_s",
    "network_rx_bytes_per_s",
    "network_tx_bytes_per_s",
    "temperature_celsius",
];

const LABELLED: [(&str, &[&str]); 7] = [
    ("cpu_core_percent", &["core"]),
    ("disk_space_percent", &["device", "mount"]),
    ("disk_space_used_bytes", &["device", "mount"]),
    ("disk_space_total_bytes", &["device", "mount"]),
    ("network_interface_rx_bytes_per_s", &["interface"]),
    ("network_interface_tx_bytes_per_s", &["interface"]),
    ("temperature_celsius", &["sensor"]),
];

const DIFFERENCES: [&str; 5] = [
    "cpu_percent",
    "disk_read_bytes_per_s",
    "disk_write_bytes_per_s",
    "network_rx_bytes_per_s",
    "network_tx_bytes_per_s",
];

fn two_samples() -> (Snapshot, Snapshot) {
    let (clock, hand) = Clock::manual(1_800_000_000_000);
    let mut sampler = Sampler::new(clock);
    let first = sampler.sample();
    hand.advance_ms(1_000);
    (first, sampler.sample())
}

#[test]
fn names_and_labels_are_those_of_the_interface() {
    let (_, snapshot) = two_samples();
    let mut seen = HashSet::new();
    for column in snapshot.columns.as_slice() {
        let labels: Vec<_> = column.labels.keys().copied().collect();
        let known = match labels.is_empty() {
            true => FLAT.contains(&column.name),
            false => LABELLED.iter().any(|(name, keys)| *name == column.name && *keys == labels),
        };
        assert!(known, "{column:?}");
        assert!(seen.insert((column.name, column.labels.clone())), "twice: {column:?}");
    }
    for name in FLAT.iter().filter(|name| **name != "temperature_celsius") {
        assert!(seen.contains(&(*name, Default::default())), "{name} is not sampled");
    }
}

#[test]
fn differences_are_missing_at_first_and_columns_stay() {
    let (first, second) = two_samples();
    for name in DIFFERENCES {
        assert_eq!(first.get(name), None, "{name}");
    }
    for (column, value) in first.samples() {
        assert!(!column.name.ends_with("_per_s") && !column.name.starts_with("cpu"), "{column:?} {value}");
    }
    assert!(second.get("network_rx_bytes_per_s").is_some());
    assert!(Arc::ptr_eq(&first.columns, &second.columns));
    assert_eq!((first.unix_ms, second.unix_ms), (1_800_000_000_000, 1_800_000_001_000));
}

#[test]
fn values_are_those_of_this_machine() {
    let (_, snapshot) = two_samples();
    for (column, value) in snapshot.samples() {
        let max = if column.name.ends_with("_percent") { 100.0 } else { f64::MAX };
        assert!((0.0..=max).contains(&value) || column.name.ends_with("_celsius"), "{column:?} {value}");
    }
    let of = |name: &str| snapshot.get(name).unwrap();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total_kib: f64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap();
    assert_eq!(of("memory_total_bytes"), total_kib * 1024.0);
    assert!((of("memory_percent") - of("memory_used_bytes") * 100.0 / of("memory_total_bytes")).abs() < 1e-9);
    assert!(of("disk_used_bytes") <= of("disk_total_bytes"));
    assert!(of("uptime_s") > 0.0 && of("process_count") >= 1.0);
}

#[test]
fn the_inventory_describes_this_machine() {
    let sampler = Sampler::new(Clock::manual(0).0);
    let inventory = sampler.inventory();
    assert_eq!(inventory.hostname, std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert!(inventory.kernel.starts_with("Linux "), "{inventory:?}");
    assert_eq!(inventory.agent_version, env!("CARGO_PKG_VERSION"));
    assert!(inventory.cpu_cores >= 1 && inventory.memory_bytes > 0 && !inventory.os.is_empty());
}

/// Processor time of this thread in nanoseconds.
fn thread_cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn sampling_every_second_takes_less_than_a_hundredth_of_a_core() {
    let (clock, hand) = Clock::manual(0);
    let mut sampler = Sampler::new(clock);
    sampler.sample();
    const SECONDS: u64 = 60;
    let before_ns = thread_cpu_ns();
    for _ in 0..SECONDS {
        hand.advance_ms(1_000);
        sampler.sample();
    }
    let per_sample_ns = (thread_cpu_ns() - before_ns) / SECONDS;
    eprintln!("processor time per sample, slow probes included: {} us", per_sample_ns / 1_000);
    assert!(per_sample_ns < 10_000_000, "{per_sample_ns} ns in each second");
}

#[test]
fn every_metric_of_the_host_has_a_dotted_name_in_the_catalogue() {
    let snapshot = Sampler::new(Clock::system()).sample();
    for column in snapshot.columns.as_slice() {
        assert!(crate::rule::ALIASES.iter().any(|(_, host)| *host == column.name), "{}", column.name);
    }
}
