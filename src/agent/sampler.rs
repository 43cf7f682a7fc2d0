//! The host sampler: one [`Snapshot`] of this machine per call.
//!
//! The same sampler runs inside the agent and inside `serve`. It costs well under a hundredth of a core
//! at one sample per second: what is slow to read or slow to change (lists of devices, sensors, the
//! number of processes, the inventory) is read every [`SLOW_PROBES_INTERVAL_MS`] only.

use std::sync::Arc;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, System};

use crate::clock::Clock;

use super::columns::{Columns, Recorder, Snapshot};
use super::disk::DiskProbe;
use super::inventory::Inventory;
use super::network::NetworkProbe;
use super::temperature::TemperatureProbe;

/// How often devices are listed anew and temperatures and processes are read.
pub const SLOW_PROBES_INTERVAL_MS: u64 = 5_000;

const CORES_MAX: usize = 512;

/// Samples the machine it runs on. Probes that the platform does not have leave their metrics missing.
pub struct Sampler {
    clock: Clock,
    system: Option<System>,
    disks: Option<DiskProbe>,
    networks: Option<NetworkProbe>,
    temperatures: Option<TemperatureProbe>,
    columns: Arc<Columns>,
    inventory: Arc<Inventory>,
    process_count: Option<f64>,
    slow_probes_due_ms: u64,
    first: bool,
}

impl Sampler {
    /// Prepares the probes and reads the inventory. `clock` stamps the snapshots (wall time) and measures
    /// the time between them (monotonic), so that a stepped wall clock bends no rate.
    pub fn new(clock: Clock) -> Self {
        let mut system = System::new().ok();
        let mut inventory = Inventory::default();
        if let Some(system) = &mut system {
            system.refresh_cpu_list(CpuRefreshKind::nothing());
            system.refresh_memory();
            inventory = Inventory::read(system);
        }
        Self {
            slow_probes_due_ms: clock.monotonic_ms(),
            clock,
            system,
            disks: DiskProbe::new(),
            networks: NetworkProbe::new(),
            temperatures: TemperatureProbe::new(),
            columns: Arc::default(),
            inventory: Arc::new(inventory),
            process_count: None,
            first: true,
        }
    }

    /// What this machine is. The same `Arc` until something about it changes.
    pub fn inventory(&self) -> Arc<Inventory> {
        self.inventory.clone()
    }

    /// Takes one snapshot. In the first one everything that is a difference over time (CPU use, rates) is missing.
    ///
    /// Blocks for the time of some reads from `/proc` and `/sys`, typically below a millisecond.
    pub fn sample(&mut self) -> Snapshot {
        let monotonic_ms = self.clock.monotonic_ms();
        if monotonic_ms >= self.slow_probes_due_ms {
            self.slow_probes_due_ms = monotonic_ms + SLOW_PROBES_INTERVAL_MS;
            self.run_slow_probes();
        }
        let mut recorder = Recorder::new(self.columns.clone());
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::everything());
            record_system(&mut recorder, system, self.first);
            recorder.flat("process_count", self.process_count);
            record_cores(&mut recorder, system, self.first);
        }
        if let Some(disks) = &mut self.disks {
            disks.sample(&mut recorder, monotonic_ms);
        }
        if let Some(networks) = &mut self.networks {
            networks.sample(&mut recorder, monotonic_ms);
        }
        if let Some(temperatures) = &self.temperatures {
            temperatures.sample(&mut recorder);
        }
        self.first = false;
        let snapshot = recorder.finish(self.clock.unix_ms());
        self.columns = snapshot.columns.clone();
        snapshot
    }

    fn run_slow_probes(&mut self) {
        if let Some(disks) = &mut self.disks {
            disks.relist();
        }
        if let Some(temperatures) = &mut self.temperatures {
            temperatures.refresh();
        }
        self.process_count = count_processes();
        if let Some(system) = &self.system {
            let inventory = Inventory::read(system);
            if *self.inventory != inventory {
                self.inventory = Arc::new(inventory);
            }
        }
    }
}

fn record_system(recorder: &mut Recorder, system: &System, first: bool) {
    let bytes = |bytes: u64| Some(bytes as f64);
    let percent = |part: u64, whole: u64| (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    recorder.flat("cpu_percent", (!first).then(|| f64::from(system.global_cpu_usage())));
    let load = System::load_average().ok();
    recorder.flat("load1", load.as_ref().map(|load| load.one));
    recorder.flat("load5", load.as_ref().map(|load| load.five));
    recorder.flat("load15", load.as_ref().map(|load| load.fifteen));
    recorder.flat("memory_percent", percent(system.used_memory(), system.total_memory()));
    recorder.flat("memory_used_bytes", bytes(system.used_memory()));
    recorder.flat("memory_total_bytes", bytes(system.total_memory()));
    recorder.flat("memory_available_bytes", bytes(system.available_memory()));
    // Of no swap nothing is used.
    recorder.flat("swap_percent", percent(system.used_swap(), system.total_swap()).or(Some(0.0)));
    recorder.flat("swap_used_bytes", bytes(system.used_swap()));
    recorder.flat("swap_total_bytes", bytes(system.total_swap()));
    recorder.flat("uptime_s", System::uptime().ok().map(|s| s as f64));
}

fn record_cores(recorder: &mut Recorder, system: &System, first: bool) {
    for cpu in system.cpus().iter().take(CORES_MAX) {
        let core = cpu.name().trim_start_matches("cpu");
        recorder.labelled("cpu_core_percent", &[("core", core)], (!first).then(|| f64::from(cpu.usage())));
    }
}

/// Counts the numbered directories of `/proc`; `None` where there is no such thing.
fn count_processes() -> Option<f64> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let count = entries.flatten().filter(|entry| is_process(&entry.file_name())).count();
    (count > 0).then_some(count as f64)
}

#[cfg(test)]
mod tests;
