#!/usr/bin/env bash
# Installs what `make test` needs and is missing. Only Debian packages need root; the rest goes
# into ./.run/tools (or INFRAWATCH_TOOLS) and can be removed with it.
#
# Usage: scripts/install-tools.sh [TOOL...]
#   TOOL   chromium, shellcheck, typos, cargo-deny, prometheus (with amtool), redis, postgresql;
#          without any, all of them
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

readonly typos_version=1.52.0
readonly cargo_deny_version=0.20.2

debian_package() { # COMMAND PACKAGE...
  local command=$1
  shift
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    fail "$command is missing. As root: apt-get install --no-install-recommends $*"
  fi
  echo "installing $* from Debian's packages"
  export DEBIAN_FRONTEND=noninteractive
  # Tests start servers of their own: what a package would start as a service stays off.
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  # The lists of a fresh machine are empty or old; with good ones the update is not needed.
  apt-get install -y -qq --no-install-recommends "$@" ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; }
}

install_chromium() {
  chromium_path || debian_package chromium chromium fonts-dejavu-core
}

install_shellcheck() {
  command -v shellcheck || debian_package shellcheck shellcheck
}

install_typos() {
  local place=$tools_dir/typos-$typos_version
  if [[ ! -x $place/bin/typos ]]; then
    python3 -m pip --version >/dev/null 2>&1 || debian_package pip python3-pip
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --target "$place" "typos==$typos_version"
  fi
  link "$place/bin/typos"
}

install_cargo_deny() {
  local place=$tools_dir/cargo-deny-$cargo_deny_version
  if [[ ! -x $place/bin/cargo-deny ]]; then
    need cargo
    echo "building cargo-deny $cargo_deny_version, once; this takes some minutes"
    # Unoptimised: it builds in a third of the time and still checks this tree in seconds.
    CARGO_TARGET_DIR=$place/build CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
      cargo install --quiet --locked --debug --root "$place" --version "$cargo_deny_version" cargo-deny
    rm -rf "$place/build"
  fi
  link "$place/bin/cargo-deny"
}

# Debian's packages, unpacked and not installed: no service is started. Without them the tests that need them are skipped,
# which scripts/try-prometheus.sh says.
install_prometheus() {
  local place=$tools_dir/prometheus
  if [[ ! -x $place/usr/bin/amtool || ! -x $place/usr/bin/prometheus ]]; then
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
      echo 'prometheus and amtool are left out: they come from Debian packages, and this is no Debian'
      return
    fi
    mkdir -p "$place"
    if ! (cd "$place" && apt-get download -qq prometheus prometheus-alertmanager); then
      echo 'prometheus and amtool are left out: apt-get did not find them (as root: apt-get update)'
      return
    fi
    local package
    for package in "$place"/*.deb; do
      dpkg-deb --extract "$package" "$place"
      rm "$package"
    done
  fi
  link "$place/usr/bin/prometheus"
  link "$place/usr/bin/amtool"
}

install_redis() {
  command -v redis-server || debian_package redis-server redis-server
}

# Not on the PATH: Debian keeps a folder for each version.
install_postgresql() {
  ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null || command -v postgres || debian_package postgres postgresql
}

# One folder for the PATH, whatever the versions.
link() {
  mkdir -p "$tools_dir/bin"
  ln -sfn "$1" "$tools_dir/bin/$(basename "$1")"
  echo "$1"
}

tools=()
for argument in "$@"; do
  case $argument in
    --help | -h) print_help && exit ;;
    chromium | shellcheck | typos | cargo-deny | prometheus | redis | postgresql) tools+=("$argument") ;;
    *) fail "unknown tool $argument, see --help" ;;
  esac
done
if [[ ${#tools[@]} == 0 ]]; then
  tools=(chromium shellcheck typos cargo-deny prometheus redis postgresql)
fi
for tool in "${tools[@]}"; do
  "install_${tool//-/_}"
done
