#!/usr/bin/env bash
# Stops the demo and removes everything that was built or installed here. Never removes ./data.
#
# Usage: scripts/clean.sh
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac
need cargo

"$root/scripts/stop-demo.sh"
cd "$root"
rm -rf .run static/dist static/node_modules tests/browser/node_modules tests/browser/artifacts
cargo clean
