#!/usr/bin/env bash
# Runs every check of this repository, in the order in which a mistake shows soonest, and stops at
# the first failure. Tests start their own servers on free ports; nothing is left running.
#
# Usage: scripts/test.sh [GROUP...]
#   GROUP   tools, console, lint, rust, conformance, browser; without any, all of them in this order
# Environment:
#   VERBOSE=1   show the output of every step, not only of the one that fails
# Logs of the steps are in ./.run/test.
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

log_dir=$run_dir/test
# Inherited by everything a step starts, however it detaches itself: so leftovers can be found.
mark=INFRAWATCH_TEST_RUN=$$-$RANDOM
steps=0
notes=()

if [[ -t 1 ]]; then
  red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  red='' green='' plain=''
fi

# Pids of processes that a step started and that are still there.
leftovers() {
  { grep -lzsx -- "$mark" /proc/[0-9]*/environ || true; } | cut -d/ -f3
}

clean_up() {
  local pids
  mapfile -t pids < <(leftovers)
  [[ ${#pids[@]} == 0 ]] && return
  kill -TERM "${pids[@]}" 2>/dev/null || true
  sleep 1
  mapfile -t pids < <(leftovers)
  [[ ${#pids[@]} == 0 ]] || kill -KILL "${pids[@]}" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { # NAME FOLDER COMMAND...
  local name=$1 folder=$2 began=$SECONDS status=0 log
  shift 2
  steps=$((steps + 1))
  log=$(printf '%s/%02d-%s.log' "$log_dir" "$steps" "${name//[^a-z0-9]/-}")
  printf '%-34s ' "$name"
  # In the background, so that a signal to this script is acted on at once and not after the step.
  if [[ -n ${VERBOSE:-} ]]; then
    echo
    env -C "$folder" "$mark" "$@" < /dev/null > >(tee "$log") 2>&1 &
  else
    env -C "$folder" "$mark" "$@" < /dev/null >"$log" 2>&1 &
  fi
  wait $! || status=$?
  if [[ $status != 0 ]]; then
    printf '%sFAILED%s after %d s\n\n' "$red" "$plain" $((SECONDS - began))
    [[ -n ${VERBOSE:-} ]] || tail -n 150 "$log"
    printf '\n%sfailed: %s%s (status %d)\n  in   %s\n  run  %s\n  log  %s\n' \
      "$red" "$name" "$plain" "$status" "$folder" "$*" "$log"
    exit 1
  fi
  printf '%sok%s %d s\n' "$green" "$plain" $((SECONDS - began))
  local last
  last=$(tail -n 1 "$log")
  if [[ $last == skipped:* ]]; then
    notes+=("$name $last")
    printf '  %s\n' "$last"
  fi
}

test_tools() {
  step 'tools' "$root" scripts/install-tools.sh
}

test_console() {
  step 'console: packages' "$root" scripts/install-packages.sh static
  step 'console: lint' "$root/static" npm run lint
  step 'console: types' "$root/static" npm run typecheck
  step 'console: tests' "$root/static" npm test
  step 'console: build' "$root" scripts/build-console.sh --force
}

test_lint() {
  step 'format' "$root" cargo fmt --all --check
  step 'clippy' "$root" cargo clippy --locked --workspace --all-targets -- -D warnings
  step 'dependencies: bans, licences' "$root" "$tools_dir/bin/cargo-deny" --locked check bans licenses sources
  step 'dependencies: advisories' "$root" scripts/check-advisories.sh
  step 'typos' "$root" "$tools_dir/bin/typos"
  step 'shellcheck' "$root" shellcheck --external-sources --source-path=SCRIPTDIR \
    scripts/*.sh scripts/git-hooks/* .ci/run
}

test_rust() {
  if command -v cargo-nextest >/dev/null; then
    step 'tests' "$root" cargo nextest run --no-fail-fast --status-level slow --failure-output final --locked --workspace
  else
    step 'tests' "$root" cargo test --no-fail-fast --locked --workspace --lib --bins --tests
  fi
  step 'Prometheus and amtool' "$root" scripts/try-prometheus.sh
  step 'documentation examples' "$root" cargo test --locked --workspace --doc
}

test_conformance() {
  step 'conformance: RFC 6455, RFC 7692' "$root" scripts/conformance.sh --sample
}

test_browser() {
  local binary
  binary=$(target_dir)/debug/infrawatch
  step 'browser: hub' "$root" cargo build --locked --workspace
  step 'browser: packages' "$root" scripts/install-packages.sh tests/browser
  step 'browser: tests' "$root/tests/browser" \
    env "INFRAWATCH_BIN=$binary" "CHROMIUM_BIN=${CHROMIUM_BIN:-$(chromium_path)}" npm test
}

nothing_left_running() {
  local remaining pid
  # A browser takes a moment to go after it was told to.
  for _ in $(seq 50); do
    remaining=$(leftovers)
    [[ -z $remaining ]] && return
    sleep 0.1
  done
  printf '%sfailed: still running 5 s after the last step%s\n' "$red" "$plain"
  for pid in $remaining; do
    printf '  %s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-120)"
  done
  exit 1
}

groups=()
for argument in "$@"; do
  case $argument in
    --help | -h) print_help && exit ;;
    tools | console | lint | rust | conformance | browser) groups+=("$argument") ;;
    *) fail "unknown group $argument, see --help" ;;
  esac
done
if [[ ${#groups[@]} == 0 ]]; then
  groups=(tools console lint rust conformance browser)
fi

need cargo node npm
cd "$root"
# The program reads INFRAWATCH_...; what happens to be set here is no part of a test.
for variable in "${!INFRAWATCH_@}"; do
  [[ $variable == INFRAWATCH_TOOLS ]] || unset "$variable"
done
rm -rf "$log_dir"
mkdir -p "$log_dir"
if [[ -n ${CI:-} ]]; then
  # One build of each crate: what incremental compilation stores is never used again.
  export CARGO_INCREMENTAL=0
fi
for group in "${groups[@]}"; do
  "test_$group"
done
nothing_left_running
printf '\n%s%d steps passed%s in %d s\n' "$green" "$steps" "$plain" "$SECONDS"
if [[ ${#notes[@]} -gt 0 ]]; then
  printf '  %s\n' "${notes[@]}"
fi
