#!/usr/bin/env bash
# Runs the tests of the Alertmanager API against the real programs, a Prometheus and an amtool. Without them it says that
# they were skipped; scripts/install-tools.sh prometheus gets them.
#
# Usage: scripts/try-prometheus.sh
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
esac

PATH=$tools_dir/bin:$PATH
for program in prometheus amtool; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped: there is no $program; scripts/install-tools.sh prometheus gets it on Debian"
    exit
  fi
done
cd "$root"
cargo test --locked --test it -- --ignored --exact \
  alerts::prometheus::amtool_posts_queries_and_silences \
  alerts::prometheus::a_real_prometheus_posts_and_ends_alerts
