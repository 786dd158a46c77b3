#!/bin/sh
# vm:8001 ml-desktop. Clones the image's template when the VMID is free, and takes up what an earlier run left half-made.
set -eu

vmid=8001
called='vm:8001 ml-desktop'
origin='from 9000 780672afd69e40f3'
note=/var/lib/phoenix/made/vm/8001
conf=/etc/pve/qemu-server/$vmid.conf

refuse() {
    printf '%s\n' "$called is not made: $1" >&2
    exit 1
}

# What `qm` starts holds this as well: a run of ours that was cut may go on behind our back.
mkdir -p /run/lock
exec 8>>"/run/lock/phoenix-vm-$vmid.lock"
flock -n 8 || refuse "another process is making it at this moment: try again when that has ended"

if [ -e "$conf" ]; then
    name=$(sed -n '/^\[/q; s/^name: *//p' "$conf")
    if [ -e "$note.parts" ]; then
        printf '%s\n' "$called is there"
        exit 0
    fi
    [ -e "$note" ] || refuse "VMID $vmid is taken by the machine ${name:-without a name}, which we did not make"
    lock=$(sed -n '/^\[/q; s/^lock: *//p' "$conf")
    case $lock in
    '') ;;
    create | clone)
        # A run of ours that was cut has left it behind; nothing of anybody's is in it.
        printf '%s\n' "$called was left half-made by a run that was cut: it is made anew"
        qm unlock "$vmid"
        qm destroy "$vmid"
        ;;
    *) refuse "the machine that an earlier run left half-made is locked ($lock): wait, or \`qm unlock $vmid\`" ;;
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
    rm -f "$note.parts" "$note.started"
    # What the template says of itself, which may be older than what the files say.
    image=9000
    seal=$(sed -n '/^\[/q; s/^#phoenix image //p' "/etc/pve/qemu-server/$image.conf" | head -n 1)
    [ -z "$seal" ] || origin="from $image $seal"
    printf '%s\n' "$origin" >"$note"
    qm clone 9000 8001 --name ai-desktop --full 1 --storage quickOS-vm-disks
    printf '%s\n' "made $called"
fi
