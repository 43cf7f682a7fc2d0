#!/usr/bin/env bash
# Installs the npm packages of a folder exactly as its lock file says, unless they are there already.
#
# Usage: scripts/install-packages.sh FOLDER
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

case ${1:-} in
  --help | -h) print_help && exit ;;
  '') fail 'which folder? see --help' ;;
esac
need node npm
cd "$1"

installed=node_modules/.package-lock.json
if [[ $installed -nt package-lock.json ]]; then
  echo "$1: packages are up to date"
  exit
fi
# The tests drive the browser of the system.
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund
# npm keeps the time of an unchanged file; the comparison above needs the time of this install.
touch "$installed"
