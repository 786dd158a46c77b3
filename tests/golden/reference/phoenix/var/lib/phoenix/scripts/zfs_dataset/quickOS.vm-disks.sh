#!/bin/sh
# zfs_dataset:quickOS/vm-disks. Makes the dataset, or sets only what differs.
set -eu

dataset=quickOS/vm-disks

# want PROPERTY READS-BACK-AS SET-AS
want() {
    actual=$(zfs get -Hpo value "$1" "$dataset")
    if [ "$actual" != "$2" ]; then
        zfs set "$1=$3" "$dataset"
        printf '%s\n' "set $1=$3 on $dataset (was $actual)"
    fi
}

if zfs list -H -o name "$dataset" >/dev/null 2>&1; then
    want recordsize 131072 128K
    want compression lz4 lz4
    want sync standard standard
    want quota 644245094400 600G
    want atime off off
    want mountpoint /quickOS/vm-disks /quickOS/vm-disks
    [ "$(zfs get -Hpo value mounted "$dataset")" = yes ] || zfs mount "$dataset"
else
    zfs create -o phoenix:managed=yes -o recordsize=128K -o compression=lz4 -o sync=standard -o quota=600G -o atime=off -o mountpoint=/quickOS/vm-disks quickOS/vm-disks
    printf '%s\n' "made dataset $dataset"
fi
