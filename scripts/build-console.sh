#!/usr/bin/env bash
# Builds the console into static/dist when its sources changed since the last build.
#
# Usage: scripts/build-console.sh [--force]
#   --force   build even if nothing changed
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

force=false
case ${1:-} in
  --help | -h) print_help && exit ;;
  --force) force=true ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac
need node npm
"$root/scripts/install-packages.sh" "$root/static"
cd "$root/static"

built=dist/index.html
if [[ $force == false && -f $built ]]; then
  # Folders count too: their time changes when a file in them is removed.
  changed=$(find . \( -name node_modules -o -name dist \) -prune -o -mindepth 1 -newer "$built" -print -quit)
  if [[ -z $changed ]]; then
    echo 'console: up to date'
    exit
  fi
fi
npm run build
touch "$built"
