#!/bin/sh
# ct_template. Called with our note and further volumes: removes the archives that we fetched, and those.
set -eu

note=$1
shift

gone() {
    path=$(pvesm path "$1" 2>/dev/null) || return 0 # its storage is gone, and the archive with it
    [ ! -e "$path" ] || pveam remove "$1"
}

for volume in "$@"; do
    gone "$volume"
done
if [ -e "$note" ]; then
    awk -F '\t' '$1 == "fetched" { print $2 }' "$note" | sort -u | while read -r volume; do
        gone "$volume"
    done
    rm -f "$note"
fi
