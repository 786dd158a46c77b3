#!/bin/sh
# host_file. Called with a path, its note and its kept original: removes the file, puts back the original.
set -eu

path=$1 note=$2 kept=$3

if [ ! -h "$path" ] && [ -d "$path" ]; then
    printf '%s\n' "$path is not removed: it is a folder" >&2
    exit 1
fi
unit=
[ ! -e "$note" ] || unit=$(sed -n 2p "$note")
if [ -e "$kept" ] || [ -h "$kept" ]; then
    mv -f "$kept" "$path"
    printf '%s\n' "put back what $path was before"
else
    rm -f "$path"
    printf '%s\n' "removed $path"
fi
rm -f "$note"
[ -z "$unit" ] || systemctl try-reload-or-restart "$unit"
