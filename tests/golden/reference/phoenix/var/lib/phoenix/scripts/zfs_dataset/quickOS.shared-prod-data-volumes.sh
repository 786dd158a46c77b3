#!/bin/sh
# zfs_dataset:quickOS/shared-prod-data-volumes. Makes the dataset, or sets only what differs.
set -eu

dataset=quickOS/shared-prod-data-volumes

# want PROPERTY READS-BACK-AS SET-AS
want() {
    actual=$(zfs get -Hpo value "$1" "$dataset")
    if [ "$actual" != "$2" ]; then
        zfs set "$1=$3" "$dataset"
        printf '%s\n' "set $1=$3 on $dataset (was $actual)"
    fi
}

if zfs list -H -o name "$dataset" >/dev/null 2>&1; then
    want recordsize 16384 16K
    want compression lz4 lz4
    want sync standard standard
    want quota 107374182400 100G
    want atime off off
    want mountpoint /quickOS/shared-prod-data-volumes /quickOS/shared-prod-data-volumes
    [ "$(zfs get -Hpo value mounted "$dataset")" = yes ] || zfs mount "$dataset"
else
    zfs create -o phoenix:managed=yes -o recordsize=16K -o compression=lz4 -o sync=standard -o quota=100G -o atime=off -o mountpoint=/quickOS/shared-prod-data-volumes quickOS/shared-prod-data-volumes
    printf '%s\n' "made dataset $dataset"
fi
