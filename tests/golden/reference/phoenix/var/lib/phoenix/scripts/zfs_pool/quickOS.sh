#!/bin/sh
# zfs_pool:quickOS. Makes the pool when it is not there and every disk is blank; changes nothing else.
# A note says that it is being made: when that is cut, by the power or by zpool, the next run goes on from there.
set -eu

pool=quickOS
begun=/var/lib/phoenix/begun/zfs_pool/quickOS
disks='nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000001A
nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000002B'

refuse() {
    printf '%s\n' "pool $pool is not made: $1" >&2
    exit 1
}

signatures() { # DEVICE COLUMNS: in $seen, each once
    seen=$(wipefs -n -i -O "$2" "$1") || refuse "wipefs cannot read $1"
    seen=$(printf '%s' "$seen" | tr -s ' ' | sed 's/ $//' | LC_ALL=C sort -u)
}

# Nothing that holds anything is ever taken: no signature, no partition, no mount, whoever left it.
require_blank() {
    disk=/dev/disk/by-id/$1
    [ -e "$disk" ] || refuse "$disk is not there"
    held=$(wipefs -n "$disk") || refuse "wipefs cannot read $disk"
    names=$(lsblk -nro NAME "$disk") || refuse "lsblk cannot read $disk"
    mounted=$(lsblk -nro MOUNTPOINTS "$disk") || refuse "lsblk cannot read $disk"
    case $mounted in
    *[![:space:]]*) refuse "$disk is in use: mounted at $(printf '%s' "$mounted" | tr -s '\n' ' ')" ;;
    esac
    count=$(printf '%s\n' "$names" | wc -l)
    if [ -n "$again" ] && left_by_us "$disk"; then return 0; fi
    [ -z "$held" ] || refuse "$disk is not blank: $(printf '%s' "$held" | tail -n +2 | tr -s ' \n' ' ')"
    [ "$count" -eq 1 ] || refuse "$disk has partitions"
}

# A disk that was blank when we began: ZFS's two partitions, with nothing in them or with this very pool.
left_by_us() {
    signatures "$1" TYPE
    case $(printf '%s' "$seen" | tr '\n' ' ') in
    gpt | 'PMBR gpt') ;;
    *) return 1 ;;
    esac
    [ "$count" -ne 1 ] || return 0 # nobody has read the table yet
    [ "$count" -eq 3 ] && label=$(lsblk -dnro PARTLABEL "$1-part1") && lsblk "$1-part9" >/dev/null || return 1
    case $label in
    zfs-????????????????) ;;
    *) return 1 ;;
    esac
    signatures "$1-part9" TYPE
    [ -z "$seen" ] || return 1
    signatures "$1-part1" TYPE,LABEL
    case $seen in
    '') ;;
    "zfs_member $pool") whole=1 ;;
    *) return 1 ;;
    esac
}

ours() { # the mark may have come too late for the disks
    zfs set phoenix:pool=yes quickOS
    rm -f "$begun"
}

if zpool list -H -o name "$pool" >/dev/null 2>&1; then
    printf '%s\n' "pool $pool is there"
    [ ! -e "$begun" ] || ours
    exit 0
fi
again='' whole=''
if [ -e "$begun" ] && [ "$(cat "$begun")" = "$disks" ]; then again=1; fi
require_blank nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000001A
require_blank nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000002B
if [ -n "$whole" ]; then
    zpool import -d /dev/disk/by-id/nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000001A-part1 -d /dev/disk/by-id/nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000002B-part1 quickOS
    said="imported pool $pool, which was made already"
else
    mkdir -p "$(dirname "$begun")"
    printf '%s\n' "$disks" >"$begun"
    sync "$begun" "$(dirname "$begun")"
    zpool create -o ashift=12 -o autotrim=on -o autoexpand=off -o failmode=wait -O phoenix:pool=yes quickOS mirror /dev/disk/by-id/nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000001A /dev/disk/by-id/nvme-Samsung_SSD_990_EVO_Plus_2TB_S7U8NJ0Y000002B
    said="made pool $pool"
fi
ours
printf '%s\n' "$said"
