//! Counts the instructions of each case under valgrind and compares them with the numbers in the repository.
//!
//! Each case runs in a process of its own, with the same seeds; only what happens inside [`counted`] counts. A
//! count depends on the compiler and on what the CPU can do, so numbers of others only warn.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Command, ExitCode};

use super::comparison::{Numbers, compare};
use super::{Case, growth};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml");

/// Runs before the count: tables and allocators have grown then.
const WARM_UP_RUNS: u32 = 8;
/// Runs that are counted together.
const RUNS: u32 = 32;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What valgrind counts: it goes by this name.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    for _ in 0..RUNS {
        run();
    }
}

/// Runs one case, inside valgrind.
pub(super) fn run_counted(name: &str) -> ExitCode {
    let Some(case) = super::cases().into_iter().find(|case| case.name == name) else {
        return ExitCode::FAILURE;
    };
    let mut run = (case.make)();
    for _ in 0..WARM_UP_RUNS {
        run();
    }
    counted(&mut run);
    ExitCode::SUCCESS
}

/// Instructions of one run of a case.
fn count(case: &Case) -> Outcome<u64> {
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*instructions::counted*"])
        .arg(format!("--callgrind-out-file={}", report.display()))
        .arg(std::env::current_exe()?)
        .args(["--run-counted", case.name])
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}); it is in the package of that name"))?;
    if !output.status.success() {
        return Err(format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)).into());
    }
    let report = std::fs::read_to_string(report)?;
    let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: u64 = total.ok_or("valgrind wrote no total")?.trim().parse()?;
    Ok(total / u64::from(RUNS))
}

fn count_all(cases: &[Case]) -> Outcome<Numbers> {
    let version = Command::new("rustc").arg("--version").output()?;
    let avx2 = std::fs::read_to_string("/proc/cpuinfo")?.contains(" avx2");
    let mut instructions = BTreeMap::new();
    for case in cases {
        instructions.insert(case.name.to_owned(), count(case)?);
    }
    Ok(Numbers {
        rustc: String::from_utf8(version.stdout)?.trim().to_owned(),
        cpu: format!("{}{}", std::env::consts::ARCH, if avx2 { " avx2" } else { "" }),
        instructions,
    })
}

/// Compares with the numbers in the repository; fails when a case has grown by more than 5 %, or costs more than another
/// allows it.
pub(super) fn check(cases: &[Case]) -> ExitCode {
    let checked = || -> Outcome<bool> {
        let committed = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        let known: Numbers = toml::from_str(&committed).map_err(|error| format!("{FILE}: {error}"))?;
        let found = count_all(cases)?;
        let comparison = compare(&known, &found);
        println!("{}", comparison.lines.join("\n"));
        let is_too_steep = growth::compare(&found.instructions);
        Ok(!comparison.fails && !is_too_steep)
    };
    exit(checked())
}

/// Writes the numbers of this build to the repository.
pub(super) fn update(cases: &[Case]) -> ExitCode {
    let updated = || -> Outcome<bool> {
        let numbers = count_all(cases)?;
        let is_over = growth::compare(&numbers.instructions);
        let numbers = toml::to_string(&numbers)?;
        let head = "# Instructions of the hot paths, counted by valgrind in a release build. `make bench-check` compares,\n\
                    # `make bench-check ARGS=--update` writes this file anew.\n\n";
        std::fs::write(FILE, format!("{head}{numbers}"))?;
        println!("{numbers}");
        Ok(!is_over)
    };
    exit(updated())
}

fn exit(outcome: Outcome<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
