#!/usr/bin/env bash
# Follows the logs of the demo: the hub and its agents. Ctrl-C ends it.
#
# Usage: scripts/follow-logs.sh
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac

shopt -s nullglob
logs=("$run_dir"/hub.* "$run_dir"/agent-*)
readable=()
for log in "${logs[@]}"; do
  if [[ $log == *.log || $log == *.out ]]; then
    readable+=("$log")
  fi
done
[[ ${#readable[@]} -gt 0 ]] || fail 'no logs yet; make demo writes them'
exec tail -n 40 -F "${readable[@]}"
