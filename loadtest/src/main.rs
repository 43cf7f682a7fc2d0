//! `infrawatch-loadtest`: the library's command line, and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    infrawatch_loadtest::main_with(std::env::args_os())
}
