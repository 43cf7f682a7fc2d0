//! Disk space and disk throughput.
//!
//! Only real file systems count: those on a block device, the few that bring their own devices (ZFS
//! and kin), and `/` whatever it is. A device that is mounted several times counts once, at the mount
//! with the shortest path. Used and free are what `df` shows: `percent = used / (used + available)`,
//! so blocks reserved for root are neither. Network file systems are left out: a dead server would
//! hang the sampler.

use std::path::{Path, PathBuf};

use sysinfo::{Disk, DiskRefreshKind, Disks};

use super::columns::Recorder;
use super::rate::{Rate, sum_known};

const MOUNTS_MAX: usize = 64;

/// File systems whose source is no `/dev/` path though they own real devices.
const REAL_WITHOUT_DEVICE: [&str; 4] = ["zfs", "bcachefs", "apfs", "ntfs"];

pub(super) struct DiskProbe {
    disks: Disks,
    mounts: Vec<Mount>,
}

struct Mount {
    label: String,
    device: String,
    path: PathBuf,
    read: Rate,
    written: Rate,
}

/// Space of one file system in bytes, as `df` counts it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Space {
    total: u64,
    used: u64,
    available: u64,
}

impl Space {
    fn percent(self) -> Option<f64> {
        let reachable = self.used + self.available;
        (reachable > 0).then(|| self.used as f64 * 100.0 / reachable as f64)
    }
}

impl DiskProbe {
    /// `None` where the platform cannot list disks.
    pub(super) fn new() -> Option<Self> {
        Some(Self { disks: Disks::new().ok()?, mounts: Vec::new() })
    }

    /// Looks again at what is mounted. Rates of mounts that stay go on.
    pub(super) fn relist(&mut self) {
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing());
        let chosen = choose(self.disks.iter().map(MountEntry::of));
        let mut former = std::mem::take(&mut self.mounts);
        self.mounts = chosen
            .into_iter()
            .map(|entry| match former.iter().position(|m| m.path == entry.path && m.device == entry.device) {
                Some(index) => former.swap_remove(index),
                None => Mount {
                    label: entry.path.to_string_lossy().into_owned(),
                    device: entry.device,
                    path: entry.path,
                    read: Rate::default(),
                    written: Rate::default(),
                },
            })
            .collect();
    }

    /// Totals of the host: space of the root file system, throughput of all devices together.
    /// Then space by mount.
    pub(super) fn sample(&mut self, recorder: &mut Recorder, monotonic_ms: u64) {
        let (mut read_rates, mut write_rates) = (Vec::new(), Vec::new());
        for mount in &mut self.mounts {
            let counters = self
                .disks
                .iter_mut()
                .find(|disk| disk.mount_point() == mount.path && *disk.name() == *mount.device)
                .and_then(io_counters);
            read_rates.push(mount.read.next(counters.map(|c| c.0), monotonic_ms));
            write_rates.push(mount.written.next(counters.map(|c| c.1), monotonic_ms));
        }
        let spaces: Vec<_> = self.mounts.iter().map(|mount| space_of(&mount.path)).collect();
        let root = self.mounts.iter().position(|mount| mount.path == Path::new("/"));
        let root_space = root.and_then(|index| spaces.get(index).copied().flatten());
        recorder.flat("disk_percent", root_space.and_then(Space::percent));
        recorder.flat("disk_used_bytes", root_space.map(|s| s.used as f64));
        recorder.flat("disk_total_bytes", root_space.map(|s| s.total as f64));
        recorder.flat("disk_read_bytes_per_s", sum_known(read_rates));
        recorder.flat("disk_write_bytes_per_s", sum_known(write_rates));
        for (mount, space) in self.mounts.iter().zip(spaces) {
            let labels = [("device", mount.device.as_str()), ("mount", mount.label.as_str())];
            recorder.labelled("disk_space_percent", &labels, space.and_then(Space::percent));
            recorder.labelled("disk_space_used_bytes", &labels, space.map(|s| s.used as f64));
            recorder.labelled("disk_space_total_bytes", &labels, space.map(|s| s.total as f64));
        }
    }
}

/// Bytes read and written since boot; `None` where the kernel counts none for this device.
fn io_counters(disk: &mut Disk) -> Option<(u64, u64)> {
    disk.refresh_specifics(DiskRefreshKind::nothing().with_io_usage());
    let usage = disk.usage();
    // A device that is mounted was read at least once, so two zeros mean that there are no counters.
    let counted = usage.total_read_bytes > 0 || usage.total_written_bytes > 0;
    counted.then_some((usage.total_read_bytes, usage.total_written_bytes))
}

fn space_of(path: &Path) -> Option<Space> {
    let stat = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Space {
        total: bytes(stat.f_blocks),
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        available: bytes(stat.f_bavail),
    })
}

#[derive(Debug, Clone, PartialEq)]
struct MountEntry {
    device: String,
    file_system: String,
    path: PathBuf,
    is_directory: bool,
}

impl MountEntry {
    fn of(disk: &Disk) -> Self {
        Self {
            device: disk.name().to_string_lossy().into_owned(),
            file_system: disk.file_system().to_string_lossy().into_owned(),
            path: disk.mount_point().to_owned(),
            is_directory: disk.mount_point().is_dir(),
        }
    }

    fn is_root(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Containers see files of the host (`/etc/hosts`) as mounts of its disk: those are no directories.
    fn is_real(&self) -> bool {
        let on_device = self.device.starts_with("/dev/") && !self.file_system.starts_with("overlay");
        self.is_root()
            || (self.is_directory && (on_device || REAL_WITHOUT_DEVICE.contains(&self.file_system.as_str())))
    }
}

/// The file systems to watch, sorted by path: each real device once, `/` always.
fn choose(entries: impl IntoIterator<Item = MountEntry>) -> Vec<MountEntry> {
    let mut chosen: Vec<MountEntry> = entries.into_iter().filter(MountEntry::is_real).collect();
    chosen.sort_by(|a, b| {
        (!a.is_root(), a.path.as_os_str().len(), &a.path).cmp(&(
            !b.is_root(),
            b.path.as_os_str().len(),
            &b.path,
        ))
    });
    let mut seen = std::collections::HashSet::new();
    chosen.retain(|entry| seen.insert(entry.device.clone()));
    chosen.truncate(MOUNTS_MAX);
    chosen.sort_by(|a, b| a.path.cmp(&b.path));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(device: &str, file_system: &str, path: &str) -> MountEntry {
        MountEntry {
            device: device.into(),
            file_system: file_system.into(),
            path: path.into(),
            is_directory: !path.starts_with("/etc/"),
        }
    }

    fn chosen(entries: &[(&str, &str, &str)]) -> Vec<String> {
        choose(entries.iter().map(|(d, f, p)| entry(d, f, p)))
            .into_iter()
            .map(|e| format!("{} {}", e.device, e.path.display()))
            .collect()
    }

    #[test]
    fn each_real_device_counts_once() {
        let on_a_server = [
            ("/dev/sda2", "ext4", "/var/lib/docker/volumes/x"),
            ("/dev/sda2", "ext4", "/"),
            ("/dev/sda1", "vfat", "/boot/efi"),
            ("overlay", "overlay", "/var/lib/docker/overlay2/abc/merged"),
            ("tmpfs", "tmpfs", "/dev/shm"),
            ("tank/data", "zfs", "/data"),
            ("fusectl", "fusectl", "/somewhere"),
        ];
        assert_eq!(chosen(&on_a_server), ["/dev/sda2 /", "/dev/sda1 /boot/efi", "tank/data /data"]);
    }

    #[test]
    fn in_a_container_the_root_overlay_counts_and_bound_files_do_not() {
        let in_a_container =
            [("overlay", "overlay", "/"), ("/dev/sda2", "ext4", "/etc/hosts"), ("/dev/sdb", "xfs", "/data")];
        assert_eq!(chosen(&in_a_container), ["overlay /", "/dev/sdb /data"]);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_root() {
        let many: Vec<_> = (0..200).map(|i| entry(&format!("/dev/d{i}"), "xfs", &format!("/m{i}"))).collect();
        let mut with_root = many;
        with_root.push(entry("/dev/root", "ext4", "/"));
        let chosen = choose(with_root);
        assert_eq!(chosen.len(), MOUNTS_MAX);
        assert!(chosen.iter().any(MountEntry::is_root));
    }

    #[test]
    fn blocks_reserved_for_root_are_neither_used_nor_available() {
        let space = Space { total: 100, used: 40, available: 40 };
        assert_eq!(space.percent(), Some(50.0));
        assert_eq!(Space { total: 0, used: 0, available: 0 }.percent(), None);
    }

    #[test]
    fn the_space_of_the_root_is_the_kernels() {
        let space = space_of(Path::new("/")).unwrap();
        assert!(space.total > 0 && space.used <= space.total && space.available <= space.total);
        assert_eq!(space_of(Path::new("/no/such/path")), None);
    }
}
