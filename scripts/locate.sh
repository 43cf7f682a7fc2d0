# Sourced by the other scripts: where things are, and their --help.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything that a script writes lies here, so that one `rm` undoes it.
# shellcheck disable=SC2034 # used by the scripts that source this one
run_dir=$root/.run
# shellcheck disable=SC2034
tools_dir=$(realpath --canonicalize-missing "${INFRAWATCH_TOOLS:-$root/.run/tools}")

# The comment at the head of the calling script is its help.
print_help() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || fail "needs $tool, which is not on the PATH"
  done
}

# Cargo's target directory: CARGO_TARGET_DIR, cargo's configuration, or ./target.
target_dir() {
  cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    node -e 'process.stdin.on("data", (part) => (text = (globalThis.text ?? "") + part)).on("end", () => console.log(JSON.parse(text).target_directory))'
}

# Folder of the binaries of a cargo profile inside the target directory.
binary_dir() {
  local profile=$1
  case $profile in
    dev) printf '%s/debug\n' "$(target_dir)" ;;
    *) printf '%s/%s\n' "$(target_dir)" "$profile" ;;
  esac
}

# The browser that the tests drive.
chromium_path() {
  command -v chromium || command -v chromium-browser || command -v google-chrome
}

# Pid from a pid file, if that process is still an infrawatch (pids are reused).
running_pid() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == infrawatch* ]] && printf '%s\n' "$pid"
}
