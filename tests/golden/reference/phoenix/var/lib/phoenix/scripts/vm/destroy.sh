#!/bin/sh
# vm. Called with a VMID and `keep` or `all`: shuts the machine down and destroys it. With `keep`, its disks but
# the one it starts from stay on their storage, and are noted; a new machine of that VMID gets them back.
# With seconds and names of snapshots behind that, it must shut down by itself, and those go as well.
set -eu

vmid=$1 disks=$2
shift 2
conf=/etc/pve/qemu-server/$vmid.conf
notes=/var/lib/phoenix
saved=$notes/kept/vm/$vmid

forget() {
    rm -f "$notes/made/vm/$vmid" "$notes/made/vm/$vmid.parts" "$notes/made/vm/$vmid.started"
}

# seeds: the documents of ours that its conf names
seeds() {
    sed -n '/^\[/q; s/^cicustom: *//p' "$conf" | tr ',' '\n' | sed -n 's/^[a-z]*=//p' |
        grep ":snippets/phoenix-$vmid-" || :
}

if [ ! -e "$conf" ]; then
    forget
    printf '%s\n' "machine $vmid is gone"
    exit 0
fi
if [ -d "/sys/fs/cgroup/qemu.slice/$vmid.scope" ]; then
    if [ $# -gt 0 ]; then
        qm shutdown "$vmid" --timeout "$1" || :
    else
        qm shutdown "$vmid" --timeout 60 --forceStop 1
    fi
    if [ -d "/sys/fs/cgroup/qemu.slice/$vmid.scope" ]; then
        printf '%s\n' "machine $vmid does not shut down: \`phoenix stop --force\` ends it" >&2
        exit 1
    fi
fi
[ $# -eq 0 ] || shift
for name; do
    qm delsnapshot "$vmid" "$name"
done
seeds | while IFS= read -r volume; do
    path=$(pvesm path "$volume") && rm -f "$path"
done
if [ "$disks" = keep ]; then
    mkdir -p /var/lock/qemu-server "$(dirname "$saved")"
    exec 9>>"/var/lock/qemu-server/lock-$vmid.conf"
    flock -w 10 9 || { printf '%s\n' "somebody else is changing the conf of $vmid: try again" >&2; exit 1; }
    # `qm destroy` removes every disk that its conf names, unused ones too: the lines go, the disks stay.
    sed '/^\[/,$d' "$conf" | grep -E '^(scsi|virtio|sata|unused)[0-9]+: |^net[0-9]+: ' |
        grep -vE '^scsi0: |media=cdrom' >"$saved.new" || :
    if grep -qE '^(scsi|virtio|sata|unused)' "$saved.new"; then
        mv -f "$saved.new" "$saved"
        new=$conf.tmp.$$
        trap 'rm -f "$new"' EXIT
        awk '/^\[/ { rest = 1 } !rest && /^(scsi|virtio|sata|unused)[0-9]+: / && !/^scsi0: / && !/media=cdrom/ { next } { print }' \
            "$conf" >"$new"
        mv -f "$new" "$conf"
        printf '%s\n' "kept: $(grep -vE '^net' "$saved" | tr '\n' ';')"
    elif [ -s "$saved.new" ]; then
        mv -f "$saved.new" "$saved"
    fi
    rm -f "$saved.new"
    if [ -e "/etc/pve/firewall/$vmid.fw" ]; then cat "/etc/pve/firewall/$vmid.fw" >"$saved.fw"; fi
    exec 9>&-
fi
qm destroy "$vmid"
forget
printf '%s\n' "destroyed machine $vmid"
