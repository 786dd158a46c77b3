#!/bin/sh
# zfs_pool:fastData. Makes the pool when it is not there and every disk is blank; changes nothing else.
set -eu

pool=fastData

refuse() {
    printf '%s\n' "pool $pool is not made: $1" >&2
    exit 1
}

# Nothing that holds anything is ever taken: no signature, no partition, no mount, whoever left it.
require_blank() {
    disk=/dev/disk/by-id/$1
    [ -e "$disk" ] || refuse "$disk is not there"
    found=$(wipefs -n "$disk") || refuse "wipefs cannot read $disk"
    [ -z "$found" ] || refuse "$disk is not blank: $(printf '%s' "$found" | tail -n +2 | tr -s ' \n' ' ')"
    found=$(lsblk -nro NAME,MOUNTPOINTS "$disk") || refuse "lsblk cannot read $disk"
    case $found in
    *[!\ ]*\ [!\ ]*) refuse "$disk is in use: $found" ;;
    esac
    [ "$(printf '%s\n' "$found" | wc -l)" -eq 1 ] || refuse "$disk has partitions"
}

if zpool list -H -o name "$pool" >/dev/null 2>&1; then
    printf '%s\n' "pool $pool is there"
    exit 0
fi
require_blank nvme-Samsung_SSD_990_EVO_Plus_4TB_S7U8NJ0Y000003C
zpool create -o ashift=12 -o autotrim=on -o autoexpand=off -o failmode=wait -O phoenix:pool=yes fastData /dev/disk/by-id/nvme-Samsung_SSD_990_EVO_Plus_4TB_S7U8NJ0Y000003C
printf '%s\n' "made pool $pool"
