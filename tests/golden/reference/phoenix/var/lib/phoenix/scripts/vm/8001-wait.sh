#!/bin/sh
# vm:8001 ml-desktop. Waits until nobody holds Proxmox's lock on the machine.
set -eu

# lock VMID: Proxmox's lock on a machine, or nothing
lock() {
    sed -n '/^\[/q; s/^lock: *//p' "/etc/pve/qemu-server/$1.conf"
}

meaning() {
    case $1 in
    backup) printf '%s' 'a backup of it is running' ;;
    create) printf '%s' 'it is being made or restored' ;;
    clone) printf '%s' 'it is being cloned' ;;
    migrate) printf '%s' 'it is on its way to another node' ;;
    rollback) printf '%s' 'it is being rolled back' ;;
    snapshot) printf '%s' 'a snapshot of it is being taken' ;;
    snapshot-delete) printf '%s' 'a snapshot of it is being removed' ;;
    suspending) printf '%s' 'it is being suspended' ;;
    suspended) printf '%s' 'it is suspended to disk (qm resume)' ;;
    *) printf '%s' 'see the tasks of the node' ;;
    esac
}

# until_free VMID WHO SECONDS: waits until nobody holds Proxmox's lock on the machine
until_free() {
    end=$(($(date +%s) + $3))
    while held=$(lock "$1") && [ -n "$held" ]; do
        if [ "$(date +%s)" -ge "$end" ]; then
            {
                printf '%s\n' "$2 is locked ($held) for more than $3 s: $(meaning "$held")."
                printf '%s\n' "Try again when that has ended; a lock that nothing holds any more goes with \`qm unlock $1\`."
            } >&2
            exit 1
        fi
        sleep 1
    done
}

until_free 8001 'vm:8001 ml-desktop' 60
