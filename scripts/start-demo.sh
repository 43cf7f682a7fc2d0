#!/usr/bin/env bash
# Starts a hub and two agents in the background and prints the link that logs the browser in.
# Both agents sample this machine; they show how several nodes look. Pids and logs are in ./.run.
#
# Usage: scripts/start-demo.sh
# Environment:
#   LISTEN    address of the hub, default 127.0.0.1:5050
#   PROFILE   cargo profile, default dev
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac
need cargo node npm
cd "$root"

if pid=$(running_pid "$run_dir/hub.pid"); then
  fail "the demo is running already (hub is pid $pid); make stop ends it"
fi

profile=${PROFILE:-dev}
"$root/scripts/build-console.sh"
cargo build --locked --profile "$profile" --bin infrawatch
binary=$(binary_dir "$profile")/infrawatch
data_dir=$run_dir/demo-data
mkdir -p "$run_dir"

# A demo that starts half way would leave processes behind.
trap '[[ $? == 0 ]] || "$root/scripts/stop-demo.sh"' EXIT

in_background() { # NAME COMMAND...
  local name=$1
  shift
  setsid "$@" >"$run_dir/$name.out" 2>"$run_dir/$name.log" </dev/null &
  printf '%s\n' "$!" >"$run_dir/$name.pid"
}

field() { # FIELD of the first line that the hub prints
  head -n 1 "$run_dir/hub.out" | node -e '
    const line = require("node:fs").readFileSync(0, "utf8");
    console.log(JSON.parse(line)[process.argv[1]]);' "$1"
}

in_background hub "$binary" serve --listen "${LISTEN:-127.0.0.1:5050}" --data-dir "$data_dir" --log-format json
for _ in $(seq 300); do
  [[ $(wc -l <"$run_dir/hub.out") -gt 0 ]] && break
  if ! kill -0 "$(cat "$run_dir/hub.pid")" 2>/dev/null; then
    tail -n 20 "$run_dir/hub.log" >&2
    fail 'the hub did not start'
  fi
  sleep 0.1
done
[[ -s $run_dir/hub.out ]] || fail "the hub did not say where it listens within 30 s; see $run_dir/hub.log"

for node in web-1 db-1; do
  token=$("$binary" token --data-dir "$data_dir" --role agent --node "$node")
  # By the environment: arguments are visible to everybody on the machine.
  INFRAWATCH_TOKEN=$token in_background "agent-$node" \
    "$binary" agent --hub "ws://$(field address)" --spool-dir "$run_dir/spool"
done

echo "InfraWatch runs with this host and the nodes web-1 and db-1. Open once: $(field login_url)"
echo 'Then: make status, make logs, make stop'
