#!/bin/sh
# vm_image. Called with an image's name and our note: destroys its template, unless linked clones share it.
set -eu

name=$1 note=$2

for conf in /etc/pve/qemu-server/*.conf; do
    [ -e "$conf" ] || continue
    [ "$(sed -n '/^\[/q; s/^name: *//p' "$conf")" = "$name" ] || continue
    sed '/^\[/,$d' "$conf" | grep -q '^#phoenix image ' || continue
    vmid=$(basename "$conf" .conf)
    clones=$(grep -l ":base-$vmid-disk-[0-9]*[/.]" /etc/pve/qemu-server/*.conf 2>/dev/null | grep -v "/$vmid.conf" |
        sed 's|.*/||; s|\.conf$||' | tr '\n' ' ')
    if [ -n "$clones" ]; then
        printf '%s\n' "the template $vmid of $name stays: linked clones share it: $clones" >&2
        exit 1
    fi
    qm destroy "$vmid"
    printf '%s\n' "destroyed the template $vmid of $name"
done
rm -f "$note"
