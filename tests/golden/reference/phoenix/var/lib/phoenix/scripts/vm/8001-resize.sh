#!/bin/sh
# vm:8001 ml-desktop. Called with a disk and a size: makes the disk that large when it is smaller.
set -eu

vmid=8001
disk=$1 size=$2

bytes() {
    awk -v size="$1" 'BEGIN {
        unit = index("KMGT", substr(size, length(size)))
        printf "%.0f\n", (size + 0) * 1024 ^ unit
    }'
}

# actual: how large the disk is, as the conf says
actual() {
    sed -n "/^\[/q; s/^$disk: .*,size=\([0-9.]*[KMGT]\{0,1\}\).*/\1/p" "/etc/pve/qemu-server/$vmid.conf"
}

there=$(actual)
if [ -n "$there" ] && [ "$(bytes "$there")" -ge "$(bytes "$size")" ]; then
    printf '%s\n' "$disk of $vmid has $there"
    exit 0
fi
said=$(qm resize "$vmid" "$disk" "$size" 2>&1) || :
there=$(actual)
if [ -z "$there" ] || [ "$(bytes "$there")" -lt "$(bytes "$size")" ]; then
    # The volume was made larger by a run that was cut before the conf said so.
    qm rescan --vmid "$vmid"
    there=$(actual)
fi
if [ -z "$there" ] || [ "$(bytes "$there")" -lt "$(bytes "$size")" ]; then
    printf '%s\n' "$said" >&2
    exit 1
fi
