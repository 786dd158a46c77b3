#!/bin/sh
# kernel_module:overlay. Loads it, and sets what can be set while it is loaded, where it differs.
set -eu

name=overlay

# want PARAMETER VALUE
want() {
    file=/sys/module/$name/parameters/$1
    [ -n "$(find "$file" -perm /222 2>/dev/null)" ] || return 0
    actual=$(cat "$file")
    if [ "$actual" != "$2" ]; then
        printf '%s\n' "$2" >"$file"
        printf '%s\n' "set $name's $1 to $2 (was $actual)"
    fi
}

modprobe "$name"
