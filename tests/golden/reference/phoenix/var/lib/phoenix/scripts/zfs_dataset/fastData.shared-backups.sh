#!/bin/sh
# zfs_dataset:fastData/shared-backups. Makes the dataset, or sets only what differs.
set -eu

dataset=fastData/shared-backups

# want PROPERTY READS-BACK-AS SET-AS
want() {
    actual=$(zfs get -Hpo value "$1" "$dataset")
    if [ "$actual" != "$2" ]; then
        zfs set "$1=$3" "$dataset"
        printf '%s\n' "set $1=$3 on $dataset (was $actual)"
    fi
}

if zfs list -H -o name "$dataset" >/dev/null 2>&1; then
    want recordsize 1048576 1M
    want compression zstd zstd
    want sync standard standard
    want quota 1099511627776 1T
    want atime off off
    want mountpoint /fastData/shared-backups /fastData/shared-backups
    [ "$(zfs get -Hpo value mounted "$dataset")" = yes ] || zfs mount "$dataset"
else
    zfs create -o phoenix:managed=yes -o recordsize=1M -o compression=zstd -o sync=standard -o quota=1T -o atime=off -o mountpoint=/fastData/shared-backups fastData/shared-backups
    printf '%s\n' "made dataset $dataset"
fi
