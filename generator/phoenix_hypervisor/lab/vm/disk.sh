#!/bin/sh
# disk.sh PLACE KERNEL USERLAND: makes the image of a root file system from both archives, without mounting
# anything. To be run as root, or as the root of a user namespace: the owners of files must be the machine's.
set -eu
place=$1 kernel=$2 userland=$3
root=$(mktemp -d "$place.XXXXXX")
trap 'rm -rf "$root"' EXIT
tar -C "$root" --numeric-owner --exclude='./dev/*' -xf "$userland"
tar -C "$root" --numeric-owner --keep-directory-symlink -xf "$kernel" ./lib
truncate -s 4G "$place"
PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -E lazy_itable_init=1,root_owner=0:0 -d "$root" "$place"
