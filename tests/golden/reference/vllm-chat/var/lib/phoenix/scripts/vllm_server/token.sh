#!/bin/sh
# vllm_server. Called with a path and the note that the server is to be told; reads the content on stdin.
set -eu

path=$1 waiting=$2

umask 022
mkdir -p "$(dirname "$path")" "$(dirname "$waiting")"
umask 077
sent=$(mktemp "$path.XXXXXX")
new=$(mktemp "$path.XXXXXX")
trap 'rm -f "$sent" "$new"' EXIT
cat >"$sent"
# The newlines around the end mark count: 26 bytes in all.
if [ "$(tail -c 25 "$sent")" != '-- the file ends here --' ]; then
    printf '%s\n' "$path is not written: its content came only in part" >&2
    exit 1
fi
head -c -26 "$sent" >"$new"
: >"$waiting"
sync "$new"
mv -f "$new" "$path"
printf '%s\n' "wrote $path"
