#!/usr/bin/env bash
# Stops what start-demo.sh started: agents first, then the hub. Succeeds when nothing runs.
#
# Usage: scripts/stop-demo.sh
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac

# A hub drains its connections for up to 30 s before it exits.
patience_s=35

stop() { # PID_FILE
  local pid began=$SECONDS
  if pid=$(running_pid "$1"); then
    kill -TERM "$pid"
    while running_pid "$1" >/dev/null; do
      if ((SECONDS - began > patience_s)); then
        echo "pid $pid did not stop within $patience_s s: killed" >&2
        kill -KILL "$pid" || true
        break
      fi
      sleep 0.1
    done
    echo "stopped $(basename "$1" .pid) (pid $pid)"
  fi
  rm -f "$1"
}

shopt -s nullglob
for pid_file in "$run_dir"/agent-*.pid "$run_dir"/hub.pid; do
  if [[ -e $pid_file ]]; then
    stop "$pid_file"
  fi
done
