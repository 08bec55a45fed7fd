#!/bin/sh
# Run one molecule scenario of every role, two roles at a time, each on a machine of its own, and print the seconds of each.
#   scripts/molecule.sh default|alternative [ROLE ...]
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH
logs=.goldfleet/molecule
mkdir -p "$logs"

run_role() { # ROLE SCENARIO
  started=$(date +%s)
  log=$logs/$1-$2.log
  if (cd "roles/$1" && molecule test --scenario-name "$2") >"$log" 2>&1; then
    printf 'molecule: %-16s %-12s ok      %4d s\n' "$1" "$2" $(($(date +%s) - started))
  else
    printf 'molecule: %-16s %-12s FAILED  %4d s, see %s\n' "$1" "$2" $(($(date +%s) - started)) "$log"
    tail -n 40 "$log"
    return 1
  fi
}

if [ "${1:-}" = --one ]; then # how this script starts itself for each role
  run_role "$3" "$2"
  exit
fi
scenario=${1:?usage: scripts/molecule.sh default|alternative [ROLE ...]}
shift
[ $# -gt 0 ] || set -- $(cd roles && ls)
# The roles that take longest begin first.
printf '%s\n' "$@" | sort -r | xargs -n 1 -P 2 scripts/molecule.sh --one "$scenario" || { echo "molecule: a role failed, see above" >&2; exit 1; }
