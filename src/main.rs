//! The `infrawatch` program; what it does is in [`infrawatch::cli`].

use std::process::ExitCode;

/// Returns memory of closed connections to the system better than the default allocator, and is faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    infrawatch::cli::run(std::env::args_os())
}
