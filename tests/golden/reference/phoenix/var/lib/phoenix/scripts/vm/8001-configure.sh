#!/bin/sh
# vm:8001 ml-desktop. Gives the machine its declared settings in one go. Disks and addresses that are there stay.
set -eu

vmid=8001
conf=/etc/pve/qemu-server/$vmid.conf
saved=/var/lib/phoenix/kept/vm/8001

# value KEY: what the machine's conf says of it
value() {
    sed -n "/^\[/q; s/^$1: *//p" "$conf"
}

# kept KEY: what an earlier machine of this number had there
kept() {
    [ ! -e "$saved" ] || sed -n "s/^$1: *//p" "$saved" | tail -n 1
}

# disk KEY ALLOCATION: the volume that is there, one that outlived an earlier machine, or a new one; its size
disk() {
    there=$(value "$1")
    [ -n "$there" ] || there=$(kept "$1")
    if [ -n "$there" ]; then
        printf '%s' "$there" | awk -F, '{ out = $1; for (n = 2; n <= NF; n++) if ($n ~ /^size=/) out = out "," $n; print out }'
    else
        printf '%s' "$2"
    fi
}

# card KEY: `=ADDRESS` as it is now, or as an earlier machine had it
card() {
    there=$(kept "$1")
    [ -n "$there" ] || there=$(value "$1")
    printf '%s' "$there" | sed -n 's/^[a-z0-9-]*\(=[0-9A-Fa-f:]*\).*/\1/p'
}

set -- "$vmid"
set -- "$@" --memory 16384
set -- "$@" --balloon 8192
set -- "$@" --agent 1
set -- "$@" --serial0 socket
set -- "$@" --cicustom meta=fastData-shared-iso:snippets/phoenix-8001-meta.yaml,user=fastData-shared-iso:snippets/phoenix-8001-user.yaml
set -- "$@" --cores 8
set -- "$@" --cpu host
set -- "$@" --machine q35
set -- "$@" --scsihw virtio-scsi-single
set -- "$@" --onboot 0
set -- "$@" --nameserver 10.0.0.1
set -- "$@" --description 'ML desktop'
set -- "$@" --tags phoenix
set -- "$@" --net0 virtio=52:54:00:67:89:C0,bridge=vmbr0,firewall=1
set -- "$@" --ipconfig0 gw=10.0.0.1,ip=10.0.0.160/24
set -- "$@" --scsi0 "$(disk scsi0 '')",discard=on,iothread=1,ssd=1
[ -n "$(value ide2)" ] || set -- "$@" --ide2 quickOS-vm-disks:cloudinit
qm set "$@"
if [ -e "$saved.fw" ] && [ ! -e "/etc/pve/firewall/$vmid.fw" ]; then
    mkdir -p /etc/pve/firewall
    cat "$saved.fw" >"/etc/pve/firewall/$vmid.fw.tmp.$$"
    mv -f "/etc/pve/firewall/$vmid.fw.tmp.$$" "/etc/pve/firewall/$vmid.fw"
fi
rm -f "$saved" "$saved.fw"
printf '%s\n' "configured $vmid"
