# The agent for servers without Python: agent.py says what it is told and what it answers. Every question goes to /bin/sh. Both
# texts of an answer lie in a folder of their own meanwhile, in memory where there is /dev/shm, which is gone at the end.
IFS=' '
read -r size || exit 0
dd bs=1 count="$size" >/dev/null 2>&1 # agent.py, which was sent before it was known that there is no Python
umask 077
own=$(TMPDIR=/tmp; [ -w /dev/shm ] && TMPDIR=/dev/shm; export TMPDIR; mktemp -d) || exit 1
trap 'rm -rf "$own"' EXIT
trap 'exit 129' HUP TERM PIPE
limit=
timeout -k 1 5 true 2>/dev/null && limit=timeout # older ones of busybox have another syntax
printf '\000goldfleet-agent 1\n'
while read -r kind seconds count; do
  number=0
  while [ "$number" -lt "$count" ]; do
    read -r size
    question=$(dd bs=1 count="$size" 2>/dev/null; echo .)
    question=${question%.}
    # At most 64 MiB of either text, in blocks of 512 bytes.
    (ulimit -f 131072; exec ${limit:+"$limit" -k 1 "$seconds"} /bin/sh -c "$question") </dev/null >"$own/out" 2>"$own/err"
    code=$?
    case ${limit:+x}$code in x124) code=late ;; *153) code=long ;; esac
    printf 'A %d %s %d %d 0 s\n' "$number" "$code" "$(wc -c <"$own/out")" "$(wc -c <"$own/err")"
    cat "$own/out" "$own/err"
    number=$((number + 1))
  done
  printf '.\n'
done
