#!/bin/sh
# Run one molecule scenario of every role, each on a machine of its own, and print the seconds of each.
#   scripts/molecule.sh default|alternative [ROLE ...]
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH
scenario=${1:?usage: scripts/molecule.sh default|alternative [ROLE ...]}
shift
[ $# -gt 0 ] || set -- $(cd roles && ls)
logs=.goldfleet/molecule
mkdir -p "$logs"
failed=""
for role in "$@"; do
  started=$(date +%s)
  if (cd "roles/$role" && molecule test --scenario-name "$scenario") >"$logs/$role-$scenario.log" 2>&1; then
    printf 'molecule: %-16s %-12s ok      %4d s\n' "$role" "$scenario" $(($(date +%s) - started))
  else
    printf 'molecule: %-16s %-12s FAILED  %4d s, see %s\n' "$role" "$scenario" $(($(date +%s) - started)) "$logs/$role-$scenario.log"
    tail -n 40 "$logs/$role-$scenario.log"
    failed="$failed $role"
  fi
done
[ -z "$failed" ] || { echo "molecule: failed:$failed" >&2; exit 1; }
