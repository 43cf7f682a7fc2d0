#!/usr/bin/env bash
# Counts the instructions of the hot paths (benches/hot_paths) under valgrind, in a release build, and compares them
# with benches/instructions.toml. A case that has grown by more than 5 % is a failure; where compiler or CPU are not
# those of the committed numbers it is only told.
#
# Usage: scripts/count-instructions.sh [--check | --update]
#   --check    compare (what happens without any)
#   --update   write the numbers of this build to benches/instructions.toml
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

action=--check
case ${1:-} in
  --help | -h) print_help && exit ;;
  --check | --update) action=$1 ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac
need cargo valgrind
cd "$root"
exec cargo bench --locked --bench hot_paths -- "$action"
