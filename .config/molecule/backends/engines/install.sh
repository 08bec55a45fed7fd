#!/bin/sh
# On a backend's machine: install an engine from Debian's packages, with a user `shop`, a database `shop` and TLS. PASSWORD is in the
# environment. Says in /run/backend how it went.
set -eu
engine=$1
trap 'echo failed >/run/backend' EXIT
exec >/var/log/backend.log 2>&1
set -x
. "/opt/engines/$engine.sh"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
mkdir -p /etc/backend
for certificate in good expired stranger; do
  for kind in pem key; do
    install --owner="$account" --group="$account" --mode=0600 "/opt/certificates/$certificate.$kind" /etc/backend/
  done
done
chmod 0755 /etc/backend
configure
/opt/engines/be.sh "$engine" good
make_user
trap - EXIT
echo ready >/run/backend
