//! What a machine is, as opposed to how it does.

use serde::{Deserialize, Serialize};
use sysinfo::System;

/// The description of a node that its agent reports. Fields that the platform does not tell are empty or 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Inventory {
    /// The machine's own name.
    pub hostname: String,
    /// Operating system with version, e.g. `Debian GNU/Linux 13`.
    pub os: String,
    /// Kernel with version, e.g. `Linux 6.12.48`.
    pub kernel: String,
    /// Instruction set, e.g. `x86_64`.
    pub arch: String,
    /// The processor's name.
    pub cpu_model: String,
    /// Logical cores.
    pub cpu_cores: u32,
    /// Main memory.
    pub memory_bytes: u64,
    /// Version of the program that reports.
    pub agent_version: String,
}

impl Inventory {
    /// Reads it from the machine; `system` has its processors and memory refreshed.
    pub(super) fn read(system: &System) -> Self {
        let known = |text: Result<String, sysinfo::Error>| text.unwrap_or_default();
        let (name, version) = (known(System::name()), known(System::os_version()));
        Self {
            hostname: known(System::host_name()),
            os: format!("{name} {version}").trim().to_owned(),
            kernel: known(System::kernel_long_version()),
            arch: System::cpu_arch(),
            cpu_model: system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default(),
            cpu_cores: u32::try_from(system.cpus().len()).unwrap_or(u32::MAX),
            memory_bytes: system.total_memory(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
