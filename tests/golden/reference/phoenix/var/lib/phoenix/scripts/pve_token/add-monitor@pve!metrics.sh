#!/bin/sh
# pve_token:monitor@pve!metrics. Makes the token, and prints its value and nothing else.
set -eu

note='/var/lib/phoenix/made/pve_token/monitor@pve!metrics'

# The note comes first: cut in between, it names a token that is not there, which harms nothing.
mkdir -p "$(dirname "$note")"
: >"$note"
made=$(pveum user token add monitor@pve metrics --privsep 1 --output-format json)
# `printf` is the shell's own: the value is never another process's argument. The value is the last key.
value=$(printf '%s\n' "$made" | sed -n 's/.*[{,] *"value" *: *"\([^"\\]*\)".*/\1/p')
if [ -z "$value" ]; then
    printf '%s\n' "pveum made the token, and gave no value: the next run takes it from the node" >&2
    exit 1
fi
printf '%s\n' "$value"
