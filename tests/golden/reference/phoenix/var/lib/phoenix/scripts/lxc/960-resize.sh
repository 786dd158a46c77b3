#!/bin/sh
# lxc:960 monitoring. Called with a disk and a size: makes the disk that large when it is smaller.
set -eu

vmid=960
disk=$1 size=$2

bytes() {
    awk -v size="$1" 'BEGIN {
        unit = index("KMGT", substr(size, length(size)))
        printf "%.0f\n", (size + 0) * 1024 ^ unit
    }'
}

actual=$(sed -n "/^\[/q; s/^$disk: .*,size=\([0-9.]*[KMGT]\{0,1\}\).*/\1/p" "/etc/pve/lxc/$vmid.conf")
if [ -n "$actual" ] && [ "$(bytes "$actual")" -ge "$(bytes "$size")" ]; then
    printf '%s\n' "$disk of $vmid has $actual"
    exit 0
fi
said=$(pct resize "$vmid" "$disk" "$size" 2>&1) || case $said in
# The volume was made larger by a run that was cut before the conf said so.
*'already at specified size'*) pct rescan --vmid "$vmid" ;;
*) printf '%s\n' "$said" >&2; exit 1 ;;
esac
