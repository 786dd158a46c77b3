#!/bin/sh
# lxc:960 monitoring. Waits until nobody holds Proxmox's lock on the container.
set -eu

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

until_free 960 'lxc:960 monitoring' 60
