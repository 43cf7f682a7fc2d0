#!/usr/bin/env bash
# Measures a release build of the hub beside a bare epoll server, the physical limit of this machine,
# and prints medians and ratios. Loopback only; takes some minutes; needs two cores that do nothing else.
#
# Usage: scripts/measure.sh [ARGUMENT...]
#   further arguments go to `infrawatch-loadtest beside`, e.g. --modes fan1000,p1000 --rounds 1
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
esac
need cargo node npm
cd "$root"

"$root/scripts/build-console.sh"
cargo build --locked --workspace --release
binaries=$(binary_dir release)
exec "$binaries/infrawatch-loadtest" beside --hub "$binaries/infrawatch" "$@"
