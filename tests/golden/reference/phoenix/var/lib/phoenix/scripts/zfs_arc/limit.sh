#!/bin/sh
# zfs_arc. Sets the running module's limits, only where they differ.
set -eu

# want PARAMETER BYTES
want() {
    file=/sys/module/zfs/parameters/$1
    actual=$(cat "$file")
    if [ "$actual" != "$2" ]; then
        printf '%s\n' "$2" >"$file"
        printf '%s\n' "set $1 to $2 (was $actual)"
    fi
}

want zfs_arc_max 34359738368
