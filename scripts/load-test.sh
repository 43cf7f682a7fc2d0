#!/usr/bin/env bash
# Starts a hub of its own without rate limits, carries a plan out against it, and stops it. Loopback only.
# Result and report (JSON, CSV, HTML) are in ./.run/load; the exit status says whether every threshold held.
#
# Usage: scripts/load-test.sh [PLAN] [ARGUMENT...]
#   PLAN      a file, or the name of one in loadtest/plans; default smoke
#   further arguments go to `infrawatch-loadtest run`, e.g. --progress json
# Environment:
#   PROFILE   cargo profile, default dev; figures mean something with release only
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
esac
need cargo node npm

plan=${1:-smoke}
shift || true
[[ -f $plan ]] || plan=$root/loadtest/plans/$plan.yaml
[[ -f $plan ]] || fail "no plan $plan; there is $(cd "$root/loadtest/plans" && echo *.yaml)"
plan=$(realpath "$plan")
cd "$root"

profile=${PROFILE:-dev}
"$root/scripts/build-console.sh"
cargo build --locked --workspace --bins --profile "$profile"
binaries=$(binary_dir "$profile")
out=$run_dir/load
scratch=$(mktemp --directory)
mkdir -p "$out"

"$binaries/infrawatch" serve --listen 127.0.0.1:0 --data-dir "$scratch/data" --limits off --log-format json \
  >"$scratch/hub.out" 2>"$out/hub.log" &
hub=$!
trap 'kill "$hub" 2>/dev/null || true; wait "$hub" || true; rm -rf "$scratch"' EXIT
for _ in $(seq 300); do
  [[ $(wc -l <"$scratch/hub.out") -gt 0 ]] && break
  kill -0 "$hub" 2>/dev/null || fail "the hub did not start; see $out/hub.log"
  sleep 0.1
done
address=$(head -n 1 "$scratch/hub.out" | node -e '
  console.log(JSON.parse(require("node:fs").readFileSync(0, "utf8")).address);')

name=$(basename "$plan" .yaml)
# By the environment: arguments are visible to everybody on the machine.
INFRAWATCH_TOKEN=$("$binaries/infrawatch" token --data-dir "$scratch/data" --role admin --ttl 12h)
export INFRAWATCH_TOKEN
status=0
"$binaries/infrawatch-loadtest" run "$plan" --addr "$address" --pid "$hub" \
  --json "$out/$name.json" --csv "$out/$name.csv" --html "$out/$name.html" "$@" || status=$?
echo "report: $out/$name.html" >&2
exit "$status"
