//! The catalogue of host metrics under their dotted names. Pure.
//!
//! A sample keeps the name that it was sent with; a rule that names either of the two finds both.

/// Dotted name, and the name under which agents send it.
pub const ALIASES: [(&str, &str); 27] = [
    ("cpu.core.utilization", "cpu_core_percent"),
    ("cpu.utilization", "cpu_percent"),
    ("disk.read", "disk_read_bytes_per_s"),
    ("disk.space.total", "disk_space_total_bytes"),
    ("disk.space.used", "disk_space_used_bytes"),
    ("disk.space.utilization", "disk_space_percent"),
    ("disk.total", "disk_total_bytes"),
    ("disk.used", "disk_used_bytes"),
    ("disk.utilization", "disk_percent"),
    ("disk.write", "disk_write_bytes_per_s"),
    ("load.1", "load1"),
    ("load.15", "load15"),
    ("load.5", "load5"),
    ("memory.available", "memory_available_bytes"),
    ("memory.total", "memory_total_bytes"),
    ("memory.used", "memory_used_bytes"),
    ("memory.utilization", "memory_percent"),
    ("network.interface.rx", "network_interface_rx_bytes_per_s"),
    ("network.interface.tx", "network_interface_tx_bytes_per_s"),
    ("network.rx", "network_rx_bytes_per_s"),
    ("network.tx", "network_tx_bytes_per_s"),
    ("process.count", "process_count"),
    ("swap.total", "swap_total_bytes"),
    ("swap.used", "swap_used_bytes"),
    ("swap.utilization", "swap_percent"),
    ("temperature.celsius", "temperature_celsius"),
    ("uptime.seconds", "uptime_s"),
];

/// The one name by which rules and samples find each other.
pub fn canonical(name: &str) -> &str {
    match ALIASES.binary_search_by(|(dotted, _)| dotted.cmp(&name)) {
        Ok(found) => ALIASES[found].1,
        Err(_not_an_alias) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_in_order_and_found() {
        assert!(ALIASES.is_sorted_by(|a, b| a.0 < b.0));
        for (dotted, host) in ALIASES {
            assert_eq!(canonical(dotted), host);
            assert_eq!(canonical(host), host);
        }
        assert_eq!(canonical("queue.depth"), "queue.depth");
    }
}
