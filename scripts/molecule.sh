#!/bin/sh
# Run molecule scenarios of the roles, two at a time, each on machines of its own, and print the seconds of each.
#   scripts/molecule.sh default         the scenario `default` of every role
#   scripts/molecule.sh others          every scenario but `default`, of every role
#   scripts/molecule.sh all [ROLE ...]  every scenario of every role, or of the named ones
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/tests/machines:$PWD/.venv/bin:$PATH"
export PATH
logs=.goldfleet/molecule
mkdir -p "$logs"

run_scenario() { # ROLE/SCENARIO
  role=${1%/*}
  scenario=${1#*/}
  started=$(date +%s)
  log=$logs/$role-$scenario.log
  if (cd "roles/$role" && molecule test --scenario-name "$scenario") >"$log" 2>&1; then
    printf 'molecule: %-16s %-12s ok      %4d s\n' "$role" "$scenario" $(($(date +%s) - started))
  else
    printf 'molecule: %-16s %-12s FAILED  %4d s, see %s\n' "$role" "$scenario" $(($(date +%s) - started)) "$log"
    tail -n 40 "$log"
    return 1
  fi
}

if [ "${1:-}" = --one ]; then # how this script starts itself for each scenario
  run_scenario "$2"
  exit
fi
GOLDFLEET_MACHINES=$(mktemp -d) # makes tests/machines/podman enter them the quick way
export GOLDFLEET_MACHINES
trap 'rm -rf "$GOLDFLEET_MACHINES"' EXIT
usage="usage: scripts/molecule.sh default|others|all [ROLE ...]"
wanted=${1:?$usage}
case $wanted in default | others | all) shift ;; *) echo "$usage" >&2 && exit 2 ;; esac
[ $# -gt 0 ] || set -- $(cd roles && ls)
for role; do
  for scenario in $(cd "roles/$role/molecule" && ls); do
    case $wanted/$scenario in
      all/* | default/default) echo "$role/$scenario" ;;
      others/default | default/*) ;;
      others/*) echo "$role/$scenario" ;;
    esac
  done
done | sort -r | xargs -n 1 -P 2 scripts/molecule.sh --one || { # from the end of the alphabet: the longest begin first
  echo "molecule: a scenario failed, see above" >&2
  exit 1
}
