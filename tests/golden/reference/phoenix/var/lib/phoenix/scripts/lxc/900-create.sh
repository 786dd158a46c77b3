#!/bin/sh
# lxc:900 template-base. Makes the container when its VMID is free, and takes up what an earlier run left half-made.
set -eu

vmid=900
called='lxc:900 template-base'
origin='from fastData-shared-iso:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst'
note=/var/lib/phoenix/made/lxc/900
conf=/etc/pve/lxc/$vmid.conf

refuse() {
    printf '%s\n' "$called is not made: $1" >&2
    exit 1
}

# What `pct` starts holds this as well: a run of ours that was cut may go on behind our back.
mkdir -p /run/lock
exec 8>>"/run/lock/phoenix-lxc-$vmid.lock"
flock -n 8 || refuse "another process is making it at this moment: try again when that has ended"

if [ -e "$conf" ]; then
    hostname=$(sed -n '/^\[/q; s/^hostname: *//p' "$conf")
    if [ -e "$note.parts" ]; then
        printf '%s\n' "$called is there"
        exit 0
    fi
    [ -e "$note" ] || refuse "VMID $vmid is taken by the container ${hostname:-without a name}, which we did not make"
    lock=$(sed -n '/^\[/q; s/^lock: *//p' "$conf")
    case $lock in
    '') ;;
    mounted) pct unmount "$vmid" || pct unlock "$vmid" ;;
    create | disk)
        # Volumes that were kept when it was rebuilt are given back to it: they must not go with it.
        if sed -n '/^\[/q; /^mp[0-9]*: */p' "$conf" | grep -qv '^mp[0-9]*: */'; then
            refuse "the container that an earlier run left half-made is locked ($lock) and holds volumes: look at $conf, then \`pct unlock $vmid\`"
        fi
        printf '%s\n' "$called was left half-made by a run that was cut: it is made anew"
        pct unlock "$vmid"
        pct destroy "$vmid"
        ;;
    *) refuse "the container that an earlier run left half-made is locked ($lock): wait, or \`pct unlock $vmid\`" ;;
    esac
fi
if [ ! -e "$conf" ]; then
    place=$(grep -o "\"$vmid\": *{[^}]*}" /etc/pve/.vmlist || :)
    if [ -n "$place" ]; then
        node=$(printf '%s\n' "$place" | sed -n 's/.*"node": *"\([^"]*\)".*/\1/p')
        case $place in
        *'"qemu"'*) refuse "VMID $vmid is taken by a virtual machine on the node $node" ;;
        *) refuse "VMID $vmid is taken by a container on the node $node" ;;
        esac
    fi
    # The note comes first: cut in between, it names a thing that is not there, which harms nothing.
    mkdir -p "$(dirname "$note")"
    rm -f "$note.parts"
    printf '%s\n' "$origin" >"$note"
    pct create 900 fastData-shared-iso:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst --hostname template-base --unprivileged 1 --rootfs quickOS-lxc-disks:32 --tags phoenix
    printf '%s\n' "made $called"
fi
