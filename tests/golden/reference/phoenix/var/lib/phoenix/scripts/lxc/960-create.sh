#!/bin/sh
# lxc:960 monitoring. Makes the container when its VMID is free, and takes up what an earlier run left half-made.
set -eu

vmid=960
called='lxc:960 monitoring'
origin='from 900 e2e25a14e9a369c1'
note=/var/lib/phoenix/made/lxc/960
conf=/etc/pve/lxc/$vmid.conf

refuse() {
    printf '%s\n' "$called is not made: $1" >&2
    exit 1
}

# lock VMID: Proxmox's lock on a container, or nothing
lock() {
    sed -n '/^\[/q; s/^lock: *//p' "/etc/pve/lxc/$1.conf"
}

meaning() {
    case $1 in
    backup) printf '%s' 'a backup of it is running' ;;
    create) printf '%s' 'it is being made or restored' ;;
    clone) printf '%s' 'it is being cloned' ;;
    disk) printf '%s' 'it is being cloned, or a volume of it is being moved' ;;
    migrate) printf '%s' 'it is on its way to another node' ;;
    mounted) printf '%s' 'somebody has its root mounted (pct unmount ends that)' ;;
    rollback) printf '%s' 'it is being rolled back' ;;
    snapshot) printf '%s' 'a snapshot of it is being taken' ;;
    snapshot-delete) printf '%s' 'a snapshot of it is being removed' ;;
    fstrim) printf '%s' 'its volumes are being trimmed' ;;
    destroyed) printf '%s' 'its removal was begun and not finished' ;;
    *) printf '%s' 'see the tasks of the node' ;;
    esac
}

# at_work VMID ACT...: whether Proxmox does that to the container at this moment, by hand or as a task
at_work() {
    whom=$1
    shift
    for act; do
        ! pgrep -f "pct $act $whom( |\$)|:vz$act:$whom:" >/dev/null || return 0
    done
    return 1
}

# stale VMID LOCK: whether a run of ours that was cut has left this lock behind
stale() {
    case $2 in
    disk) [ -e "/var/lib/phoenix/pending/clone-$1" ] && ! at_work "$1" clone ;;
    snapshot | snapshot-delete)
        awk '/^\[/ { here = $0 == "[phoenix_layer]" } here && /^snapstate:/ { found = 1 } END { exit !found }' \
            "/etc/pve/lxc/$1.conf" && ! at_work "$1" snapshot delsnapshot
        ;;
    *) return 1 ;;
    esac
}

# until_free VMID WHO SECONDS: waits until nobody holds Proxmox's lock on the container
until_free() {
    end=$(($(date +%s) + $3))
    while held=$(lock "$1") && [ -n "$held" ]; do
        if stale "$1" "$held"; then
            printf '%s\n' "$2 is locked ($held) by a run of ours that was cut"
            pct unlock "$1"
            continue
        fi
        if [ "$(date +%s)" -ge "$end" ]; then
            {
                printf '%s\n' "$2 is locked ($held) for more than $3 s: $(meaning "$held")."
                printf '%s\n' "Try again when that has ended; a lock that nothing holds any more goes with \`pct unlock $1\`."
            } >&2
            exit 1
        fi
        sleep 1
    done
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
    # What its layer's seal says now, which may be older than what the files say.
    layer=900
    seal=$(awk '$0 == "[phoenix_layer]" { here = 1; next } /^\[/ { here = 0 } here && /^#phoenix / { print $2; exit }' \
        "/etc/pve/lxc/$layer.conf")
    [ -n "$seal" ] || seal=$(cut -d' ' -f2 /var/lib/phoenix/made/lxc_layer/900 2>/dev/null) || :
    [ -z "$seal" ] || origin="from $layer $seal"
    printf '%s\n' "$origin" >"$note"
    # Cut in the middle, a clone leaves its layer locked: the note says that it was us.
    until_free "$layer" "its layer $layer" 60
    cloning=/var/lib/phoenix/pending/clone-$layer
    mkdir -p "$(dirname "$cloning")"
    printf '%s\n' "$vmid" >"$cloning"
    pct clone 900 960 --hostname monitoring-stack --snapname phoenix_layer --full 1 --storage quickOS-lxc-disks || { status=$?; rm -f "$cloning"; exit "$status"; }
    rm -f "$cloning"
    printf '%s\n' "made $called"
fi

# Killed between the two, the note is there longer than the clone took.
cloning=/var/lib/phoenix/pending/clone-900
if [ "$(cat "$cloning" 2>/dev/null)" = "$vmid" ]; then rm -f "$cloning"; fi

# A clone gets an identity of its own: what makes two guests one machine goes, and is made anew at the first start.
pct mount "$vmid"
root=/var/lib/lxc/$vmid/rootfs
own() {
    [ -d "$root/$1" ] && [ ! -h "$root/$1" ]
}
if own etc; then
    # Emptied, not removed: systemd then takes it for a first start no more than it is one (machine-id(5)).
    if [ -f "$root/etc/machine-id" ] && [ ! -h "$root/etc/machine-id" ]; then : >"$root/etc/machine-id"; fi
    if own etc/ssh; then rm -f "$root"/etc/ssh/ssh_host_*; fi
fi
pct unmount "$vmid"
