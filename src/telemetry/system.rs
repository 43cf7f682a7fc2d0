//! What the system says about the hub's own process and its disk.

use std::fs;
use std::io;
use std::path::Path;

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What the hub holds.
    pub resident_bytes: u64,
    /// What the machine could still give.
    pub available_bytes: u64,
    /// What the machine has.
    pub total_bytes: u64,
}

/// Space on the disk of a directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What the hub may still write.
    pub free_bytes: u64,
    /// What the disk holds.
    pub total_bytes: u64,
}

/// The memory of this process and machine; `None` where `/proc` does not tell.
pub fn memory() -> Option<Memory> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let machine = fs::read_to_string("/proc/meminfo").ok()?;
    Some(Memory {
        resident_bytes: kib_row(&status, "VmRSS:")?,
        available_bytes: kib_row(&machine, "MemAvailable:")?,
        total_bytes: kib_row(&machine, "MemTotal:")?,
    })
}

/// `Name:   123 kB` in bytes.
fn kib_row(text: &str, name: &str) -> Option<u64> {
    let row = text.lines().find_map(|line| line.strip_prefix(name))?;
    row.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The space on the disk of this directory.
pub fn disk(directory: &Path) -> io::Result<Disk> {
    let stat = rustix::fs::statvfs(directory)?;
    Ok(Disk {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_proc_are_read() {
        let text = "VmPeak:\t  99 kB\nVmRSS:\t   2048 kB\nThreads: 3\n";
        assert_eq!(kib_row(text, "VmRSS:"), Some(2_097_152));
        assert_eq!(kib_row(text, "Threads:"), None);
        assert_eq!(kib_row(text, "VmSwap:"), None);
    }

    #[test]
    fn this_machine_answers() {
        let memory = memory().unwrap();
        assert!(memory.resident_bytes > 0 && memory.resident_bytes < memory.total_bytes);
        let disk = disk(Path::new("/")).unwrap();
        assert!(disk.free_bytes <= disk.total_bytes);
        assert!(super::disk(Path::new("/nonexistent")).is_err());
    }
}
