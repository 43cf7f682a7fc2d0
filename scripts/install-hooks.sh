#!/usr/bin/env bash
# Makes git run scripts/git-hooks/pre-commit before every commit in this clone.
#
# Usage: scripts/install-hooks.sh [--remove]
source "$(dirname "${BASH_SOURCE[0]}")/locate.sh"

cd "$root"
current=$(git config --get core.hooksPath || true)
case ${1:-} in
  --help | -h) print_help && exit ;;
  --remove)
    if [[ $current == scripts/git-hooks ]]; then
      git config --local --unset core.hooksPath
    fi
    echo 'hooks removed'
    exit
    ;;
  '') ;;
  *) fail "unknown argument $1, see --help" ;;
esac

if [[ -n $current && $current != scripts/git-hooks ]]; then
  fail "core.hooksPath is $current already; unset it first if these hooks shall run"
fi
git config --local core.hooksPath scripts/git-hooks
"$root/scripts/install-tools.sh" typos
echo 'hooks installed: format, typos and clippy run before every commit (git commit --no-verify skips them)'
