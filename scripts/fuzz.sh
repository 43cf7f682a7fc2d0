#!/usr/bin/env bash
# Fuzzes what reads the bytes of clients (fuzz/fuzz_targets) with libFuzzer: guided by coverage, on the stable
# toolchain, for a bounded time. What was interesting is kept in fuzz/corpus for the next time; what broke a
# promise is in fuzz/artifacts.
#
# Usage: scripts/fuzz.sh [--seconds N] [TARGET...]
#   --seconds N   how long each target runs (60)
#   TARGET        decode, unpack, request, handshake, expression; without any, all of them
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

seconds=60
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) print_help && exit ;;
    --seconds) seconds=${2:?how many seconds? see --help} && shift ;;
    decode | unpack | request | handshake | expression) targets+=("$1") ;;
    *) fail "unknown argument $1, see --help" ;;
  esac
  shift
done
[[ ${#targets[@]} -gt 0 ]] || targets=(decode unpack request handshake expression)

need cargo c++
cd "$root/fuzz"
# What cargo-fuzz sets, less the sanitizers, which need a nightly compiler; unsafe code is denied in the hub.
flags=(--cfg fuzzing -Cpasses=sancov-module -Cdebug-assertions)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
host=$(rustc -vV | sed -n 's/^host: //p')
# A target of its own name keeps build scripts and macros out of it.
RUSTFLAGS="${flags[*]}" CARGO_TARGET_DIR=$root/fuzz/target CARGO_PROFILE_DEV_OPT_LEVEL=2 \
  cargo build --target "$host"
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  echo "fuzzing $target for $seconds s"
  "target/$host/debug/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="artifacts/$target/" "corpus/$target" 2>"artifacts/$target/log" || {
    tail -n 30 "artifacts/$target/log"
    fail "$target broke a promise"
  }
  grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "artifacts/$target/log"
done
