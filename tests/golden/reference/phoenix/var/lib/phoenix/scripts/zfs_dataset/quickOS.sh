#!/bin/sh
# zfs_dataset:quickOS. Makes the dataset, or sets only what differs.
set -eu

dataset=quickOS

# want PROPERTY READS-BACK-AS SET-AS
want() {
    actual=$(zfs get -Hpo value "$1" "$dataset")
    if [ "$actual" != "$2" ]; then
        zfs set "$1=$3" "$dataset"
        printf '%s\n' "set $1=$3 on $dataset (was $actual)"
    fi
}

if zfs list -H -o name "$dataset" >/dev/null 2>&1; then
    want compression lz4 lz4
    want sync standard standard
    want atime off off
    want mountpoint /quickOS /quickOS
    [ "$(zfs get -Hpo value mounted "$dataset")" = yes ] || zfs mount "$dataset"
else
    zfs create -o phoenix:managed=yes -o compression=lz4 -o sync=standard -o atime=off -o mountpoint=/quickOS quickOS
    printf '%s\n' "made dataset $dataset"
fi
