#!/usr/bin/env bash
# Says what of the demo runs and what the hub says about itself. Exits 1 when something is down.
#
# Usage: scripts/show-status.sh
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac

shopt -s nullglob
pid_files=("$run_dir"/*.pid)
if [[ ${#pid_files[@]} == 0 ]]; then
  echo 'nothing runs in the background; make demo starts it'
  exit 1
fi

down=0
for pid_file in "${pid_files[@]}"; do
  name=$(basename "$pid_file" .pid)
  if pid=$(running_pid "$pid_file"); then
    printf '%-12s up    pid %s\n' "$name" "$pid"
  else
    printf '%-12s DOWN  see %s\n' "$name" "$run_dir/$name.log"
    down=1
  fi
done

if running_pid "$run_dir/hub.pid" >/dev/null; then
  # shellcheck disable=SC2016 # JavaScript, not shell
  head -n 1 "$run_dir/hub.out" | node -e '
    import { readFileSync } from "node:fs";
    const { address } = JSON.parse(readFileSync(0, "utf8"));
    const answer = await fetch(`http://${address}/api/health`, { signal: AbortSignal.timeout(5000) });
    const body = await answer.text();
    if (!body.startsWith("{")) throw new Error(`http://${address}/api/health answered ${answer.status}`);
    const { status, version, checks } = JSON.parse(body);
    console.log(`health       ${status}, version ${version}, http://${address}`);
    for (const [name, check] of Object.entries(checks)) console.log(`  ${name}: ${check.status} ${check.detail ?? ""}`);
  ' --input-type=module || down=1
fi
exit "$down"
