#!/bin/sh
# Install what goldfleet needs on a fresh Debian 12 (or Ubuntu) machine: Debian packages, then .venv with the locked
# versions. Idempotent; says what it does; under two seconds when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

packages="podman runc netavark aardvark-dns iptables iproute2 uidmap util-linux mmdebstrap debian-archive-keyring packer openssh-client python3-venv chromium"

say() { printf 'setup: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
for package in $packages; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
  say "installing Debian packages:$missing"
  as_root apt-get update -q
  # shellcheck disable=SC2086  # a list of package names
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
else
  say "Debian packages: all there"
fi

python=""
for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
  if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "setup: no Python 3.11 or newer with the venv module was found on PATH. Install python3 (3.11+) and python3-venv." >&2
  exit 2
fi

# The tools' settings in pyproject.toml do not matter here; a change of them must not reinstall anything.
wanted=$({ cat requirements.lock; sed '/^\[tool\./,$d' pyproject.toml; } | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/goldfleet ] && [ "$(cat .venv/.goldfleet-setup 2>/dev/null)" = "$wanted $PWD" ]; then
  say "virtual environment .venv: up to date"
else
  say "virtual environment .venv: installing the locked versions of requirements.lock"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  uv_pin=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
  .venv/bin/python -m pip install -q "uv==$uv_pin"
  # As pip does: where Python may not write bytecode itself, every start of Ansible would compile all of it anew, three times as slow.
  .venv/bin/uv pip sync -q --compile-bytecode --require-hashes requirements.lock
  .venv/bin/uv pip install -q --no-deps --editable .
  printf '%s' "$wanted $PWD" >.venv/.goldfleet-setup
fi
