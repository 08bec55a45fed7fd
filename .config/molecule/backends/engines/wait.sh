#!/bin/sh
# Wait until install.sh is done.
for _ in $(seq 360); do
  case $(cat /run/backend 2>/dev/null) in
    ready) exit 0 ;;
    failed) break ;;
  esac
  sleep 0.5
done
tail -n 30 /var/log/backend.log >&2
exit 1
