//! The `infrawatch` program; what it does is in [`infrawatch::cli`].

use std::process::ExitCode;

/// The same on every system: the hub's memory is many small objects of few sizes, made on one thread and freed on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A huge page stays resident for one small object in it. Where the kernel knows none, there is nothing to do.
    rustix::thread::disable_transparent_huge_pages(true).ok();
    infrawatch::cli::run(std::env::args_os())
}
