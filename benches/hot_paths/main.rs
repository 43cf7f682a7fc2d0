//! The hot paths, in time and in instructions.
//!
//! `cargo bench` measures the time of every case with criterion. `make bench-check` counts their instructions
//! under valgrind, which are the same in every run, and compares them with `benches/instructions.toml`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

mod codec;
mod comparison;
mod delivery;
mod encode;
mod growth;
mod instructions;
mod rule;
mod seed;
mod whole_hub;

use std::process::ExitCode;

use criterion::Criterion;

/// As in the hub, so that its share is counted.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One hot path.
#[derive(Clone, Copy)]
struct Case {
    /// Group and name.
    name: &'static str,
    /// Makes everything that is not measured, and returns one run of what is.
    make: fn() -> Box<dyn FnMut()>,
}

fn cases() -> Vec<Case> {
    [codec::CASES, encode::CASES, delivery::CASES, rule::CASES, whole_hub::CASES]
        .into_iter()
        .flatten()
        .copied()
        .collect()
}

fn measure_time() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in cases() {
        criterion.bench_function(case.name, |bencher| {
            let mut run = (case.make)();
            bencher.iter(&mut run);
        });
    }
    criterion.final_summary();
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--run-counted", name] => instructions::run_counted(name),
        ["--check"] => instructions::check(&cases()),
        ["--update"] => instructions::update(&cases()),
        _ => {
            measure_time();
            ExitCode::SUCCESS
        }
    }
}
