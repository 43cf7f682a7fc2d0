#!/usr/bin/env bash
# Runs the Autobahn Testsuite, the usual test of RFC 6455 and RFC 7692, against examples/echo.rs, which serves
# the hub's own socket layer, and prints what it found. Every case must be OK; a window smaller than 15 bits may
# be declined.
#
# Usage: scripts/conformance.sh [--sample] [SECTION...]
#   SECTION    a section of the suite, 1 to 13, or cases of one, as 12.1.*; without any all of them, which takes
#              most of an hour
#   --sample   sections 1 to 7 and 10 and some of 12 and 13, in a minute; where no Python 2.7 can be had it says
#              so and succeeds
# Environment:
#   PYTHON27   a Python 2.7, which the suite needs; else one of pyenv's, or python2.7 on the PATH
#   PROFILE    cargo profile of the echo server (dev)
# The suite is installed into ./.run/tools (or INFRAWATCH_TOOLS); reports, also to be read in a browser, are in a
# folder of ./.run/conformance for each choice of sections.
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

readonly version=25.10.1
# Large and small messages, with and without fragments, of every way to negotiate.
readonly sample=(1.* 2.* 3.* 4.* 5.* 6.* 7.* 10.* 12.1.1 12.1.10 12.2.5 12.4.1 12.5.17 13.1.1 13.3.1 13.4.3 13.7.2)

profile=${PROFILE:-dev}
place=$tools_dir/autobahn-$version

find_python27() {
  local found
  if [[ -n ${PYTHON27:-} ]]; then
    command -v "$PYTHON27" && return
    fail "PYTHON27=$PYTHON27 cannot be run"
  fi
  for found in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    [[ -x $found ]] && printf '%s\n' "$found" && return
  done
  # pyenv's shims stand on the PATH even where no such version is installed.
  python2.7 -c '' 2>/dev/null && command -v python2.7
}

install_suite() {
  [[ -f $place/installed ]] && return
  echo "installing autobahntestsuite $version and what it needs, once"
  rm -rf "$place"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$place" \
    -r "$root/scripts/autobahn/requirements.txt" 2>&1 | { grep -v DEPRECATION || true; }
  # Masks and checks UTF-8 in C: without it the suite takes longer, that is all.
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$place" wsaccel==0.6.3 \
    >/dev/null 2>&1 || echo 'wsaccel cannot be built here; the suite takes longer without it'
  touch "$place/installed"
}

start_echo() {
  local binary address
  cargo build --locked --workspace --profile "$profile" --example echo
  binary=$(binary_dir "$profile")/examples/echo
  coproc echo_server { exec "$binary" 127.0.0.1:0; }
  # shellcheck disable=SC2154 # made by coproc
  trap 'kill "$echo_server_PID" 2>/dev/null || true' EXIT
  # shellcheck disable=SC2154
  read -r -t 10 address <&"${echo_server[0]}" || fail 'the echo server did not start'
  url=$address
}

run_suite() { # CASE...
  rm -rf "$report"
  mkdir -p "$report"
  URL=$url REPORT=$report node -e '
    const { URL: url, REPORT: outdir } = process.env;
    const servers = [{ agent: "infrawatch", url, options: { version: 18 } }];
    console.log(JSON.stringify({ outdir, servers, cases: process.argv.slice(1),
      "exclude-cases": [], "exclude-agent-cases": {}, options: { failByDrop: false } }));
  ' -- "$@" >"$report/spec.json"
  # A folder of packages is not enough: zope is one of those that need their .pth file read.
  "$python" -c 'import site, sys
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()' "$place" -m fuzzingclient -s "$report/spec.json" >"$report/suite.log" 2>&1 || {
    tail -n 30 "$report/suite.log"
    fail "the suite broke off; see $report/suite.log"
  }
}

may_skip=false
cases=()
for argument in "$@"; do
  case $argument in
    --help | -h) print_help && exit ;;
    --sample) may_skip=true cases+=("${sample[@]}") ;;
    [1-9] | 1[0-3]) cases+=("$argument.*") ;;
    [1-9]*.*) cases+=("$argument") ;;
    *) fail "unknown argument $argument, see --help" ;;
  esac
done
[[ ${#cases[@]} -gt 0 ]] || cases=('*')
chosen=${*:-all}
report=$run_dir/conformance/${chosen//[^a-z0-9.]/_}

need cargo node
cd "$root"
if ! python=$(find_python27); then
  [[ $may_skip == true ]] || fail 'needs a Python 2.7 (pyenv install 2.7.18, or set PYTHON27)'
  echo 'skipped: no Python 2.7 for the Autobahn Testsuite; conformance to RFC 6455 and 7692 is NOT checked'
  exit
fi
install_suite
start_echo
run_suite "${cases[@]}"
node "$root/scripts/autobahn/summary.mjs" "$report/index.json"
