#!/bin/sh
# be.sh ENGINE good|expired|stranger   run with this certificate
# be.sh ENGINE plain                   run without TLS
# be.sh ENGINE stopped                 run no more
set -eu
. "/opt/engines/$1.sh"
case $2 in
  stopped) systemctl stop "$service" ;;
  *)
    use "$2"
    systemctl reset-failed "$service" # many restarts in a row are wanted here
    systemctl restart "$service"
    for _ in $(seq 100); do
      if ss --no-header --listening --tcp --numeric "sport = :$port" | grep -q .; then exit 0; fi
      sleep 0.1
    done
    echo "$1 does not listen on $port" >&2
    exit 1
    ;;
esac
