#!/usr/bin/env bash
# Builds the console (if it changed) and the hub, then serves in the foreground until Ctrl-C.
#
# Usage: scripts/run-hub.sh [ARGUMENT...]
#   further arguments go to `infrawatch serve` after the two below, e.g. --dev
# Environment:
#   LISTEN    address, default 127.0.0.1:5050
#   DATA_DIR  durable state, default ./data
#   PROFILE   cargo profile, default dev; release builds slower and runs faster
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
esac
need cargo node npm
cd "$root"

profile=${PROFILE:-dev}
"$root/scripts/build-console.sh"
cargo build --locked --profile "$profile" --bin infrawatch
binary=$(binary_dir "$profile")/infrawatch
exec "$binary" serve --listen "${LISTEN:-127.0.0.1:5050}" --data-dir "${DATA_DIR:-./data}" "$@"
